//! Which threads the kernel gives the core first: those that serve, before those on which guests compute.

use std::cell::Cell;

/// As of `nice`, of threads on which guests compute. Beside threads that serve without a pause they get a tenth of a core.
pub(crate) const NICE: i32 = 10;

/// The longest slice there is: how long a guest has the core is for the engine's clock to say.
#[cfg(target_os = "linux")]
const COMPUTES_NS: u64 = 100_000_000;
/// The shortest there is.
#[cfg(target_os = "linux")]
const SERVES_NS: u64 = 100_000;

/// Guests compute on this thread. Where its priority cannot be lowered, parties have equal parts still.
pub(crate) fn computes() {
    // Of this thread alone, on Linux.
    let _ = rustix::process::setpriority_process(None, NICE);
    #[cfg(target_os = "linux")]
    ask_for_slice(NICE, COMPUTES_NS);
}

/// This thread serves: when it wakes, it is to have the core at once, whoever has it then. May be said each time it rests.
pub fn serves() {
    thread_local!(static IS_SAID: Cell<bool> = const { Cell::new(false) });
    if IS_SAID.replace(true) {
        return;
    }
    #[cfg(target_os = "linux")]
    {
        // It cannot be told to keep the one it has.
        let Ok(nice) = rustix::process::getpriority_process(None) else { return };
        ask_for_slice(nice, SERVES_NS);
    }
}

/// Since Linux 6.12 a thread that wakes takes the core at once from one whose slice is longer than its own. Else the
/// priority counts only at the end of the slice of 1 to 3 ms, which is what a request would wait. How short its own is also
/// tells how soon it is due where that rule does not hold, as after a move to another core. Before, the kernel does not
/// look at this.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no crate has this system call")]
fn ask_for_slice(nice: i32, slice_ns: u64) {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER.unsigned_abs(),
        // What is started from here is not to have the same: compilers, and threads for what takes long.
        sched_flags: libc::SCHED_FLAG_RESET_ON_FORK as u64,
        sched_nice: nice,
        sched_priority: 0,
        sched_runtime: slice_ns,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads as many bytes as the first field says, which are those of the structure; 0 is this
    // thread.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// What the kernel says of a thread: its `nice`, and its slice if it tells of slices.
    fn of_thread(told: fn()) -> (i32, Option<String>) {
        let thread = std::thread::spawn(move || {
            told();
            let nice = rustix::process::getpriority_process(None).expect("a thread has one");
            (nice, std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default())
        });
        let (nice, sched) = thread.join().expect("it ends");
        let slice = sched.lines().find_map(|line| line.strip_prefix("se.slice"));
        (nice, slice.map(|said| said.trim_start_matches([' ', ':']).to_owned()))
    }

    /// What computes for long is started from threads that serve: a short slice would have it interrupted all the time.
    #[test]
    fn what_is_started_from_a_thread_that_serves_has_slices_as_usual() {
        let of_another = || of_thread(|| {});
        let (_, usual) = of_another();
        let started = std::thread::spawn(move || {
            serves();
            of_another()
        });
        assert_eq!(started.join().unwrap().1, usual);
    }

    #[test]
    fn who_serves_has_short_slices_and_who_computes_long_ones_of_a_lower_priority() {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let version: Vec<u32> = release.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        let usual = rustix::process::getpriority_process(None).unwrap();
        for (told, nice, slice_ns) in [(serves as fn(), usual, SERVES_NS), (computes, NICE, COMPUTES_NS)] {
            let (is, slice) = of_thread(told);
            assert_eq!(is, nice);
            if slice.is_some() && version >= vec![6, 12] {
                assert_eq!(slice, Some(slice_ns.to_string()));
            }
        }
    }
}
