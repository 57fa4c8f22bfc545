//! Threads that wait in [`tk_pool_worker`] for work: a fork and join over one lock.
//!
//! Smaller than rayon (which is 40 KB of a module) and enough: kernels share their work through a queue
//! of their own, so all that is needed is to run one closure on every thread that is there.
#![expect(unsafe_code, reason = "a worker runs a closure that lives on the stack of the thread that was called")]

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tombolo_kernels::Crew;

/// Threads that may wait at a time, the calling one not among them.
#[cfg(target_feature = "atomics")]
const WORKERS_MAX: usize = 63;

type Task = &'static (dyn Fn(usize) + Sync);

struct Pool {
    /// What is being done, while others may still join in.
    task: Option<Task>,
    /// Grows by one with each task, so that nobody takes one twice.
    task_number: u64,
    /// Workers that are at the task.
    at_work: usize,
    /// Ranks of workers that wait or work, one bit each; rank 0 is the caller's.
    ranks: u64,
    /// Grows with each [`tk_pool_stop`].
    stops: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { task: None, task_number: 0, at_work: 0, ranks: 1, stops: 0 });
/// There is a task, or the pool stops.
static CALL: Condvar = Condvar::new();
/// The last worker left the task.
static LEFT: Condvar = Condvar::new();

/// The calling thread and all that wait.
pub(crate) static CREW: Pooled = Pooled;

pub(crate) struct Pooled;

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait(condition: &Condvar, pool: MutexGuard<'static, Pool>) -> MutexGuard<'static, Pool> {
    condition.wait(pool).unwrap_or_else(PoisonError::into_inner)
}

impl Crew for Pooled {
    fn size(&self) -> usize {
        // The highest rank, not the count: a rank in between may have left.
        (u64::BITS - pool().ranks.leading_zeros()) as usize
    }

    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        let mut pool = self::pool();
        if pool.ranks == 1 || pool.task.is_some() {
            // Alone, or another thread was called too and has the workers: nothing waits for anything.
            drop(pool);
            return task(0);
        }
        // SAFETY: only the lifetime changes. This function does not return, and so what `task` borrows
        // lives, before `task` is taken away again and every worker that took it has left it.
        pool.task = Some(unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Task>(task) });
        pool.task_number += 1;
        CALL.notify_all();
        drop(pool);
        task(0);
        let mut pool = self::pool();
        pool.task = None;
        while pool.at_work > 0 {
            pool = wait(&LEFT, pool);
        }
    }
}

/// Makes the calling thread a worker until [`tk_pool_stop`]. Answers 0 then, or -1 at once if there are
/// too many.
#[cfg(target_feature = "atomics")]
#[unsafe(no_mangle)]
pub extern "C" fn tk_pool_worker() -> i32 {
    let mut pool = pool();
    let rank = pool.ranks.trailing_ones() as usize;
    if rank > WORKERS_MAX {
        return -1;
    }
    pool.ranks |= 1 << rank;
    let (mut done, stops) = (pool.task_number, pool.stops);
    while pool.stops == stops {
        match pool.task {
            Some(task) if pool.task_number != done => {
                done = pool.task_number;
                pool.at_work += 1;
                drop(pool);
                task(rank);
                pool = self::pool();
                pool.at_work -= 1;
                if pool.at_work == 0 {
                    LEFT.notify_one();
                }
            }
            _ => pool = wait(&CALL, pool),
        }
    }
    pool.ranks &= !(1 << rank);
    0
}

/// How many threads a kernel would use now, the calling one included.
#[unsafe(no_mangle)]
pub extern "C" fn tk_pool_size() -> u32 {
    pool().ranks.count_ones()
}

/// Sends all workers out of [`tk_pool_worker`]. More may come later.
#[unsafe(no_mangle)]
pub extern "C" fn tk_pool_stop() {
    pool().stops += 1;
    CALL.notify_all();
}
