//! The files that components read: folders as they are, or copies of what globs name.
//!
//! A guest sees folders. Where a manifest names single files, or all but some, what it names is copied into
//! a folder of its own when the app is loaded, and removed once nobody can open it any more. Files of a release never
//! change, so links to them do as well, and take no space.

use std::fs::{self, File};
use std::io;
use std::path::{Component as Part, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::{Pid, test_kill_process};
use tombolo_cap_wasi::{Access, Directory};
use tombolo_model::{Component, FileMount};

/// Files that one component may have copied.
const FILES_MAX: usize = 100_000;

/// A file or folder that could not be read or copied.
#[derive(Debug)]
pub(crate) struct FilesError {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> FilesError {
    move |source| FilesError { path: path.to_owned(), source }
}

/// A file of the app, and where a guest sees it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// Where it is.
    pub source: PathBuf,
    /// Its path in the guest, without the slash in front.
    pub destination: PathBuf,
}

/// What becomes of files while an app has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Originals {
    /// Somebody may change them at any time.
    Changeable,
    /// They stay as they are.
    Settled,
}

/// Copies in a folder of their own, gone with this.
#[derive(Debug)]
pub(crate) struct Copies(PathBuf);

impl Drop for Copies {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!("cannot remove `{}`: {error}", self.0.display());
        }
    }
}

/// What a component sees: its folders, and what keeps them.
pub(crate) fn mount(
    root: &Path,
    state: &Path,
    component: &Component,
    access: Access,
    originals: Originals,
) -> Result<(Vec<Directory>, Option<Arc<Copies>>), FilesError> {
    // Who may write does so to copies, whatever is named.
    let is_written = access == Access::Write && !component.files.is_empty();
    if !is_written && !is_copied(root, component) {
        let direct = |mount: &FileMount| {
            let host = root.join(&mount.source);
            fs::read_dir(&host).map_err(at(&host))?;
            Ok(Directory { host, guest: mount.destination.clone(), access: Access::Read })
        };
        return Ok((component.files.mounts.iter().map(direct).collect::<Result<_, _>>()?, None));
    }
    let named = named(root, component)?;
    let copies = Copies(folder(state)?);
    for Named { source, destination } in &named {
        let target = copies.0.join(destination);
        let parent = target.parent().expect("it is below the folder of the copies");
        fs::create_dir_all(parent).map_err(at(parent))?;
        let is_linked = access == Access::Read
            && originals == Originals::Settled
            && fs::hard_link(source, &target).is_ok();
        // Another disk has no links to this one, and a file has only so many.
        if !is_linked {
            copy(source, &target).map_err(at(source))?;
        }
    }
    let directory = Directory { host: copies.0.clone(), guest: "/".to_owned(), access };
    Ok((vec![directory], Some(Arc::new(copies))))
}

/// Copies what a file holds. `fs::copy` sets the mode as well, which a confined server may not.
fn copy(source: &Path, target: &Path) -> io::Result<u64> {
    io::copy(&mut File::open(source)?, &mut File::create(target)?)
}

/// Whether what the manifest names is not just folders.
fn is_copied(root: &Path, component: &Component) -> bool {
    let files = &component.files;
    let is_file = |mount: &FileMount| root.join(&mount.source).is_file();
    !files.globs.is_empty() || !files.excluded.is_empty() || files.mounts.iter().any(is_file)
}

/// Every file that is copied for a component, in order; none if it sees folders as they are.
///
/// # Errors
///
/// If a folder cannot be read, or there are too many.
pub fn copied(root: &Path, component: &Component) -> io::Result<Vec<Named>> {
    match is_copied(root, component) {
        true => named(root, component).map_err(|FilesError { source, .. }| source),
        false => Ok(Vec::new()),
    }
}

fn named(root: &Path, component: &Component) -> Result<Vec<Named>, FilesError> {
    let mut found = Vec::new();
    for mount in &component.files.mounts {
        let source = root.join(&mount.source);
        let destination = inside(&mount.destination);
        if source.is_file() {
            found.push(Named { source, destination });
            continue;
        }
        walk(&source, &mut |path| {
            let below = path.strip_prefix(&source).unwrap_or(path);
            found.push(Named { source: path.to_owned(), destination: destination.join(below) });
            found.len()
        })?;
    }
    for glob in &component.files.globs {
        let folder = root.join(glob.folder());
        if !folder.is_dir() {
            tracing::warn!("component `{}`: no file is named by `{glob}`", component.id);
            continue;
        }
        walk(&folder, &mut |path| {
            let below = path.strip_prefix(root).unwrap_or(path);
            if glob.names(below) {
                found.push(Named { source: path.to_owned(), destination: below.to_owned() });
            }
            found.len()
        })?;
    }
    found.retain(|named| {
        let below = named.source.strip_prefix(root).unwrap_or(&named.source);
        !component.files.excluded.iter().any(|glob| glob.names(below))
    });
    found.sort();
    Ok(found)
}

/// A path of a guest below the root of what it sees: `..` leads nowhere.
fn inside(destination: &str) -> PathBuf {
    let parts = Path::new(destination).components();
    parts.filter(|part| matches!(part, Part::Normal(_))).collect()
}

/// Calls `each` with every file below `folder`; it answers how many there are so far. Links to files are
/// followed, those to folders are not, for they may lead back.
fn walk(folder: &Path, each: &mut impl FnMut(&Path) -> usize) -> Result<(), FilesError> {
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.is_file() {
            if each(&path) > FILES_MAX {
                let reason = format!("more than {FILES_MAX} files are named: mount their folder instead");
                return Err(FilesError { path: folder.to_owned(), source: io::Error::other(reason) });
            }
        } else if path.is_dir() && !path.is_symlink() {
            walk(&path, each)?;
        }
    }
    Ok(())
}

/// A new folder for copies, and none of processes that are gone.
fn folder(state: &Path) -> Result<PathBuf, FilesError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let all = state.join("files");
    fs::create_dir_all(&all).map_err(at(&all))?;
    for entry in fs::read_dir(&all).map_err(at(&all))?.flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.split('-').next()?.parse().ok());
        if owner.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid).is_err()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = all.join(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    fs::create_dir(&folder).map_err(at(&folder))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use tombolo_model::file_glob::{FileGlob, Star};
    use tombolo_model::{Files, Source};

    use super::*;

    const CHANGEABLE: Originals = Originals::Changeable;

    fn app(files: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        root
    }

    fn component(globs: &[&str], excluded: &[&str], mounts: &[(&str, &str)]) -> Component {
        let globs = globs.iter().map(|glob| FileGlob::new(glob, Star::WithinFolder).unwrap()).collect();
        let excluded = excluded.iter().map(|glob| FileGlob::new(glob, Star::Beyond).unwrap()).collect();
        let mount = |(source, destination): &(&str, &str)| FileMount {
            source: source.into(),
            destination: (*destination).to_owned(),
        };
        Component {
            files: Files { mounts: mounts.iter().map(mount).collect(), globs, excluded },
            ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
        }
    }

    fn seen(root: &Path, component: &Component) -> Vec<String> {
        let named = copied(root, component).unwrap();
        named.into_iter().map(|named| named.destination.display().to_string()).collect()
    }

    #[test]
    fn globs_name_files_at_their_own_paths() {
        let root = app(&["assets/a.css", "assets/b/c.css", "assets/b/c.md", "other.txt", "top.txt"]);
        let globs = component(&["assets/**/*", "top.txt", "none/*"], &["*.md"], &[]);
        assert_eq!(seen(root.path(), &globs), ["assets/a.css", "assets/b/c.css", "top.txt"]);
    }

    #[test]
    fn a_single_file_and_a_folder_without_some_are_copied() {
        let root = app(&["data/a.json", "data/b.tmp", "one.txt"]);
        let mixed = component(&[], &["*.tmp"], &[("data", "/d"), ("one.txt", "/etc/../conf/uno.txt")]);
        assert_eq!(seen(root.path(), &mixed), ["d/a.json", "etc/conf/uno.txt"]);
        assert!(
            seen(root.path(), &component(&[], &[], &[("data", "/d")])).is_empty(),
            "a folder is as it is"
        );
    }

    #[test]
    fn copies_go_with_their_guard_and_those_of_the_dead_with_the_next() {
        let root = app(&["a.txt"]);
        let state = root.path().join(".tombolo");
        // No process has this number: it is beyond the largest.
        let dead = state.join("files/2147483647-0");
        fs::create_dir_all(&dead).unwrap();
        let (directories, copies) =
            mount(root.path(), &state, &component(&["*.txt"], &[], &[]), Access::Read, CHANGEABLE).unwrap();
        let host = directories[0].host.clone();
        assert_eq!(fs::read_to_string(host.join("a.txt")).unwrap(), "a.txt");
        assert!(!dead.exists());
        drop(copies);
        assert!(!host.exists());
    }

    #[test]
    fn files_of_a_release_are_linked_and_take_no_space() {
        use std::os::unix::fs::MetadataExt;
        let root = app(&["a.txt"]);
        let state = root.path().join("state");
        let named = component(&["*.txt"], &[], &[]);
        for (originals, links) in [(Originals::Settled, 2), (CHANGEABLE, 1)] {
            let (directories, _copies) = mount(root.path(), &state, &named, Access::Read, originals).unwrap();
            let metadata = fs::metadata(directories[0].host.join("a.txt")).unwrap();
            assert_eq!(metadata.nlink(), links, "{originals:?}");
        }
    }

    #[test]
    fn who_may_write_does_so_to_copies() {
        let root = app(&["data/a.json"]);
        let state = root.path().join(".tombolo");
        let folder = component(&[], &[], &[("data", "/d")]);
        let (directories, _copies) =
            mount(root.path(), &state, &folder, Access::Write, Originals::Settled).unwrap();
        assert!(directories[0].host.starts_with(&state) && directories[0].access == Access::Write);
        assert!(directories[0].host.join("d/a.json").is_file());
        let written = fs::metadata(directories[0].host.join("d/a.json")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::nlink(&written), 1, "a link would be the file itself");
        let none = mount(root.path(), &state, &component(&[], &[], &[]), Access::Write, CHANGEABLE).unwrap();
        assert!(none.0.is_empty() && none.1.is_none());
    }

    #[test]
    fn what_is_not_there_is_named() {
        let root = app(&["a.txt"]);
        let absent = component(&[], &[], &[("absent", "/")]);
        let state = root.path().join(".tombolo");
        let error = mount(root.path(), &state, &absent, Access::Read, CHANGEABLE).unwrap_err();
        assert!(error.path.ends_with("absent") && error.source.kind() == io::ErrorKind::NotFound);
    }
}
