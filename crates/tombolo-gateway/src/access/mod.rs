//! The access log: one line a request of a client, for whoever counts and bills.
//!
//! A line waits in a bounded queue for a thread that writes it: a disk that is slow holds up no request. What finds no
//! place is lost, counted, and said. Read in this order: [`AccessLog`], [`line`], [`Writer`](writer::Writer).

mod line;
mod writer;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use tombolo_model::access_log::{AccessLogConfig, AccessLogFormat};

pub(crate) use line::{Entry, Seen};
use writer::Writer;

/// Lines on their way.
const LINES_MAX: usize = 16_384;
/// Bytes of them: the head of a request, and so its line, may have 64 KiB.
const BYTES_MAX: usize = 16 << 20;
/// How long a disk may take to take what waits when a node stops, or to be opened again.
const ORDER_TIME_MAX: Duration = Duration::from_secs(5);

/// Where requests are written down. Cheap to clone; all clones are of one log.
#[derive(Clone, Debug)]
pub struct AccessLog {
    format: AccessLogFormat,
    orders: mpsc::Sender<Order>,
    queue: Arc<Queue>,
}

/// What waits, and what did not find a place.
#[derive(Debug, Default)]
struct Queue {
    bytes: AtomicUsize,
    lost: AtomicU64,
}

/// What the thread is to do, in the order in which it was said.
enum Order {
    Line(Vec<u8>),
    /// Open the file again, which may have been moved, and say how that went.
    Reopen(oneshot::Sender<io::Result<()>>),
    /// Say when all that came before is written.
    Finish(oneshot::Sender<()>),
}

impl AccessLog {
    /// Opens the log, and starts the thread that writes it.
    ///
    /// # Errors
    ///
    /// If its file cannot be opened.
    pub fn open(config: &AccessLogConfig) -> io::Result<Self> {
        let writer = Writer::open(&config.to)?;
        let (orders, ordered) = mpsc::channel(LINES_MAX);
        let queue = Arc::<Queue>::default();
        let its = Arc::clone(&queue);
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || run(writer, ordered, &its))?;
        Ok(Self { format: config.format, orders, queue })
    }

    /// Hands a line over, if there is a place for it.
    fn keep(&self, line: Vec<u8>) {
        let bytes = line.len();
        let before = self.queue.bytes.fetch_add(bytes, Relaxed);
        if before > BYTES_MAX || self.orders.try_send(Order::Line(line)).is_err() {
            self.queue.bytes.fetch_sub(bytes, Relaxed);
            self.queue.lost.fetch_add(1, Relaxed);
        }
    }

    /// Opens the file again by its name: whoever rotates logs has moved the one that is open. If it cannot be opened,
    /// the log goes on in the old one.
    ///
    /// # Errors
    ///
    /// Why not.
    pub async fn reopen(&self) -> io::Result<()> {
        let (done, is_done) = oneshot::channel();
        let order = async {
            let gone = || io::Error::other("it is not written any more");
            self.orders.send(Order::Reopen(done)).await.map_err(|_| gone())?;
            is_done.await.map_err(|_| gone())?
        };
        timeout(ORDER_TIME_MAX, order).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Waits until all requests that ended are written down, or the disk has had its time.
    pub async fn finish(&self) {
        let (done, is_done) = oneshot::channel();
        let order = async {
            // One that cannot be told has ended.
            let _ = self.orders.send(Order::Finish(done)).await;
            let _ = is_done.await;
        };
        let _ = timeout(ORDER_TIME_MAX, order).await;
    }
}

fn run(mut writer: Writer, mut orders: mpsc::Receiver<Order>, queue: &Queue) {
    while let Some(first) = orders.blocking_recv() {
        // All that is there goes out in as few writes as it takes.
        for order in std::iter::successors(Some(first), |_| orders.try_recv().ok()) {
            writer.lost(queue.lost.swap(0, Relaxed));
            match order {
                Order::Line(line) => {
                    queue.bytes.fetch_sub(line.len(), Relaxed);
                    writer.add(&line);
                }
                Order::Reopen(done) => {
                    writer.write();
                    let _ = done.send(writer.reopen());
                }
                Order::Finish(done) => {
                    writer.write();
                    writer.say_lost();
                    let _ = done.send(());
                }
            }
        }
        writer.write();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tombolo_model::access_log::AccessLogTo;

    use super::*;

    fn log(file: &Path) -> AccessLog {
        let config =
            AccessLogConfig { to: AccessLogTo::File(file.into()), format: AccessLogFormat::Combined };
        AccessLog::open(&config).unwrap()
    }

    #[tokio::test]
    async fn every_line_is_written_in_its_order() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("access.log");
        let log = log(&file);
        let mut expected = String::new();
        for number in 0..5000 {
            let line = format!("line {number}\n");
            log.keep(line.clone().into_bytes());
            expected += &line;
        }
        log.finish().await;
        assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        assert_eq!(log.queue.bytes.load(Relaxed), 0);
    }

    /// As logrotate does it: the file is moved, then the node is told.
    #[tokio::test]
    async fn a_file_that_was_moved_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (file, moved) = (folder.path().join("access.log"), folder.path().join("access.log.1"));
        let log = log(&file);
        log.keep(b"before\n".to_vec());
        log.finish().await;
        fs::rename(&file, &moved).unwrap();
        log.keep(b"meanwhile\n".to_vec());
        log.reopen().await.unwrap();
        log.keep(b"after\n".to_vec());
        log.finish().await;
        assert_eq!(fs::read_to_string(&moved).unwrap(), "before\nmeanwhile\n");
        assert_eq!(fs::read_to_string(&file).unwrap(), "after\n");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_again_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let within = folder.path().join("logs");
        fs::create_dir(&within).unwrap();
        let (file, moved) = (within.join("access.log"), folder.path().join("moved.log"));
        let log = log(&file);
        fs::rename(&file, &moved).unwrap();
        fs::remove_dir(&within).unwrap();
        assert!(log.reopen().await.is_err());
        log.keep(b"still\n".to_vec());
        log.finish().await;
        assert_eq!(fs::read_to_string(&moved).unwrap(), "still\n");
    }

    /// Nobody reads what is written: requests go on, and what is lost is counted.
    #[tokio::test]
    async fn a_disk_that_takes_nothing_holds_nothing_up() {
        let (orders, _nobody) = mpsc::channel(LINES_MAX);
        let log = AccessLog { format: AccessLogFormat::Json, orders, queue: Arc::default() };
        let line = vec![b'x'; 100];
        for _ in 0..LINES_MAX + 10 {
            log.keep(line.clone());
        }
        assert_eq!(log.queue.lost.load(Relaxed), 10);
        assert_eq!(log.queue.bytes.load(Relaxed), LINES_MAX * 100);

        let (orders, _nobody) = mpsc::channel(LINES_MAX);
        let log = AccessLog { format: AccessLogFormat::Json, orders, queue: Arc::default() };
        for _ in 0..1000 {
            log.keep(vec![b'x'; 64 << 10]);
        }
        let bytes = log.queue.bytes.load(Relaxed);
        assert!(bytes <= BYTES_MAX + (64 << 10), "{bytes} bytes wait");
        assert!(log.queue.lost.load(Relaxed) > 700);
    }
}
