//! Threads for guests that compute, so that those which do not are never behind them.
//!
//! Every guest begins on the task that waits for its answer, and most end there. One that computes for longer than most
//! has its slices here: on as many threads as there are cores, of a lower priority than those that serve. So the kernel
//! takes the core from it when a request comes, which no queue of tasks can do within a slice. Parties, those whose guests
//! are charged together, have equal parts of what these threads get, however many guests each has.

mod queue;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread;

use tokio::runtime::Handle;
use tombolo_capability::thread_ns;

use queue::Queue;

use crate::priority;

/// Who shares in equal parts with others: the address of what its guests have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Party(pub(crate) usize);

/// Work that may have slices here.
pub(crate) trait Work: Send + 'static {
    /// What it comes to.
    type Output: Send;
    /// Lets it go on for a slice.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Self::Output>;
}

/// What came of a slice.
pub(crate) enum Step<W: Work> {
    /// The work is over, and gone.
    Over(W::Output),
    /// It is not, and back. Nobody hears when it can go on: it is to be polled.
    Back(W),
}

/// The threads. They end when this is dropped.
pub(crate) struct Lane<W: Work> {
    shared: Arc<Shared<W>>,
}

struct Shared<W: Work> {
    queue: Mutex<Queue<Arc<Job<W>>>>,
    /// Something was put into the queue, or it was shut.
    more: Condvar,
    threads_max: usize,
}

/// Work that has a slice. Dropping it ends the work at once, or at the end of the slice.
pub(crate) struct Away<W: Work>(Arc<Job<W>>);

struct Job<W: Work> {
    state: Mutex<State<W>>,
    /// Whoever waits for the end of the slice.
    waker: Mutex<Waker>,
    party: Party,
    /// Where the timers and sockets of the work are.
    runtime: Handle,
}

enum State<W: Work> {
    Queued(W),
    /// On a thread.
    Runs,
    /// A panic is the work's.
    Ended(Result<Step<W>, Box<dyn Any + Send>>),
    /// Nobody waits for it any more.
    Left,
}

impl<W: Work> Lane<W> {
    /// A lane of at most so many threads. They are started when they are needed.
    pub(crate) fn new(threads_max: usize) -> Self {
        let queue = Mutex::new(Queue::default());
        Self { shared: Arc::new(Shared { queue, more: Condvar::new(), threads_max }) }
    }

    /// Guests that have more to compute and wait for a core.
    pub(crate) fn waiting(&self) -> u64 {
        self.shared.lock().waiting()
    }

    /// Gives `work` a slice. Whoever has `waker` is woken at its end.
    ///
    /// # Errors
    ///
    /// `work`, if there is no thread for it, or no runtime.
    pub(crate) fn take(&self, work: W, party: Party, waker: &Waker) -> Result<Away<W>, W> {
        let Ok(runtime) = Handle::try_current() else { return Err(work) };
        if !self.shared.is_staffed() {
            return Err(work);
        }
        let (state, waker) = (Mutex::new(State::Queued(work)), Mutex::new(waker.clone()));
        let job = Arc::new(Job { state, waker, party, runtime });
        self.shared.push(&job);
        Ok(Away(job))
    }
}

impl<W: Work> Drop for Lane<W> {
    fn drop(&mut self) {
        let left = self.shared.lock().shut();
        self.shared.more.notify_all();
        drop(left);
    }
}

impl<W: Work> Shared<W> {
    fn lock(&self) -> MutexGuard<'_, Queue<Arc<Job<W>>>> {
        lock(&self.queue)
    }

    /// Whether there is any thread; the first is started for this.
    fn is_staffed(self: &Arc<Self>) -> bool {
        let mut queue = self.lock();
        if queue.threads == 0 {
            self.start(&mut queue);
        }
        queue.threads > 0
    }

    fn start(self: &Arc<Self>, queue: &mut Queue<Arc<Job<W>>>) {
        let shared = Arc::clone(self);
        match thread::Builder::new().name("compute".to_owned()).spawn(move || shared.work()) {
            Ok(_) => (queue.threads, queue.idle) = (queue.threads + 1, queue.idle + 1),
            Err(error) => tracing::warn!("one thread less for guests that compute: {error}"),
        }
    }

    /// Has it go on. Where more are ready than threads wait for something, there is one thread more from then on.
    fn push(self: &Arc<Self>, job: &Arc<Job<W>>) {
        let mut queue = self.lock();
        let refused = queue.push(job.party, Arc::clone(job));
        if queue.waiting() > queue.idle as u64 && queue.threads < self.threads_max {
            self.start(&mut queue);
        }
        drop(queue);
        self.more.notify_one();
        drop(refused);
    }

    /// What each thread does.
    fn work(&self) {
        priority::computes();
        let mut queue = self.lock();
        queue.idle -= 1;
        while !queue.is_shut() {
            let Some((party, job)) = queue.next() else {
                queue.idle += 1;
                queue = self.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.idle -= 1;
                continue;
            };
            drop(queue);
            let began = thread_ns();
            job.run();
            drop(job);
            let used_ns = thread_ns().saturating_sub(began);
            queue = self.lock();
            queue.ran(party, used_ns);
        }
    }
}

impl<W: Work> Job<W> {
    /// The slice.
    fn run(&self) {
        let State::Queued(mut work) = self.replace(State::Runs) else { return };
        let _within = self.runtime.enter();
        let polled = catch_unwind(AssertUnwindSafe(|| {
            // Who is to be woken is told by whoever polls it next.
            match work.poll(&mut Context::from_waker(Waker::noop())) {
                // What it had is free again before anybody hears of its end.
                Poll::Ready(output) => {
                    drop(work);
                    Step::Over(output)
                }
                Poll::Pending => Step::Back(work),
            }
        }));
        let before = self.replace(State::Ended(polled));
        lock(&self.waker).wake_by_ref();
        drop(before);
    }

    /// The state before. Who left has left.
    fn replace(&self, next: State<W>) -> State<W> {
        let mut state = lock(&self.state);
        match *state {
            State::Left => next,
            _ => std::mem::replace(&mut *state, next),
        }
    }
}

impl<W: Work> Away<W> {
    /// What came of the slice. Not to be asked again then.
    ///
    /// # Panics
    ///
    /// If the work did.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Step<W>> {
        // First, so that an end from here on is heard of.
        lock(&self.0.waker).clone_from(context.waker());
        let mut state = lock(&self.0.state);
        if !matches!(*state, State::Ended(_)) {
            return Poll::Pending;
        }
        let State::Ended(polled) = std::mem::replace(&mut *state, State::Left) else { return Poll::Pending };
        drop(state);
        Poll::Ready(polled.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<W: Work> Drop for Away<W> {
    fn drop(&mut self) {
        // Dropped out of the lock: the work, if it is not on a thread.
        let before = self.0.replace(State::Left);
        drop(before);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
