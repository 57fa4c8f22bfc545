//! What an export answers, and what is told of the last error.

use std::cell::Cell;

use tombolo_kernels::KernelError;

/// 0, or what went wrong: -1 bad size, -2 bad number, -3 out of memory, -4 aborted, -5 invalid JSON,
/// -6 not an array of objects, -7 bad key, -9 unsupported.
pub(crate) type Status = i32;

/// A range that is not in the memory, not aligned, or overlaps another.
pub(crate) const BAD_RANGE: KernelError = KernelError::Size("a pointer and length are not a range of the memory");

thread_local! {
    /// Offset and reason of this thread's last error.
    static LAST: Cell<(u32, &'static str)> = const { Cell::new((0, "")) };
}

/// The status of a result; remembers an error.
pub(crate) fn status(result: Result<(), KernelError>) -> Status {
    let Err(error) = result else { return 0 };
    let (status, offset, reason) = match error {
        KernelError::Size(reason) => (-1, 0, reason),
        KernelError::Number(reason) => (-2, 0, reason),
        KernelError::OutOfMemory { .. } => (-3, 0, "out of memory"),
        KernelError::Aborted => (-4, 0, "aborted"),
        KernelError::Json { offset, reason } => (-5, offset, reason),
        KernelError::NotRows { offset, reason } => (-6, offset, reason),
        KernelError::Key(reason) => (-7, 0, reason),
    };
    LAST.set((u32::try_from(offset).unwrap_or(u32::MAX), reason));
    STATUS.set(status);
    status
}

thread_local! {
    static STATUS: Cell<Status> = const { Cell::new(0) };
}

/// The status of this thread's last error.
pub(crate) fn last_status() -> Status {
    STATUS.get()
}

/// Offset and reason of this thread's last error.
pub(crate) fn last() -> (u32, &'static str) {
    LAST.get()
}
