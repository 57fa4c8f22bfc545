//! Guests that compute do so aside, so that no thread that serves others is held for a slice.

use tokio::runtime::{Handle, RuntimeFlavor};
use tombolo_capability::Meter;

/// Polls a guest. While one has a whole slice ahead of it, another thread takes over what this worker of the runtime
/// has to do beside: its tasks and the events it waits for. So who is new is not behind the slice in a queue, but has
/// a thread that slept, and the kernel lets such a one go before one that computes. Handing over costs some
/// microseconds, once in a slice.
pub(crate) fn poll<T>(meter: &Meter, poll: impl FnOnce() -> T) -> T {
    if meter.would_compute() && has_workers() { tokio::task::block_in_place(poll) } else { poll() }
}

/// A runtime of one thread has nobody to hand over to.
fn has_workers() -> bool {
    Handle::try_current().is_ok_and(|handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread)
}
