use std::future::poll_fn;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;
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

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<i32> {
        if self.left == 0 {
            return Poll::Ready(rustix::process::getpriority_process(None).unwrap());
        }
        self.left -= 1;
        (self.each)();
        Poll::Pending
    }
}

fn take<W: Work>(lane: &Lane<W>, party: usize, work: W) -> Away<W> {
    match lane.take(work, Party(party), Waker::noop()) {
        Ok(away) => away,
        Err(_) => panic!("there is a thread for it"),
    }
}

async fn slice<W: Work>(mut away: Away<W>) -> Step<W> {
    timeout(SOON, poll_fn(|context| away.poll(context))).await.expect("the slice ends")
}

/// All its slices are in the lane.
async fn done<W: Work>(lane: &Lane<W>, party: usize, mut work: W) -> W::Output {
    loop {
        match slice(take(lane, party, work)).await {
            Step::Over(output) => return output,
            Step::Back(back) => work = back,
        }
    }
}

#[tokio::test]
async fn work_goes_on_behind_who_serves_and_no_more_at_once_than_there_are_threads() {
    let lane = Arc::new(Lane::new(2));
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let all: Vec<_> = (0..10)
        .map(|party| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let each = move || {
                most.fetch_max(running.fetch_add(1, SeqCst) + 1, SeqCst);
                thread::yield_now();
                running.fetch_sub(1, SeqCst);
            };
            let lane = Arc::clone(&lane);
            tokio::spawn(async move { done(&lane, party, Sliced { left: 200, each }).await })
        })
        .collect();
    let serving = rustix::process::getpriority_process(None).unwrap();
    for one in all {
        let nice = one.await.unwrap();
        assert!(nice == priority::NICE && nice > serving, "{nice}, {serving}");
    }
    assert!((1..=2).contains(&most.load(SeqCst)), "{most:?}");
    assert_eq!(lane.waiting(), 0);
}

/// What it begins in a slice is of the runtime it came from, and work that waits for that comes back.
#[tokio::test]
async fn work_that_waits_waits_where_it_came_from() {
    struct Waits(std::pin::Pin<Box<dyn Future<Output = u8> + Send>>);
    impl Work for Waits {
        type Output = u8;
        fn poll(&mut self, context: &mut Context<'_>) -> Poll<u8> {
            self.0.as_mut().poll(context)
        }
    }
    let lane = Lane::new(1);
    let waits = Box::pin(async {
        let begun = tokio::spawn(async { 7 });
        tokio::time::sleep(Duration::from_millis(5)).await;
        begun.await.unwrap()
    });
    let Step::Back(mut waits) = slice(take(&lane, 1, Waits(waits))).await else { panic!("it waits") };
    assert_eq!(timeout(SOON, poll_fn(|context| waits.poll(context))).await.expect("it is woken"), 7);
}

/// Its memory is given back: at once if it is not on a thread, else after its slice.
#[tokio::test]
async fn who_leaves_ends_the_work() {
    let lane = Lane::new(1);
    let held = Arc::new(());
    let endless = |left| {
        let held = Arc::clone(&held);
        let each = move || {
            assert!(Arc::strong_count(&held) > 0);
            thread::sleep(Duration::from_millis(30));
        };
        Sliced { left, each }
    };
    let away: Vec<_> = (0..4).map(|party| take(&lane, party, endless(u32::MAX))).collect();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(Arc::strong_count(&held) >= 5);
    drop(away);
    let freed = async {
        // The one of `endless`.
        while Arc::strong_count(&held) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, freed).await.expect("it has ended");
    // The thread is free for others.
    done(&lane, 1, endless(3)).await;
}

#[tokio::test]
async fn a_panic_is_that_of_the_one_who_waits_and_leaves_the_thread() {
    let lane = Arc::new(Lane::new(1));
    let bad = |is_bad: bool| Sliced { left: 1, each: move || assert!(!is_bad, "of the guest") };
    let waits = slice(take(&lane, 1, bad(true)));
    let panic = tokio::spawn(async move { _ = waits.await }).await.unwrap_err().into_panic();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"of the guest"));
    done(&lane, 1, bad(false)).await;
}

/// Each waits for the other in the midst of its slice; when they came, a thread waited for something to do.
#[tokio::test]
async fn there_are_as_many_threads_as_are_needed_at_once() {
    let lane = Lane::new(2);
    let work = |together: usize| {
        let barrier = Arc::new(Barrier::new(together));
        move |left| {
            let barrier = Arc::clone(&barrier);
            let each = move || _ = barrier.wait();
            Sliced { left, each }
        }
    };
    // It is done in its first slice, so nothing is ready while its thread is still busy.
    done(&lane, 0, work(1)(0)).await;
    let rests = || {
        let queue = lane.shared.lock();
        assert_eq!(queue.threads, 1, "one is enough for one");
        queue.idle == queue.threads
    };
    while !rests() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let together = work(2);
    tokio::join!(done(&lane, 1, together(3)), done(&lane, 2, together(3)));
}

/// With all services gone there is nothing for the threads to do.
#[tokio::test]
async fn threads_end_with_their_lane() {
    let lane = Lane::new(2);
    done(&lane, 0, Sliced { left: 1, each: || () }).await;
    let shared = Arc::downgrade(&lane.shared);
    drop(lane);
    let ended = async {
        while shared.strong_count() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(SOON, ended).await.expect("they have ended");
}
