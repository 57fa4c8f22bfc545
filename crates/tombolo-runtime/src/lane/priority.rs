//! How low the priority of a thread is on which guests compute.

/// As of `nice`. Beside threads that serve without a pause they get a tenth of a core.
pub(super) const NICE: i32 = 10;

/// Lowers the priority of this thread. Where it cannot be lowered, parties have equal parts still.
pub(super) fn lower() {
    // Of this thread alone, on Linux.
    let _ = rustix::process::setpriority_process(None, NICE);
    #[cfg(target_os = "linux")]
    lengthen_slice();
}

/// Since Linux 6.12 a thread that wakes takes the core at once from one whose slice is longer than its own. Else the
/// priority counts only at the end of the slice of 1 to 3 ms, which is what a request would wait. Before, the kernel does
/// not look at this.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no crate has this system call")]
fn lengthen_slice() {
    /// The longest there is: how long a guest has the core is for the engine's clock to say.
    const SLICE_NS: u64 = 100_000_000;
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_OTHER.unsigned_abs(),
        sched_flags: 0,
        sched_nice: NICE,
        sched_priority: 0,
        sched_runtime: SLICE_NS,
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

    /// As the kernel says it, if it says it.
    #[test]
    fn a_thread_is_lowered_and_has_longer_slices_where_there_are_such() {
        let sched = std::thread::spawn(|| {
            lower();
            assert_eq!(rustix::process::getpriority_process(None).unwrap(), NICE);
            std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default()
        });
        let sched = sched.join().unwrap();
        let slice = sched.lines().find_map(|line| line.strip_prefix("se.slice"));
        let slice = slice.map(|said| said.trim_start_matches([' ', ':']).to_owned());
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let version: Vec<u32> = release.split(['.', '-']).map_while(|part| part.parse().ok()).collect();
        if slice.is_some() && version >= vec![6, 12] {
            assert_eq!(slice.as_deref(), Some("100000000"), "{sched}");
        }
    }
}
