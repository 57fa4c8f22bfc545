//! Threads for guests that compute, so that those which do not are never behind them.
//!
//! Every guest begins on the task that waits for its answer, and most end there. One that has used up a slice goes
//! on here: on as many threads as there are cores, of a lower priority than those that serve. So the kernel takes
//! the core from it when a request comes, which no queue of tasks can do within a slice. Parties, those whose guests
//! are charged together, have equal parts of what these threads get, however many guests each has.

mod queue;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tokio::runtime::Handle;
use tombolo_capability::thread_ns;

use queue::Queue;

/// How much lower the priority of these threads is, as of `nice`. Beside threads that serve without a pause they get
/// a tenth of a core.
const NICE: i32 = 10;

/// Who shares in equal parts with others: the address of what its guests have together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Party(pub(crate) usize);

/// Work that goes on here: polled, until it is done or nobody waits for it.
pub(crate) trait Work: Send + 'static {
    /// What it comes to.
    type Output: Send;
    /// Lets it go on for a slice.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Self::Output>;
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

/// One that is at work on a lane. Dropping it ends the work at once, or at the end of the present slice.
///
/// Whoever polls this sees what they would if they polled the work themselves: each slice is asked for by a poll, and
/// between it and its end nothing of the work is to be looked at ([`Self::is_busy`]). So work that nobody polls rests.
pub(crate) struct Away<W: Work> {
    job: Arc<Job<W>>,
    /// Whether what came of the last slice was not looked at yet.
    is_fresh: bool,
    /// Whether it was at a slice when it was polled last.
    is_busy: bool,
}

struct Job<W: Work> {
    /// `None` once it is done, or given up. Locked for a slice by whoever polls it.
    work: Mutex<Option<W>>,
    state: AtomicU8,
    /// Nobody waits for it any more.
    is_left: AtomicBool,
    front: Mutex<Front<W::Output>>,
    party: Party,
    /// Where its timers and sockets are.
    runtime: Handle,
    lane: Arc<Shared<W>>,
}

/// What the one who waits sees of it.
struct Front<T> {
    waker: Option<Waker>,
    outcome: Option<Result<T, Box<dyn Any + Send>>>,
}

/// It waits to be woken.
const RESTS: u8 = 0;
/// It was woken, and waits for whoever waits for it to ask for a slice.
const WOKEN: u8 = 1;
/// It is in the queue, or a thread polls it.
const BUSY: u8 = 2;
/// The same, and it was woken meanwhile.
const AGAIN: u8 = 3;

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

    /// Lets `work` go on here. Whoever has `waker` is woken when something may have come of it.
    ///
    /// # Errors
    ///
    /// `work`, if there is no thread for it, or no runtime.
    pub(crate) fn take(&self, work: W, party: Party, waker: &Waker) -> Result<Away<W>, W> {
        let Ok(runtime) = Handle::try_current() else { return Err(work) };
        if !self.shared.is_staffed() {
            return Err(work);
        }
        let job = Arc::new(Job {
            work: Mutex::new(Some(work)),
            state: AtomicU8::new(BUSY),
            is_left: AtomicBool::new(false),
            front: Mutex::new(Front { waker: Some(waker.clone()), outcome: None }),
            party,
            runtime,
            lane: Arc::clone(&self.shared),
        });
        self.shared.push(&job);
        Ok(Away { job, is_fresh: true, is_busy: true })
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
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
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
        // Of this thread alone, on Linux. Where it cannot be lowered, the parts are equal still.
        let _ = rustix::process::setpriority_process(None, NICE);
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
    /// One slice of it.
    fn run(self: &Arc<Self>) {
        // As when it was put into the queue: being woken from here on is being woken again.
        self.state.store(BUSY, SeqCst);
        let _within = self.runtime.enter();
        let waker = Waker::from(Arc::clone(self));
        let mut place = self.work();
        let Some(work) = &mut *place else { return };
        let polled = catch_unwind(AssertUnwindSafe(|| work.poll(&mut Context::from_waker(&waker))));
        let outcome = match polled {
            Ok(Poll::Pending) => None,
            Ok(Poll::Ready(output)) => Some(Ok(output)),
            Err(panic) => Some(Err(panic)),
        };
        if outcome.is_some() {
            // What it had is free again before anybody hears of its end.
            *place = None;
        }
        drop(place);
        if self.is_left.load(SeqCst) {
            *self.work() = None;
            return;
        }
        self.front().outcome = outcome;
        let over = |state| Some(if state == AGAIN { WOKEN } else { RESTS });
        let _ = self.state.fetch_update(SeqCst, SeqCst, over);
        self.tell();
    }

    /// Wakes whoever waits for it.
    fn tell(&self) {
        let waiting = self.front().waker.clone();
        waiting.inspect(Waker::wake_by_ref);
    }

    fn work(&self) -> MutexGuard<'_, Option<W>> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn front(&self) -> MutexGuard<'_, Front<W::Output>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Work> Wake for Job<W> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let next = |state| match state {
            RESTS => Some(WOKEN),
            BUSY => Some(AGAIN),
            _ => None,
        };
        if self.state.fetch_update(SeqCst, SeqCst, next) == Ok(RESTS) {
            self.tell();
        }
    }
}

impl<W: Work> Away<W> {
    /// What it came to, if it is over. If not, and it has something to do, this asks for its next slice, once what came
    /// of the last one was there to be looked at for one poll.
    ///
    /// # Panics
    ///
    /// If it did.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<W::Output> {
        // Read first: of a slice that is over by now, the outcome is there.
        let state = self.job.state.load(SeqCst);
        self.is_busy = state >= BUSY;
        let mut front = self.job.front();
        if front.waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            front.waker = Some(context.waker().clone());
        }
        match front.outcome.take() {
            Some(Ok(output)) => return Poll::Ready(output),
            Some(Err(panic)) => {
                drop(front);
                resume_unwind(panic)
            }
            None => drop(front),
        }
        if self.is_busy {
            return Poll::Pending;
        }
        let is_woken = state == WOKEN;
        if std::mem::take(&mut self.is_fresh) {
            // This poll is for looking. To look may wake it, which whoever looks hears of.
            if is_woken {
                context.waker().wake_by_ref();
            }
        } else if is_woken {
            (self.is_fresh, self.is_busy) = (true, true);
            self.job.state.store(BUSY, SeqCst);
            self.job.lane.push(&self.job);
        }
        Poll::Pending
    }

    /// Whether it was at a slice when it was polled last: in the midst of one nothing of it is to be looked at.
    pub(crate) fn is_busy(&self) -> bool {
        self.is_busy
    }
}

impl<W: Work> Drop for Away<W> {
    fn drop(&mut self) {
        // Who polls it now looks at this when the slice ends.
        self.job.is_left.store(true, SeqCst);
        let work = self.job.work.try_lock().ok().and_then(|mut work| work.take());
        drop(work);
    }
}

#[cfg(test)]
mod tests;
