//! Serves an app anew when it changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use globset::{Glob, GlobSet, GlobSetBuilder};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tombolo_model::{App, Digest, Source as Code};
use tombolo_node::{Node, files};

use super::app::Source;
use super::{build, say, say_unchanged};
use crate::failure::Failure;

/// How long nothing more must change before it is looked at: editors and linkers write in steps.
const QUIET: Duration = Duration::from_millis(150);
/// Changes are looked at after so long though there is no quiet.
const QUIET_MAX: Duration = Duration::from_secs(2);
/// Events waiting to be looked at.
const EVENTS_MAX: usize = 1024;

/// A watched app.
pub(crate) struct Watch {
    /// Absolute, as the paths of events are.
    root: PathBuf,
    watcher: RecommendedWatcher,
    changes: Receiver<Vec<PathBuf>>,
    /// Events found no room: which files changed is not known.
    missed: Arc<AtomicBool>,
    watched: Vec<PathBuf>,
    /// Digests of what is served; what failed to be served is tried again at the next change.
    seen: BTreeMap<PathBuf, Option<Digest>>,
}

impl Watch {
    /// Watches from now on.
    pub(crate) fn new(source: &Source, app: &App) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::new(format!("cannot watch the app: {error}"));
        let root = source.root().canonicalize().map_err(|error| failed(&error))?;
        let (changed, changes) = sync_channel(EVENTS_MAX);
        let missed = Arc::new(AtomicBool::new(false));
        let (own, full) = (root.join(".tombolo"), Arc::clone(&missed));
        let send = move |event: notify::Result<notify::Event>| {
            // Reading is no change, and what the app logs is none of its sources.
            if let Ok(event) = event
                && !matches!(event.kind, EventKind::Access(_))
                && !event.paths.iter().all(|path| path.starts_with(&own))
                && let Err(TrySendError::Full(_)) = changed.try_send(event.paths)
            {
                full.store(true, Ordering::Relaxed);
            }
        };
        let watcher = notify::recommended_watcher(send).map_err(|error| failed(&error))?;
        let seen = BTreeMap::new();
        let mut watch = Self { root, watcher, changes, missed, watched: Vec::new(), seen };
        watch.follow(app);
        watch.seen = fingerprint(source, app);
        Ok(watch)
    }

    /// Serves the app anew at every change from now on; ends with the process.
    pub(crate) fn start(self, source: Source, app: App, node: Arc<Node>) -> Result<(), Failure> {
        let run = move || self.run(&source, app, &node);
        let started = thread::Builder::new().name("watch".to_owned()).spawn(run);
        started.map_err(|error| Failure::new(format!("cannot watch the app: {error}")))?;
        Ok(())
    }

    fn run(mut self, source: &Source, mut app: App, node: &Node) {
        while let Ok(mut paths) = self.changes.recv() {
            let until = Instant::now() + QUIET_MAX;
            while Instant::now() < until {
                match self.changes.recv_timeout(QUIET) {
                    Ok(more) => paths.extend(more),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            self.changed(&paths, source, &mut app, node);
        }
    }

    fn changed(&mut self, paths: &[PathBuf], source: &Source, app: &mut App, node: &Node) {
        let missed = self.missed.swap(false, Ordering::Relaxed);
        if missed || paths.iter().any(|path| self.is_source(app, path)) {
            // What the compiler says stands above; the app is served as it was.
            if let Err(failure) = build::build(app, &self.root) {
                say(&failure.to_string());
                return;
            }
        }
        let next = match source.read() {
            Ok(next) => next,
            Err(failure) => return say(&failure.to_string()),
        };
        let now = fingerprint(source, &next);
        if now == self.seen {
            return;
        }
        match node.load(&next) {
            Ok(()) => {
                self.seen = now;
                say(&format!("Serving {} anew\n", next.name));
            }
            Err(error) => {
                self.seen = BTreeMap::new();
                say_unchanged(&error);
            }
        }
        *app = next;
        self.follow(app);
    }

    /// Whether `path` is a source that a component is built from.
    fn is_source(&self, app: &App, path: &Path) -> bool {
        app.components.values().filter_map(|component| component.build.as_ref()).any(|build| {
            let folder = self.root.join(&build.workdir);
            path.strip_prefix(folder).is_ok_and(|path| globs(&build.watch).is_match(path))
        })
    }

    /// Watches the folders the app is in. One that is not there yet is watched once it is.
    fn follow(&mut self, app: &App) {
        for (folder, mode) in folders(app, &self.root) {
            let known = self.watched.contains(&folder);
            if !known && folder.is_dir() && self.watcher.watch(&folder, mode).is_ok() {
                self.watched.push(folder);
            }
        }
    }
}

/// The folders to watch: those of the manifest, the components and the files that are copied for them, and below
/// each glob's fixed part.
fn folders(app: &App, root: &Path) -> Vec<(PathBuf, RecursiveMode)> {
    let mut folders = vec![(root.to_owned(), RecursiveMode::NonRecursive)];
    for (_, code) in app.sources() {
        if let Code::Path(path) = code
            && let Some(folder) = root.join(path).parent()
        {
            folders.push((folder.to_owned(), RecursiveMode::NonRecursive));
        }
    }
    for component in app.components.values() {
        for glob in &component.files.globs {
            let mode = if glob.is_deep() { RecursiveMode::Recursive } else { RecursiveMode::NonRecursive };
            folders.push((root.join(glob.folder()), mode));
        }
        let files = component.files.mounts.iter().map(|mount| root.join(&mount.source));
        let parents = files.filter(|file| file.is_file()).filter_map(|file| Some(file.parent()?.to_owned()));
        folders.extend(parents.map(|folder| (folder, RecursiveMode::NonRecursive)));
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
    let code = app.sources().into_iter().filter_map(|(_, code)| match code {
        Code::Path(path) => Some(source.root().join(path)),
        Code::Url { .. } | Code::Package(_) => None,
    });
    // What is copied when the app is loaded; a folder that is mounted is seen as it is.
    let copied = app.components.values().flat_map(|component| {
        files::copied(source.root(), component).unwrap_or_default().into_iter().map(|named| named.source)
    });
    let files = code.chain(copied).chain([source.file().to_owned()]);
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
