//! Serves an app anew when it changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use globset::{Glob, GlobSet, GlobSetBuilder};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tombolo_model::{App, Digest, Source as Code};
use tombolo_node::Node;

use super::app::Source;
use super::{build, say, say_unchanged};
use crate::failure::Failure;

/// How long nothing more must change before it is looked at: editors and linkers write in steps.
const QUIET: Duration = Duration::from_millis(150);

/// Events waiting to be looked at.
const EVENTS_MAX: usize = 1024;

/// Starts watching; it ends with the process.
pub(crate) fn start(source: Source, app: App, node: Arc<Node>) -> Result<(), Failure> {
    let failed = |error: notify::Error| Failure::new(format!("cannot watch the app: {error}"));
    let (changed, changes) = sync_channel(EVENTS_MAX);
    let send = move |event: notify::Result<notify::Event>| {
        // Reading what is watched is no change.
        if let Ok(event) = event
            && !matches!(event.kind, EventKind::Access(_))
        {
            // If there is no room, changes are waiting already, and all that is asked then is what is
            // there now. The receiver is gone only when the process ends.
            let _ = changed.try_send(event.paths);
        }
    };
    let watcher = notify::recommended_watcher(send).map_err(failed)?;
    let root =
        source.root().canonicalize().map_err(|error| Failure::new(format!("cannot watch: {error}")))?;
    let seen = fingerprint(&source, &app);
    let mut watch = Watch { source, root, app, node, watcher, watched: Vec::new(), seen };
    watch.follow();
    let run = move || watch.run(&changes);
    let started = thread::Builder::new().name("watch".to_owned()).spawn(run);
    started.map_err(|error| Failure::new(format!("cannot watch the app: {error}")))?;
    Ok(())
}

struct Watch {
    source: Source,
    /// Absolute, as the paths of events are.
    root: PathBuf,
    app: App,
    node: Arc<Node>,
    watcher: RecommendedWatcher,
    watched: Vec<PathBuf>,
    /// Digests of what is served.
    seen: BTreeMap<PathBuf, Option<Digest>>,
}

impl Watch {
    fn run(mut self, changes: &Receiver<Vec<PathBuf>>) {
        while let Ok(mut paths) = changes.recv() {
            loop {
                match changes.recv_timeout(QUIET) {
                    Ok(more) => paths.extend(more),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            self.changed(&paths);
        }
    }

    fn changed(&mut self, paths: &[PathBuf]) {
        if paths.iter().any(|path| self.is_source(path)) {
            // What the compiler says stands above; the app is served as it was.
            if let Err(failure) = build::build(&self.app, &self.root) {
                say(&failure.to_string());
                return;
            }
        }
        let app = match self.source.read() {
            Ok(app) => app,
            Err(failure) => return say(&failure.to_string()),
        };
        let now = fingerprint(&self.source, &app);
        if now == self.seen {
            return;
        }
        self.seen = now;
        match self.node.load(&app) {
            Ok(()) => say(&format!("Serving {} anew\n", app.name)),
            Err(error) => say_unchanged(&error),
        }
        self.app = app;
        self.follow();
    }

    /// Whether `path` is a source that a component is built from.
    fn is_source(&self, path: &Path) -> bool {
        self.app.components.values().filter_map(|component| component.build.as_ref()).any(|build| {
            let folder = self.root.join(&build.workdir);
            path.strip_prefix(folder).is_ok_and(|path| globs(&build.watch).is_match(path))
        })
    }

    /// Watches the folders the app is in. One that is not there yet is watched once it is.
    fn follow(&mut self) {
        for (folder, mode) in folders(&self.app, &self.root) {
            let known = self.watched.contains(&folder);
            if !known && folder.is_dir() && self.watcher.watch(&folder, mode).is_ok() {
                self.watched.push(folder);
            }
        }
    }
}

/// The folders to watch: those of the manifest and the components, and below each glob's fixed part.
fn folders(app: &App, root: &Path) -> Vec<(PathBuf, RecursiveMode)> {
    let mut folders = vec![(root.to_owned(), RecursiveMode::NonRecursive)];
    for component in app.components.values() {
        if let Code::Path(path) = &component.source
            && let Some(folder) = root.join(path).parent()
        {
            folders.push((folder.to_owned(), RecursiveMode::NonRecursive));
        }
        for (build, pattern) in
            component.build.iter().flat_map(|build| build.watch.iter().map(move |w| (build, w)))
        {
            let fixed: PathBuf = Path::new(pattern).iter().take_while(|part| !is_glob(part)).collect();
            let folder = root.join(&build.workdir).join(&fixed);
            let recursive = pattern.len() > fixed.as_os_str().len();
            match recursive {
                true => folders.push((folder, RecursiveMode::Recursive)),
                false => {
                    folders.extend(folder.parent().map(|it| (it.to_owned(), RecursiveMode::NonRecursive)))
                }
            }
        }
    }
    folders
}

fn is_glob(part: &std::ffi::OsStr) -> bool {
    part.to_string_lossy().contains(['*', '?', '[', '{'])
}

fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for glob in patterns.iter().filter_map(|pattern| Glob::new(pattern).ok()) {
        set.add(glob);
    }
    set.build().unwrap_or_else(|_| GlobSet::empty())
}

/// What the app consists of now. A file that is not there counts as such.
fn fingerprint(source: &Source, app: &App) -> BTreeMap<PathBuf, Option<Digest>> {
    let code = app.components.values().filter_map(|component| match &component.source {
        Code::Path(path) => Some(source.root().join(path)),
        Code::Url { .. } => None,
    });
    let files = code.chain([source.file().to_owned()]);
    files.map(|path| (path.clone(), std::fs::read(&path).ok().map(|bytes| Digest::of(&bytes)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_manifests_write_them() {
        let set = globs(&["src/**/*.rs".into(), "Cargo.toml".into(), "[".into()]);
        assert!(set.is_match("src/lib.rs") && set.is_match("src/a/b.rs") && set.is_match("Cargo.toml"));
        assert!(!set.is_match("target/x.rs") && !set.is_match("src/lib.txt"));
    }
}
