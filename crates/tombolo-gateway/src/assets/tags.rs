//! The `etag` of each file: a digest of its content, taken once for each version of it.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use super::folder::Version;

/// Known tags of at least so many versions, and at most twice as many.
const TAGS_MIN: usize = 4096;
/// Bytes read at once.
const CHUNK: usize = 256 << 10;
/// No file system tells changes less far apart from each other. A file that was changed within it
/// could change again and look the same.
const TICK: Duration = Duration::from_secs(2);

/// The tags of versions that were asked for lately.
#[derive(Default)]
pub(super) struct Tags {
    known: Mutex<Known>,
}

/// Two generations: what is used moves to the younger, and with the elder goes what is not.
#[derive(Default)]
struct Known {
    young: HashMap<Version, Arc<OnceCell<HeaderValue>>>,
    old: HashMap<Version, Arc<OnceCell<HeaderValue>>>,
}

/// Why there is no tag.
#[derive(Debug)]
pub(super) enum TagError {
    /// The file was written to meanwhile: there is another version of it.
    Changed,
    /// It cannot be read.
    Read(io::Error),
}

impl From<io::Error> for TagError {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

impl Tags {
    /// The tag of a version, if it was taken before.
    pub(super) fn known(&self, version: Version) -> Option<HeaderValue> {
        self.lock().get(version)?.get().cloned()
    }

    /// The tag of `content`, and from now on that of `version`.
    pub(super) fn take(&self, version: Version, content: &[u8]) -> HeaderValue {
        let tag = tag(Sha256::digest(content).as_slice());
        if is_settled(version) {
            self.lock().insert(version, Arc::new(OnceCell::new_with(Some(tag.clone()))));
        }
        tag
    }

    /// The tag of `file`, which is of this version. It is read once for all who ask at a time; when
    /// nobody is left who does, no further.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or was written to.
    pub(super) async fn read(&self, file: &Arc<File>, version: Version) -> Result<HeaderValue, TagError> {
        let settled = is_settled(version);
        let cell = {
            let mut known = self.lock();
            known.get(version).unwrap_or_else(|| {
                let cell = Arc::default();
                known.insert(version, Arc::clone(&cell));
                cell
            })
        };
        let asking = Arc::new(());
        let reading = async {
            let (file, asking) = (Arc::clone(file), Arc::downgrade(&asking));
            let read = tokio::task::spawn_blocking(move || read(&file, version, &asking));
            read.await.map_err(|error| TagError::Read(io::Error::other(error)))?
        };
        let tag = cell.get_or_try_init(|| reading).await.cloned();
        if !settled {
            self.lock().remove(version);
        }
        tag
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn get(&mut self, version: Version) -> Option<Arc<OnceCell<HeaderValue>>> {
        if let Some(tag) = self.young.get(&version) {
            return Some(Arc::clone(tag));
        }
        let tag = self.old.remove(&version)?;
        self.insert(version, Arc::clone(&tag));
        Some(tag)
    }

    fn insert(&mut self, version: Version, tag: Arc<OnceCell<HeaderValue>>) {
        if self.young.len() == TAGS_MIN {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(version, tag);
    }

    fn remove(&mut self, version: Version) {
        self.young.remove(&version);
        self.old.remove(&version);
    }
}

/// Whether whatever changes the file from now on shows.
fn is_settled(version: Version) -> bool {
    let age = version.changed().and_then(|changed| SystemTime::now().duration_since(changed).ok());
    age.is_some_and(|age| age > TICK)
}

/// Reads all of `file`, in memory that does not grow with it, as long as somebody asks.
fn read(file: &File, version: Version, asking: &Weak<()>) -> Result<HeaderValue, TagError> {
    let mut hash = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    let mut at = 0;
    while at < version.length {
        if asking.strong_count() == 0 {
            return Err(TagError::Read(io::ErrorKind::Interrupted.into()));
        }
        let wanted = usize::try_from(version.length - at).unwrap_or(CHUNK).min(CHUNK);
        match file.read_at(&mut chunk[..wanted], at)? {
            0 => return Err(TagError::Changed),
            read => {
                hash.update(&chunk[..read]);
                at += read as u64;
            }
        }
    }
    if Version::of(file)? != version {
        return Err(TagError::Changed);
    }
    Ok(tag(hash.finalize().as_slice()))
}

/// Half of a SHA-256 digest tells two contents apart as long as nobody makes them for that, and the
/// author of both is one.
fn tag(digest: &[u8]) -> HeaderValue {
    let digits: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    HeaderValue::from_str(&format!("\"{digits}\"")).expect("hexadecimal digits are a value a header can have")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn file(content: &[u8]) -> (tempfile::NamedTempFile, Arc<File>, Version) {
        let named = tempfile::NamedTempFile::new().unwrap();
        fs::write(named.path(), content).unwrap();
        let file = File::open(named.path()).unwrap();
        let version = Version::of(&file).unwrap();
        (named, Arc::new(file), version)
    }

    #[tokio::test]
    async fn a_tag_is_of_the_content_however_it_is_read() {
        let content = vec![7; CHUNK * 2 + 1];
        let (_named, file, version) = file(&content);
        let tags = Tags::default();
        let read = tags.read(&file, version).await.unwrap();
        assert_eq!(read, tags.take(version, &content));
        assert_eq!(read.len(), 34);
        assert_ne!(read, tags.take(version, &content[1..]));
    }

    /// What was just written could be written again within the same tick of the file system's clock.
    #[tokio::test]
    async fn a_tag_is_kept_once_the_file_has_come_to_rest() {
        let (_named, file, version) = file(b"a");
        let tags = Tags::default();
        tags.read(&file, version).await.unwrap();
        tags.take(version, b"a");
        assert_eq!(tags.known(version), None);
        std::thread::sleep(TICK + Duration::from_millis(100));
        let tag = tags.read(&file, version).await.unwrap();
        assert_eq!(tags.known(version), Some(tag));
    }

    #[tokio::test]
    async fn a_file_that_is_written_to_has_no_tag_of_its_old_version() {
        let (named, file, version) = file(b"before");
        fs::write(named.path(), "after that").unwrap();
        let tags = Tags::default();
        assert!(matches!(tags.read(&file, version).await, Err(TagError::Changed)));
        fs::write(named.path(), "").unwrap();
        assert!(matches!(tags.read(&file, version).await, Err(TagError::Changed)));
    }

    #[test]
    fn nobody_asks_so_nothing_is_read() {
        let (_named, file, version) = file(b"a");
        assert!(matches!(read(&file, version, &Weak::new()), Err(TagError::Read(_))));
    }

    #[test]
    fn the_tags_that_are_used_are_kept_and_the_others_go() {
        let (_named, _file, version) = file(b"");
        let numbered = |length| {
            let mut numbered = version;
            numbered.length = length;
            numbered
        };
        let mut known = Known::default();
        for length in 0..10 * TAGS_MIN as u64 {
            known.insert(numbered(length), Arc::default());
            assert!(known.get(numbered(0)).is_some());
            assert!(known.young.len() + known.old.len() <= 2 * TAGS_MIN);
        }
        assert!(known.get(numbered(1)).is_none());
    }
}
