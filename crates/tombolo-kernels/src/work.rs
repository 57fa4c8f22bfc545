//! Who computes, and who may stop it.
//!
//! A kernel cuts its work into parts; the threads of a [`Crew`] take one after another until none is
//! left. So a thread that is late, or was never started, costs time and nothing else. Between parts
//! the thread that was called, and no other, tells a [`Watch`] how far it is.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::KernelError;

/// Threads that do one thing together.
pub trait Crew: Sync {
    /// How many threads may come, the calling one included: at least one.
    fn size(&self) -> usize;

    /// Runs `task` on the calling thread, as rank 0, and on each other thread that is free, as ranks
    /// below [`Crew::size`], no rank twice at a time. Returns when all that began have ended.
    fn run(&self, task: &(dyn Fn(usize) + Sync));
}

/// A crew of the calling thread.
#[derive(Clone, Copy, Debug)]
pub struct Alone;

impl Crew for Alone {
    fn size(&self) -> usize {
        1
    }

    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        task(0);
    }
}

/// All threads of rayon's current pool, and the calling one.
#[cfg(feature = "rayon")]
#[derive(Clone, Copy, Debug)]
pub struct Rayon;

#[cfg(feature = "rayon")]
impl Crew for Rayon {
    fn size(&self) -> usize {
        rayon::current_num_threads()
    }

    fn run(&self, task: &(dyn Fn(usize) + Sync)) {
        rayon::in_place_scope(|scope| {
            for rank in 1..self.size() {
                scope.spawn(move |_| task(rank));
            }
            task(0);
        });
    }
}

/// Learns how far a kernel is, and may stop it.
pub trait Watch: Sync {
    /// `done` of `total` units are computed. Called at the start and every few milliseconds, on the calling
    /// thread only; `false` stops the kernel, which then answers [`KernelError::Aborted`].
    fn goes_on(&self, done: u32, total: u32) -> bool;
}

/// A watch that lets everything run to its end.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Watch for Silent {
    fn goes_on(&self, _done: u32, _total: u32) -> bool {
        true
    }
}

/// Who computes, and who watches.
#[derive(Clone, Copy)]
pub struct Work<'w> {
    /// The threads.
    pub crew: &'w dyn Crew,
    /// Told of progress.
    pub watch: &'w dyn Watch,
}

impl Work<'static> {
    /// The calling thread, unwatched.
    pub const ALONE: Self = Self { crew: &Alone, watch: &Silent };
}

impl Work<'_> {
    /// Asks the watch before anything is computed: what is to stop already begins nothing, however fast the
    /// other threads would be. The length is that of the whole work.
    pub(crate) fn begin(&self, total: usize) -> Result<(), KernelError> {
        let goes_on = self.watch.goes_on(0, total.try_into().unwrap_or(u32::MAX));
        if goes_on { Ok(()) } else { Err(KernelError::Aborted) }
    }

    /// Hands each of `parts` to a thread that is free. `each` tells by [`Turn::done`] how many of the
    /// `total` units it has computed, and stops when that answers with an error. Of several errors the
    /// first to happen is returned.
    pub(crate) fn share<P: Iterator + Send>(
        &self,
        total: u32,
        parts: P,
        each: impl Fn(&Turn<'_>, P::Item) -> Result<(), KernelError> + Sync,
    ) -> Result<(), KernelError> {
        let parts = Mutex::new(parts);
        self.drive(total, &|turn| {
            let part = locked(&parts).next()?;
            Some(each(turn, part))
        })
    }

    /// What is the same for all kinds of parts, and compiled once for them. `next` does one, or answers
    /// nothing if none is left.
    #[inline(never)]
    fn drive(
        &self,
        total: u32,
        next: &(dyn Fn(&Turn<'_>) -> Option<Result<(), KernelError>> + Sync),
    ) -> Result<(), KernelError> {
        let state = State {
            done: AtomicU32::new(0),
            total,
            stops: AtomicBool::new(false),
            at_work: Mutex::new(0),
            ended: Condvar::new(),
        };
        let failure = Mutex::new(None);
        let fail = |error| {
            locked(&failure).get_or_insert(error);
            state.stops.store(true, Ordering::Relaxed);
        };
        self.crew.run(&|rank| {
            let turn = Turn { rank, state: &state, watch: self.watch };
            while !state.stops.load(Ordering::Relaxed) {
                // Before a part is taken: who finds none left must see that this one is not ended.
                *locked(&state.at_work) += 1;
                let result = next(&turn);
                state.leave();
                match result {
                    Some(result) => result.unwrap_or_else(fail),
                    None => break,
                }
            }
            if rank == 0 {
                turn.watch_others().unwrap_or_else(fail);
            }
        });
        match locked(&failure).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

struct State {
    done: AtomicU32,
    total: u32,
    stops: AtomicBool,
    /// Threads that are at a part.
    at_work: Mutex<usize>,
    /// The last of them left.
    ended: Condvar,
}

impl State {
    fn leave(&self) {
        let mut at_work = locked(&self.at_work);
        *at_work -= 1;
        if *at_work == 0 {
            self.ended.notify_all();
        }
    }
}

/// How often the calling thread looks at the watch when it has nothing else to do.
const PAUSE: Duration = Duration::from_millis(2);

/// One thread's part in a piece of shared work.
pub(crate) struct Turn<'t> {
    rank: usize,
    state: &'t State,
    watch: &'t dyn Watch,
}

impl Turn<'_> {
    /// Adds `units` to what is done; an error if the work is to stop.
    pub(crate) fn done(&self, units: u32) -> Result<(), KernelError> {
        self.done_of(0, units)
    }

    /// As [`Turn::done`], in the later of several shares, before which `earlier` units were done.
    pub(crate) fn done_of(&self, earlier: usize, units: u32) -> Result<(), KernelError> {
        let done = self.state.done.fetch_add(units, Ordering::Relaxed).saturating_add(units);
        let done = done.saturating_add(u32::try_from(earlier).unwrap_or(u32::MAX));
        if self.rank == 0 && !self.watch.goes_on(done.min(self.state.total), self.state.total) {
            return Err(KernelError::Aborted);
        }
        match self.state.stops.load(Ordering::Relaxed) {
            true => Err(KernelError::Aborted),
            false => Ok(()),
        }
    }

    /// Waits for parts that other threads are at, and asks the watch meanwhile: at least once, as others
    /// may have done all of it.
    fn watch_others(&self) -> Result<(), KernelError> {
        loop {
            self.done(0)?;
            let at_work = locked(&self.state.at_work);
            if *at_work == 0 {
                return Ok(());
            }
            drop(self.state.ended.wait_timeout(at_work, PAUSE));
        }
    }
}

/// The lock. A panic elsewhere leaves nothing behind that could be seen half done: what the locks of
/// this crate guard is replaced whole.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
