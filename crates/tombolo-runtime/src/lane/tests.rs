use std::future::poll_fn;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_secs(20);

/// Work of so many slices, in each of which it does something.
struct Sliced<F> {
    left: u32,
    each: F,
}

impl<F: FnMut() + Send + 'static> Work for Sliced<F> {
    /// How nice the thread is that it ends on.
    type Output = i32;

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<i32> {
        if self.left == 0 {
            return Poll::Ready(rustix::process::getpriority_process(None).unwrap());
        }
        self.left -= 1;
        (self.each)();
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

async fn done<W: Work>(mut away: Away<W>) -> W::Output {
    timeout(SOON, poll_fn(|context| away.poll(context))).await.expect("it is done")
}

fn take<W: Work>(lane: &Lane<W>, party: usize, work: W) -> Away<W> {
    match lane.take(work, Party(party), Waker::noop()) {
        Ok(away) => away,
        Err(_) => panic!("there is a thread for it"),
    }
}

#[tokio::test]
async fn work_goes_on_behind_who_serves_and_no_more_at_once_than_there_are_threads() {
    let lane = Lane::new(2);
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let away: Vec<_> = (0..10)
        .map(|party| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let each = move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                running.fetch_sub(1, SeqCst);
            };
            take(&lane, party, Sliced { left: 200, each })
        })
        .collect();
    let serving = rustix::process::getpriority_process(None).unwrap();
    for away in away {
        let nice = done(away).await;
        assert!(nice == NICE && nice > serving, "{nice}, {serving}");
    }
    assert!((1..=2).contains(&most.load(SeqCst)), "{most:?}");
    assert_eq!(lane.waiting(), 0);
}

/// Its timers are those of the runtime it came from.
#[tokio::test]
async fn work_waits_as_on_the_runtime_it_came_from() {
    struct Waits(std::pin::Pin<Box<dyn Future<Output = u8> + Send>>);
    impl Work for Waits {
        type Output = u8;
        fn poll(&mut self, context: &mut Context<'_>) -> Poll<u8> {
            self.0.as_mut().poll(context)
        }
    }
    let lane = Lane::new(1);
    let waits = Box::pin(async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        tokio::spawn(async { 7 }).await.unwrap()
    });
    assert_eq!(done(take(&lane, 1, Waits(waits))).await, 7);
}

/// Its memory is given back: at once if it waits, after its slice if it is on a core.
#[tokio::test]
async fn who_leaves_ends_the_work() {
    let lane = Lane::new(1);
    let held = Arc::new(());
    let endless = |held: &Arc<()>| {
        let held = Arc::clone(held);
        let each = move || {
            assert!(Arc::strong_count(&held) > 0);
            thread::sleep(Duration::from_millis(30));
        };
        Sliced { left: u32::MAX, each }
    };
    let away: Vec<_> = (0..4).map(|party| take(&lane, party, endless(&held))).collect();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(Arc::strong_count(&held), 5);
    drop(away);
    let freed = async {
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, freed).await.expect("it has ended");
    // The thread is free for others.
    done(take(&lane, 1, endless(&held).shortened())).await;
}

impl<F> Sliced<F> {
    fn shortened(self) -> Self {
        Self { left: 3, ..self }
    }
}

/// Who looked in the midst of a slice would see a part of what it does, and another at another time.
#[tokio::test]
async fn nothing_is_to_be_looked_at_in_the_midst_of_a_slice_and_each_slice_is_asked_for() {
    let lane = Lane::new(1);
    let slices = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&slices);
    let each = move || {
        count.fetch_add(1, SeqCst);
        thread::sleep(Duration::from_millis(2));
        count.fetch_add(1, SeqCst);
    };
    let mut away = take(&lane, 1, Sliced { left: 5, each });
    let mut looked = Vec::new();
    let looks = poll_fn(|context| {
        let polled = away.poll(context);
        if polled.is_pending() && !away.is_busy() {
            looked.push(slices.load(SeqCst));
        }
        polled
    });
    timeout(SOON, looks).await.expect("it is done");
    assert_eq!(looked, [2, 4, 6, 8, 10], "once after each");

    let slices = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&slices);
    let lane = Lane::new(1);
    let away = take(&lane, 1, Sliced { left: 5, each: move || _ = count.fetch_add(1, SeqCst) });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(slices.load(SeqCst), 1, "nobody asked for another");
    drop(away);
}

/// To look at what it wrote wakes work that waits for that. Its slice comes before it is looked at again, as if it were
/// polled in place.
#[tokio::test]
async fn who_wakes_it_by_looking_looks_again_after_its_slice() {
    struct Waits(u32, Arc<Mutex<Option<Waker>>>);
    impl Work for Waits {
        type Output = ();
        fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
            *self.1.lock().unwrap() = Some(context.waker().clone());
            self.0 += 1;
            if self.0 > 3 { Poll::Ready(()) } else { Poll::Pending }
        }
    }
    let lane = Lane::new(1);
    let wakes = Arc::<Mutex<Option<Waker>>>::default();
    let mut away = take(&lane, 1, Waits(0, Arc::clone(&wakes)));
    let mut looked = 0;
    let looks = poll_fn(|context| {
        loop {
            match away.poll(context) {
                Poll::Ready(()) => return Poll::Ready(()),
                Poll::Pending if away.is_busy() => return Poll::Pending,
                Poll::Pending => {}
            }
            looked += 1;
            let Some(waker) = wakes.lock().unwrap().take() else { panic!("looked at twice") };
            waker.wake();
        }
    });
    timeout(SOON, looks).await.expect("it is done");
    assert_eq!(looked, 3, "once after each slice but the last");
}

/// Each waits for the other in the midst of its slice; when they came, a thread waited for something to do.
#[tokio::test]
async fn there_are_as_many_threads_as_are_needed_at_once() {
    let lane = Lane::new(2);
    let work = |barrier: usize| {
        let barrier = Arc::new(std::sync::Barrier::new(barrier));
        move |left| {
            let barrier = Arc::clone(&barrier);
            let each = move || _ = barrier.wait();
            Sliced { left, each }
        }
    };
    // It is done in its first slice, so nothing is ready while its thread is still busy.
    done(take(&lane, 0, work(1)(0))).await;
    let rests = || {
        let queue = lane.shared.lock();
        assert_eq!(queue.threads, 1, "one is enough for one");
        queue.idle == queue.threads
    };
    while !rests() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let together = work(2);
    let (one, other) = (take(&lane, 1, together(3)), take(&lane, 2, together(3)));
    tokio::join!(done(one), done(other));
}

#[tokio::test]
async fn a_panic_is_that_of_the_one_who_waits_and_leaves_the_thread() {
    let lane = Lane::new(1);
    let bad = |is_bad: bool| Sliced { left: 1, each: move || assert!(!is_bad, "of the guest") };
    let away = take(&lane, 1, bad(true));
    let panic = tokio::spawn(done(away)).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the guest"));
    done(take(&lane, 1, bad(false))).await;
}

/// With all services gone there is nothing for the threads to do.
#[tokio::test]
async fn threads_end_with_their_lane() {
    let lane = Lane::new(2);
    done(take(&lane, 1, Sliced { left: 1, each: || () })).await;
    let shared = Arc::downgrade(&lane.shared);
    drop(lane);
    let ended = async {
        while shared.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, ended).await.expect("they have ended");
}
