//! The content of a file on its way to a client: from memory if it is small, else a chunk at a time.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::Instant;

use super::folder::Version;

/// Bytes read at once. One chunk is on its way while the next is read.
pub(super) const CHUNK: u64 = 64 << 10;

/// The body of an answer.
pub(crate) enum AssetBody {
    /// All of it, until it is taken.
    Memory(Option<Bytes>),
    /// A file that is read as it is sent.
    File(Box<Sending>),
}

/// An open file, and its place among those that may be open.
pub(super) struct Open {
    pub(super) file: Arc<File>,
    pub(super) version: Version,
    pub(super) _place: OwnedSemaphorePermit,
}

/// How slowly a client may take a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long, on top of what it takes at `bytes_per_s_min`.
    pub(super) wait_max: Duration,
    pub(super) bytes_per_s_min: u64,
}

/// A file on its way.
pub(crate) struct Sending {
    /// `None` once it is read, or was taken away.
    open: Arc<Mutex<Option<Open>>>,
    /// What is not yet handed out.
    left: Range<u64>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    sent: Arc<AtomicU64>,
    watch: AbortHandle,
}

impl AssetBody {
    pub(super) const EMPTY: Self = Self::Memory(None);

    /// Bytes of an open file.
    pub(super) fn file(open: Open, bytes: Range<u64>, pace: Pace) -> Self {
        let open = Arc::new(Mutex::new(Some(open)));
        let sent = Arc::new(AtomicU64::new(0));
        let watch = tokio::spawn(watch(Arc::downgrade(&open), Arc::clone(&sent), pace)).abort_handle();
        Self::File(Box::new(Sending { open, left: bytes, reading: None, sent, watch }))
    }

    pub(crate) fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        match self {
            Self::Memory(bytes) => Poll::Ready(bytes.take().map(Ok)),
            Self::File(sending) => sending.poll_chunk(context),
        }
    }

    /// Bytes left.
    pub(crate) fn left(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File(sending) => sending.left.end - sending.left.start,
        }
    }
}

impl Sending {
    fn poll_chunk(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let reading = match &mut self.reading {
            Some(reading) => reading,
            None => {
                let Some(reading) = self.read(self.left.start) else { return Poll::Ready(Some(late())) };
                self.reading.insert(reading)
            }
        };
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let chunk = match read.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Ok(chunk) => chunk,
            Err(error) => return Poll::Ready(Some(Err(error))),
        };
        self.left.start += chunk.len() as u64;
        self.sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if self.left.is_empty() {
            // Nobody waits for the last bytes to arrive to let another file be opened.
            *self.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
        } else {
            self.reading = self.read(self.left.start);
        }
        Poll::Ready(Some(Ok(chunk)))
    }

    /// Begins to read the chunk at `at`; `None` if the file was taken away.
    fn read(&self, at: u64) -> Option<JoinHandle<io::Result<Bytes>>> {
        let (file, version) = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            let open = open.as_ref()?;
            (Arc::clone(&open.file), open.version)
        };
        let length = CHUNK.min(self.left.end - at);
        let length = usize::try_from(length).expect("a chunk fits in memory");
        Some(tokio::task::spawn_blocking(move || {
            let mut chunk = BytesMut::zeroed(length);
            let read = file.read_exact_at(&mut chunk, at);
            // Half of one version and half of another would be neither.
            if Version::of(&file)? != version {
                return Err(io::Error::other("the file was written to while it was sent"));
            }
            read.map(|()| chunk.freeze())
        }))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn late<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::TimedOut, "the client took the file too slowly"))
}

/// Takes the file away from a client that takes it too slowly: such a client may poll never again, and
/// few at a time may have files open.
async fn watch(open: std::sync::Weak<Mutex<Option<Open>>>, sent: Arc<AtomicU64>, pace: Pace) {
    let began = Instant::now();
    loop {
        let earned = Duration::from_secs(sent.load(Ordering::Relaxed) / pace.bytes_per_s_min);
        let end = began + pace.wait_max + earned;
        if Instant::now() >= end {
            if let Some(open) = open.upgrade() {
                *open.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            return;
        }
        tokio::time::sleep_until(end).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::sync::Semaphore;

    const PACE: Pace = Pace { wait_max: Duration::from_secs(30), bytes_per_s_min: CHUNK / 10 };

    fn open(content: &[u8], places: &Arc<Semaphore>) -> (tempfile::NamedTempFile, Open) {
        let named = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(named.path(), content).unwrap();
        let file = Arc::new(File::open(named.path()).unwrap());
        let version = Version::of(&file).unwrap();
        let place = Arc::clone(places).try_acquire_owned().unwrap();
        (named, Open { file, version, _place: place })
    }

    async fn chunk(body: &mut AssetBody) -> Option<io::Result<Bytes>> {
        poll_fn(|context| body.poll_chunk(context)).await
    }

    #[tokio::test]
    async fn a_part_is_sent_in_chunks_and_then_the_file_is_closed() {
        let content: Vec<u8> = (0..CHUNK * 3).map(|at| (at % 251) as u8).collect();
        let places = Arc::new(Semaphore::new(1));
        let (_named, open) = open(&content, &places);
        let mut body = AssetBody::file(open, 10..CHUNK * 2 + 5, PACE);
        assert_eq!(places.available_permits(), 0);
        let mut sent = Vec::new();
        while let Some(chunk) = chunk(&mut body).await {
            sent.extend(chunk.unwrap());
            assert_eq!(body.left(), CHUNK * 2 - 5 - sent.len() as u64);
        }
        assert_eq!(sent, content[10..CHUNK as usize * 2 + 5]);
        assert_eq!(places.available_permits(), 1, "before the body is dropped");
    }

    #[tokio::test]
    async fn a_file_that_is_written_to_is_not_sent_on() {
        let places = Arc::new(Semaphore::new(1));
        let (named, open) = open(&vec![b'a'; CHUNK as usize * 4], &places);
        let mut body = AssetBody::file(open, 0..CHUNK * 4, PACE);
        chunk(&mut body).await.unwrap().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        std::fs::write(named.path(), vec![b'b'; CHUNK as usize * 4]).unwrap();
        // The second chunk may have been read before.
        let next = [chunk(&mut body).await, chunk(&mut body).await];
        assert!(next.into_iter().any(|chunk| chunk.unwrap().is_err()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_it_too_slowly_loses_it() {
        let places = Arc::new(Semaphore::new(1));
        let (_named, open) = open(&vec![0; CHUNK as usize * 10], &places);
        let mut body = AssetBody::file(open, 0..CHUNK * 10, PACE);
        // Thirty seconds, and ten for the chunk.
        chunk(&mut body).await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(39)).await;
        assert_eq!(places.available_permits(), 0);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(places.available_permits(), 1, "though the body is not polled");
        // What was read ahead is still sent.
        let next = [chunk(&mut body).await, chunk(&mut body).await];
        assert!(next.into_iter().any(|chunk| chunk.unwrap().is_err()));
    }
}
