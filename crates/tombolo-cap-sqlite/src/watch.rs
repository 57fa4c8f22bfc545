//! Ends statements whose guest is gone or has had all its time, while SQLite runs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;
use rustix::time::{ClockId, clock_gettime};
use tombolo_capability::Meter;

/// Instructions of SQLite between two looks: some tens of microseconds.
const LOOK_INSTRUCTIONS: i32 = 5000;
/// How long a statement waits for another that writes, as in Spin.
const BUSY_TIME_MAX: Duration = Duration::from_secs(5);
/// Between two tries to write.
const BUSY_PAUSE: Duration = Duration::from_millis(1);

/// For whom the connection works now.
#[derive(Default)]
pub(crate) struct Watch(Mutex<Option<Charged>>);

struct Charged {
    stop: Arc<AtomicBool>,
    meter: Arc<Meter>,
    /// The thread's time up to which the meter was charged.
    seen: Duration,
}

impl Watch {
    /// Lets the connection ask.
    pub(crate) fn attach(self: &Arc<Self>, connection: &mut Connection) -> rusqlite::Result<()> {
        let watch = Arc::clone(self);
        connection.progress_handler(LOOK_INSTRUCTIONS, Some(move || watch.is_over()))?;
        let watch = Arc::clone(self);
        connection.busy_handler(Some(move |tries: i32| {
            std::thread::sleep(BUSY_PAUSE);
            // Tries begin at 0 and each takes at least the pause.
            u128::from(tries.unsigned_abs()) < BUSY_TIME_MAX.as_millis() / BUSY_PAUSE.as_millis()
                && !watch.is_over()
        }))
    }

    /// From now on the thread works for this guest.
    pub(crate) fn begin(&self, stop: &Arc<AtomicBool>, meter: &Arc<Meter>) {
        let charged = Charged { stop: Arc::clone(stop), meter: Arc::clone(meter), seen: thread_time() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(charged);
    }

    /// Charges what the thread used since it was last asked.
    pub(crate) fn settle(&self) {
        let _ = self.is_over();
    }

    /// The thread waited and works again: its clock stood still, so nothing is charged.
    pub(crate) fn clear(&self) {
        self.settle();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn is_over(&self) -> bool {
        let mut charged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(charged) = &mut *charged else { return false };
        let now = thread_time();
        let worked = charged.meter.worked_elsewhere(now.saturating_sub(charged.seen));
        charged.seen = now;
        worked.is_err() || charged.stop.load(Ordering::Relaxed)
    }
}

fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
