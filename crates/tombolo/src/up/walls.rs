//! The second wall around a server: what its app needs, and no more.

use std::fs;
use std::path::{Path, PathBuf};

use tombolo_confine::{Plan, Report, State};
use tombolo_model::{App, Source as Code};
use tombolo_store::ArtefactCache;

use super::app::Source;

/// How much of the second wall goes up.
pub(crate) enum Walls {
    /// All of it.
    All,
    /// What leaves build commands free: compilers are anywhere and do anything.
    Watching,
    /// Nothing, as asked.
    None,
}

impl Walls {
    /// Puts them up, around the files of `plan`, and says which it was asked to leave out. Whatever this kernel lacks is said once; serving
    /// goes on without it, as it did before there was a second wall.
    pub(crate) fn put_up(&self, say: impl Fn(&str), plan: impl FnOnce() -> Plan) {
        let report = match self {
            Self::All => tombolo_confine::confine(&plan()),
            Self::Watching => {
                say("No second wall with --watch: build commands need what serving does not\n");
                tombolo_confine::settle()
            }
            Self::None => {
                tombolo_confine::raise_open_files();
                return say("No second wall: --no-confine\n");
            }
        };
        tell(&report);
    }
}

fn tell(report: &Report) {
    for (wall, state) in &report.walls {
        match state {
            State::On { detail } => tracing::info!("wall: {}: {detail}", wall.name()),
            State::Off { reason } => tracing::info!("no wall: {}: {reason}", wall.name()),
        }
    }
    let missing: Vec<String> =
        report.missing().map(|(wall, reason)| format!("{} ({reason})", wall.name())).collect();
    if !missing.is_empty() {
        tracing::warn!(
            "serving without a part of the second wall: {}; `tombolo doctor` shows all of it",
            missing.join(", ")
        );
    }
}

/// What serving `app` needs of the file system: its own files to read, its state and the cache to
/// write. What an app newly can name is to be added here.
///
/// Makes the folders that are written to, as only what is there can be granted. One that cannot be
/// made is reported by whoever first writes to it.
pub(crate) fn plan(
    source: &Source,
    app: &App,
    state: &Path,
    files: &[&PathBuf],
    cache: Option<&Path>,
) -> Plan {
    let mut plan = Plan::program();
    match source {
        // With its folder, so that a mounted folder can be exchanged while it is served.
        Source::Manifest { root, .. } => plan.read.push(root.clone()),
        // Lies anywhere, maybe in a home.
        Source::Component { file, .. } => plan.read.push(file.clone()),
    }
    // These may be anywhere else.
    for (_, code) in app.sources() {
        if let Code::Path(path) = code {
            plan.read.push(source.root().join(path));
        }
    }
    for component in app.components.values() {
        plan.read.extend(component.files.mounts.iter().map(|mount| source.root().join(&mount.source)));
    }
    plan.read.extend(app.assets.iter().map(|assets| source.root().join(&assets.directory)));
    let _ = fs::create_dir_all(state);
    plan.write.push(state.to_owned());
    // SQLite keeps more files beside a database, under names that it makes, and a log that was moved is made anew.
    for folder in files.iter().filter_map(|file| file.parent()) {
        let _ = fs::create_dir_all(folder);
        plan.write.push(folder.to_owned());
    }
    if let Some(cache) = cache {
        // Makes it for this user alone.
        let _ = ArtefactCache::open(cache);
        plan.write.push(cache.to_owned());
    }
    plan
}

/// What a platform needs of the file system: its data, the cache and the folder of its access log to write, with what
/// tenants deploy in there; and to read again the files of its operator.
pub(crate) fn plan_of_platform(
    data: &Path,
    cache: Option<&Path>,
    again: &[PathBuf],
    log: Option<&Path>,
) -> Plan {
    let mut plan = Plan::program();
    plan.read.extend(again.iter().flat_map(|file| replaceable(file)));
    plan.write.push(data.to_owned());
    if let Some(folder) = log.and_then(Path::parent) {
        let _ = fs::create_dir_all(folder);
        plan.write.push(folder.to_owned());
    }
    // The files of a release are links to blobs.
    plan.links = true;
    if let Some(cache) = cache {
        let _ = ArtefactCache::open(cache);
        plan.write.push(cache.to_owned());
    }
    plan
}

/// What has to be readable so that a file can be read after it was replaced: its folder, and that of the file it
/// leads to. One at the root is read as it is, for that folder is everything.
fn replaceable(file: &Path) -> Vec<PathBuf> {
    let folder = |file: &Path| match file.parent() {
        Some(folder) if folder == Path::new("") => PathBuf::from("."),
        Some(folder) if folder != Path::new("/") => folder.to_owned(),
        _ => file.to_owned(),
    };
    let target = fs::canonicalize(file).ok();
    std::iter::once(folder(file)).chain(target.map(|target| folder(&target))).collect()
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::up::app::Given;

    #[test]
    fn an_app_needs_its_folder_and_what_it_names_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        fs::create_dir(&root).unwrap();
        let file = root.join("spin.toml");
        let text = "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\n\
            route = \"/...\"\ncomponent = \"web\"\n[component.web]\nsource = \"../web.wasm\"\n\
            files = [{ source = \"/srv/assets\", destination = \"/\" }]\n\
            [[application.tool.tombolo.static]]\nroute = \"/s/...\"\ndirectory = \"../dist\"\n";
        fs::write(&file, text).unwrap();
        let source = Source::find(&root, Given::default()).unwrap();
        let (state, cache) = (root.join(".tombolo"), folder.path().join("cache/artefacts"));
        let database = folder.path().join("data/users.db");
        let found = plan(&source, &source.read().unwrap(), &state, &[&database], Some(&cache));
        let program = Plan::program();
        assert_eq!(
            found.read[program.read.len()..],
            [root.clone(), root.join("../web.wasm"), "/srv/assets".into(), root.join("../dist")]
        );
        let data = folder.path().join("data");
        assert_eq!(found.write[program.write.len()..], [state.clone(), data.clone(), cache.clone()]);
        assert_eq!(found.run, program.run);
        assert!(state.is_dir() && data.is_dir() && cache.is_dir());
    }

    #[test]
    fn a_component_alone_needs_itself_and_not_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("web.wasm");
        fs::write(&file, "").unwrap();
        let source = Source::find(&file, Given::default()).unwrap();
        let found = plan(&source, &source.read().unwrap(), &folder.path().join(".tombolo"), &[], None);
        assert!(found.read.contains(&file) && !found.read.contains(&folder.path().to_owned()));
    }

    /// As certbot and Kubernetes replace them: the name stays, what it leads to changes.
    #[test]
    fn a_file_that_is_replaced_is_read_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("archive")).unwrap();
        fs::create_dir_all(at("live")).unwrap();
        fs::write(at("archive/one.pem"), "").unwrap();
        std::os::unix::fs::symlink(at("archive/one.pem"), at("live/chain.pem")).unwrap();
        let real = fs::canonicalize(at("archive")).unwrap();
        assert_eq!(replaceable(&at("live/chain.pem")), [at("live"), real]);
        assert_eq!(replaceable(Path::new("none.pem")), [PathBuf::from(".")]);
        assert_eq!(replaceable(Path::new("/none.pem")), [PathBuf::from("/none.pem")]);
    }
}
