//! A directory, and the files below it: nothing else can be opened through it, whatever the path and
//! whatever links lie in the way.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

/// An open directory. Links in it are followed as long as they stay below it.
pub(super) struct Folder(OwnedFd);

/// What a path leads to.
pub(super) enum Entry {
    /// A file, open for reading.
    File(File, Version),
    /// A folder.
    Folder,
}

/// Which content a file has. Whoever writes to it changes this: unlike the time of its last change,
/// that of its status cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Version {
    device: u64,
    inode: u64,
    /// In bytes.
    pub(super) length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Version {
    /// That of an open file.
    pub(super) fn of(file: &File) -> io::Result<Self> {
        file.metadata().map(|metadata| Self::from_metadata(&metadata))
    }

    fn from_metadata(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the content was changed last, as its author says; `None` if that is no time since 1970.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        time(self.modified)
    }

    /// When anything about it was changed last.
    pub(super) fn changed(&self) -> Option<SystemTime> {
        time(self.changed)
    }

    /// Whether its content is older than that of `other`.
    pub(super) fn is_older_than(&self, other: &Self) -> bool {
        self.modified < other.modified
    }
}

fn time((seconds, nanoseconds): (i64, i64)) -> Option<SystemTime> {
    let since = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

/// To read a file. Not to wait for the other end of a pipe, nor to become the process of a terminal.
const READ: OFlags = OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

impl Folder {
    /// Opens the directory at `path`, links on the way there followed.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// What lies at `path`: names with `/` between them, none at all for the directory itself. `None`
    /// if nothing does, nothing that is served, or nothing below the directory.
    pub(super) fn find(&self, path: &str) -> io::Result<Option<Entry>> {
        let file = match self.open_below(if path.is_empty() { "." } else { path }) {
            Ok(file) => File::from(file),
            Err(
                Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG
                // Leads out.
                | Errno::XDEV
                // A socket, or a device without a driver.
                | Errno::NXIO | Errno::NODEV,
            ) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let metadata = file.metadata()?;
        Ok(match (metadata.is_file(), metadata.is_dir()) {
            (true, _) => Some(Entry::File(file, Version::from_metadata(&metadata))),
            (_, true) => Some(Entry::Folder),
            // Pipes and devices are no content.
            _ => None,
        })
    }

    #[cfg(target_os = "linux")]
    fn open_below(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        /// How often something is renamed while a path with links is followed, at most.
        const TRIES: usize = 16;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..TRIES {
            match openat2(&self.0, path, READ, Mode::empty(), within) {
                Err(Errno::AGAIN) => {}
                // Linux before 5.6, or somebody's filter of system calls.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_by_steps(path),
                opened => return opened,
            }
        }
        Err(Errno::AGAIN)
    }

    #[cfg(not(target_os = "linux"))]
    fn open_below(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        self.open_by_steps(path)
    }

    /// The same without the kernel's help: name by name, and no link is followed at all.
    fn open_by_steps(&self, path: &str) -> rustix::io::Result<OwnedFd> {
        let mut here: Option<OwnedFd> = None;
        let mut names = path.split('/').peekable();
        loop {
            let name = names.next().ok_or(Errno::NOENT)?;
            if name == ".." {
                return Err(Errno::XDEV);
            }
            let kind = if names.peek().is_some() { OFlags::DIRECTORY } else { OFlags::empty() };
            let from = here.as_ref().unwrap_or(&self.0);
            let next = rustix::fs::openat(from, name, READ | OFlags::NOFOLLOW | kind, Mode::empty())?;
            if names.peek().is_none() {
                return Ok(next);
            }
            here = Some(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use proptest::prelude::*;

    /// A site in a folder that has more: `site/a.txt`, `site/sub/b.txt`, `secret`, and links.
    fn site() -> (tempfile::TempDir, Folder) {
        let outer = tempfile::tempdir().unwrap();
        let site = outer.path().join("site");
        fs::create_dir_all(site.join("sub")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(site.join("a.txt"), "a").unwrap();
        fs::write(site.join("sub/b.txt"), "b").unwrap();
        symlink("../secret", site.join("out")).unwrap();
        symlink(outer.path().join("secret"), site.join("absolute")).unwrap();
        symlink("..", site.join("up")).unwrap();
        symlink("/proc/self/root", site.join("root")).unwrap();
        symlink("loop", site.join("loop")).unwrap();
        symlink("../a.txt", site.join("sub/within")).unwrap();
        let folder = Folder::open(&site).unwrap();
        (outer, folder)
    }

    fn read(folder: &Folder, path: &str) -> Option<String> {
        match folder.find(path).unwrap()? {
            Entry::File(file, version) => {
                let text = io::read_to_string(file).unwrap();
                assert_eq!(version.length, text.len() as u64);
                Some(text)
            }
            Entry::Folder => Some("a folder".to_owned()),
        }
    }

    const OUTSIDE: &[&str] = &[
        "../secret",
        "sub/../../secret",
        "/etc/passwd",
        "out",
        "absolute",
        "up/secret",
        "up",
        "up/site/a.txt",
        "root",
        "root/etc/passwd",
        "loop",
        "loop/a.txt",
    ];

    #[test]
    fn what_is_below_is_found_and_nothing_else() {
        let (_outer, folder) = site();
        assert_eq!(read(&folder, "a.txt").as_deref(), Some("a"));
        assert_eq!(read(&folder, "sub/b.txt").as_deref(), Some("b"));
        assert_eq!(read(&folder, "sub").as_deref(), Some("a folder"));
        assert_eq!(read(&folder, "").as_deref(), Some("a folder"));
        assert_eq!(read(&folder, "sub/within").as_deref(), Some("a"), "a link that stays below");
        for path in OUTSIDE.iter().chain(&["none", "a.txt/b", "sub/none", &"x".repeat(300)]) {
            assert_eq!(read(&folder, path), None, "{path}");
        }
    }

    #[test]
    fn a_pipe_is_no_file_and_nobody_waits_for_it() {
        let (outer, folder) = site();
        let pipe = outer.path().join("site/pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(read(&folder, "pipe"), None);
    }

    #[test]
    fn without_the_kernels_help_no_link_is_followed() {
        let (_outer, folder) = site();
        let open = |path: &str| folder.open_by_steps(path).ok().map(File::from);
        assert_eq!(io::read_to_string(open("sub/b.txt").unwrap()).unwrap(), "b");
        for path in OUTSIDE.iter().chain(&["sub/within", "none", "a.txt/b"]) {
            assert!(open(path).is_none(), "{path}");
        }
    }

    #[test]
    fn a_file_that_is_written_to_is_another_version() {
        let (outer, folder) = site();
        let version = || match folder.find("a.txt").unwrap() {
            Some(Entry::File(_, version)) => version,
            _ => panic!("there is a file"),
        };
        let before = version();
        assert_eq!(before, version());
        let path = outer.path().join("site/a.txt");
        let modified = fs::metadata(&path).unwrap().modified().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        fs::write(&path, "b").unwrap();
        // As those do who want every build to look alike.
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();
        assert_ne!(before, version());
        assert_eq!(before.modified(), version().modified());
    }

    proptest! {
        /// Whatever way names and links are put together: what is read is no secret.
        #[test]
        fn no_path_leads_out(
            names in prop::collection::vec(
                prop_oneof![
                    Just(".."), Just("."), Just("sub"), Just("a.txt"), Just("out"), Just("up"), Just("root"),
                    Just("secret"), Just("site"), Just("within"), Just(""), Just("absolute"), Just("etc"),
                ],
                0..6,
            ),
        ) {
            let (_outer, folder) = site();
            let path = names.join("/");
            let by_steps = folder.open_by_steps(&path).ok().map(File::from);
            if let Some(file) = by_steps.filter(|file| file.metadata().unwrap().is_file()) {
                prop_assert_ne!(io::read_to_string(file).unwrap(), "secret", "{}", path);
            }
            prop_assert_ne!(read(&folder, &path), Some("secret".to_owned()), "{}", path);
        }
    }
}
