//! From an app on this machine to a release: its manifest, and every file that it names.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Component as Part, Path, PathBuf};

use tombolo_model::release::{self, ReleaseFile, ReleasePath};
use tombolo_model::{App, Digest, Release, Source as Code};
use tombolo_node::files;

use crate::failure::Failure;

/// A release, and where its files are on this machine: those that hold the same are one.
pub(crate) struct Collected {
    pub(crate) release: Release,
    pub(crate) sources: BTreeMap<Digest, Found>,
}

/// A file.
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Collects what `app` names, which is written in `manifest` and relative to `root`.
pub(crate) fn collect(
    app: &App,
    manifest: String,
    profile: Option<String>,
    root: &Path,
) -> Result<Collected, Failure> {
    let mut named = BTreeMap::<PathBuf, PathBuf>::new();
    let mut settled = app.clone();
    let reasons = release::settle(&mut settled);
    if !reasons.is_empty() {
        let message = format!("the app cannot be deployed:\n  - {}", reasons.join("\n  - "));
        return Err(Failure::new(message).hint("move it into the app's folder".to_owned()));
    }
    for (id, path, source) in release::code(&mut app.clone()) {
        let Code::Path(source) = source else {
            return Err(Failure::new(format!("component `{id}`: its code was not downloaded")));
        };
        let source = root.join(source);
        if !source.is_file() {
            let failure = Failure::new(format!("component `{id}`: there is no file `{}`", source.display()));
            let build = app.components.values().find_map(|component| component.build.as_ref());
            let hint = build.map(|_| "build it first: `tombolo deploy --build`".to_owned());
            return Err(failure.hint(hint));
        }
        named.insert(path, source);
    }
    for (id, component) in &app.components {
        let unread = |error| Failure::new(format!("component `{id}`: files: {error}"));
        // What is excluded does not travel.
        let copied = files::copied(root, component).map_err(unread)?;
        let mounts = component.files.mounts.iter().filter(|_| copied.is_empty());
        for mount in mounts {
            add(&mut named, root, &root.join(&mount.source))?;
        }
        for file in copied {
            named.insert(below(root, &file.source), file.source);
        }
    }
    for assets in &app.assets {
        add(&mut named, root, &root.join(&assets.directory))?;
    }
    let mut files = BTreeMap::new();
    let mut sources = BTreeMap::new();
    for (path, source) in named {
        let text = path.to_str().ok_or_else(|| Failure::new(format!("`{}` is not UTF-8", path.display())))?;
        let path: ReleasePath =
            text.parse().map_err(|error: release::ReleasePathError| Failure::of(&error))?;
        let file = measure(&source)
            .map_err(|error| Failure::new(format!("cannot read `{}`: {error}", source.display())))?;
        sources.insert(file.digest, Found { path: source, bytes: file.bytes });
        files.insert(path, file);
    }
    Ok(Collected { release: Release { manifest, profile, files }, sources })
}

/// A path below the app's folder, without what leads nowhere.
fn below(root: &Path, path: &Path) -> PathBuf {
    let path = path.strip_prefix(root).unwrap_or(path);
    path.components().filter(|part| matches!(part, Part::Normal(_))).collect()
}

/// Adds a file, or all in a folder. Links to files are followed; those to folders are not, as they may lead back.
fn add(named: &mut BTreeMap<PathBuf, PathBuf>, root: &Path, path: &Path) -> Result<(), Failure> {
    let unread = |error: io::Error| Failure::new(format!("cannot read `{}`: {error}", path.display()));
    if !path.is_dir() {
        fs::metadata(path).map_err(unread)?;
        named.insert(below(root, path), path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.is_file() || (path.is_dir() && !path.is_symlink()) {
            add(named, root, &path)?;
        }
    }
    Ok(())
}

fn measure(path: &Path) -> io::Result<ReleaseFile> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    // One file at a time is in memory, as large as a node takes it, or a byte larger.
    let read = file.by_ref().take(release::FILE_BYTES_MAX + 1).read_to_end(&mut bytes)? as u64;
    if read > release::FILE_BYTES_MAX {
        let reason =
            format!("it has more than {} MiB, the most that a node takes", release::FILE_BYTES_MAX >> 20);
        return Err(io::Error::other(reason));
    }
    Ok(ReleaseFile { digest: Digest::of(&bytes), bytes: read })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_what_the_manifest_names_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("app");
        for (path, text) in [
            ("app/assets/a.css", "a"),
            ("app/assets/deep/b.css", "b"),
            ("app/notes/secret.txt", "not named"),
            ("app/one.json", "{}"),
            ("app/dist/index.html", "<p>"),
            ("target/web.wasm", "code"),
        ] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let text = "spin_manifest_version = 2\n[application]\nname = \"shop\"\n[[trigger.http]]\n\
            route = \"/...\"\ncomponent = \"web\"\n[component.web]\nsource = \"../target/web.wasm\"\n\
            files = [{ source = \"./assets\", destination = \"/\" }, \"one.json\"]\n\
            [[application.tool.tombolo.static]]\nroute = \"/s/...\"\ndirectory = \"dist\"\n";
        let app = tombolo_model::manifest::parse("spin.toml", text, &BTreeMap::new()).unwrap();
        let Collected { release, sources } = collect(&app, text.to_owned(), None, &root).unwrap();
        let paths: Vec<_> = release.files.keys().map(ReleasePath::as_str).collect();
        let expected =
            [".components/web.wasm", "assets/a.css", "assets/deep/b.css", "dist/index.html", "one.json"];
        assert_eq!(paths, expected);
        assert_eq!(sources[&Digest::of(b"code")].path, root.join("../target/web.wasm"));
        fs::remove_file(folder.path().join("target/web.wasm")).unwrap();
        let reason = collect(&app, text.to_owned(), None, &root).err().unwrap().to_string();
        assert!(reason.contains("component `web`") && reason.contains("web.wasm"), "{reason}");
    }
}
