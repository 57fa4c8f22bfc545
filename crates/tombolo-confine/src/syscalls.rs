//! seccomp: the system calls that a server makes. Any other is refused with `EPERM`, as if this
//! user might not: nothing is killed, and what asked can go on without.
//!
//! Refused among others, whoever asks: to trace or read other processes, mount, change namespaces or
//! the root, load modules, kernels or BPF, measure, `io_uring`, `userfaultfd`, keys, handles instead
//! of paths, links but where a plan has them, and every socket but those of TCP and UDP. So nobody talks to the daemons of the
//! machine, whose sockets Landlock does not cover before ABI 9.

use std::collections::BTreeMap;

use libc::{c_long, *};
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::linux::Reach;
use crate::report::State;

/// Gives a file one more name, within the folders that Landlock says.
const LINK: &[c_long] = &[SYS_linkat];

pub(crate) fn filter(reach: Reach, links: bool) -> State {
    let more = if links { LINK } else { &[] };
    let put_up = |program: &BpfProgram| match reach {
        Reach::Process => seccompiler::apply_filter_all_threads(program),
        Reach::Thread => seccompiler::apply_filter(program),
    };
    let programs = match programs(more) {
        Ok(programs) => programs,
        Err(error) => return State::off(error),
    };
    match programs.iter().try_for_each(put_up) {
        Ok(()) => State::on(format!(
            "seccomp, {} calls allowed",
            GENERIC.len() + LEGACY.len() + partly().len() + more.len()
        )),
        Err(error) => State::off(error),
    }
}

/// Two filters, of which the kernel takes the stricter answer. `clone3` must answer `ENOSYS`: its flags
/// lie in memory, where no filter sees whether a namespace is asked for, and only so does the C library
/// fall back to `clone`, whose flags are seen.
fn programs(more: &[c_long]) -> Result<[BpfProgram; 2], BackendError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    let absent = BTreeMap::from([(SYS_clone3, Vec::new())]);
    let absent = SeccompFilter::new(
        absent,
        SeccompAction::Allow,
        SeccompAction::Errno(ENOSYS.unsigned_abs()),
        processor,
    )?;
    let whole = GENERIC.iter().chain(LEGACY).chain(more).map(|call| (*call, Vec::new()));
    let mut allowed: BTreeMap<c_long, Vec<SeccompRule>> = whole.collect();
    for Partly { call, whenever } in partly() {
        allowed.insert(call, whenever.iter().map(|when| rule(when)).collect::<Result<_, _>>()?);
    }
    let allowed = SeccompFilter::new(
        allowed,
        SeccompAction::Errno(EPERM.unsigned_abs()),
        SeccompAction::Allow,
        processor,
    )?;
    Ok([absent.try_into()?, allowed.try_into()?])
}

/// A call that is allowed for some values of its arguments: all of one of these.
struct Partly {
    call: c_long,
    whenever: Vec<Vec<(u8, Value)>>,
}

/// What an argument may be. The kernel reads 32 bits of each of these.
#[derive(Clone, Copy)]
enum Value {
    Is(u32),
    /// In the bits of `mask`, for flags may be beside it.
    IsMasked {
        mask: u32,
        value: u32,
    },
}

fn rule(arguments: &[(u8, Value)]) -> Result<SeccompRule, BackendError> {
    let condition = |(argument, value): &(u8, Value)| {
        let (compare, value) = match *value {
            Value::Is(value) => (SeccompCmpOp::Eq, value),
            Value::IsMasked { mask, value } => (SeccompCmpOp::MaskedEq(mask.into()), value),
        };
        SeccompCondition::new(*argument, SeccompCmpArgLen::Dword, compare, value.into())
    };
    SeccompRule::new(arguments.iter().map(condition).collect::<Result<_, _>>()?)
}

fn partly() -> [Partly; 6] {
    let is = |argument: u8, values: &[c_int]| {
        values.iter().map(|value| vec![(argument, Value::Is(value.cast_unsigned()))]).collect()
    };
    let namespaces = CLONE_NEWNS
        | CLONE_NEWCGROUP
        | CLONE_NEWUTS
        | CLONE_NEWIPC
        | CLONE_NEWUSER
        | CLONE_NEWPID
        | CLONE_NEWNET;
    let own = Value::IsMasked { mask: namespaces.cast_unsigned(), value: 0 };
    let options =
        [PR_SET_NAME, PR_GET_NAME, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, PR_SET_VMA, PR_GET_DUMPABLE];
    // The kind of a socket is in the lower four bits. No raw ones, which root may make.
    let kind = |kind: c_int| Value::IsMasked { mask: 0xf, value: kind.cast_unsigned() };
    let families = [AF_INET, AF_INET6].map(|family| Value::Is(family.cast_unsigned()));
    let internet = |family| [SOCK_STREAM, SOCK_DGRAM].map(|it| vec![(0, family), (1, kind(it))]);
    [
        // Threads and children, in our own namespaces.
        Partly { call: SYS_clone, whenever: vec![vec![(0, own)]] },
        // A terminal is asked what it is; nothing is typed into it. And the engine's scan of pages.
        Partly { call: SYS_ioctl, whenever: REQUESTS.iter().map(|it| vec![(1, Value::Is(*it))]).collect() },
        Partly { call: SYS_prctl, whenever: is(0, &options) },
        // Of itself.
        Partly { call: SYS_prlimit64, whenever: is(0, &[0]) },
        Partly { call: SYS_socket, whenever: families.into_iter().flat_map(internet).collect() },
        // Between threads of its own, for signals.
        Partly { call: SYS_socketpair, whenever: is(0, &[AF_UNIX]) },
    ]
}

/// `PAGEMAP_SCAN`, `TCGETS`, `TCGETS2`, `TIOCGWINSZ`, `FIONBIO`, `FIONREAD`, `FIOCLEX`: the same numbers
/// on both processors.
const REQUESTS: &[u32] = &[0xc060_6610, 0x5401, 0x802c_542a, 0x5413, 0x5421, 0x541b, 0x5451];

/// Calls of every processor.
#[rustfmt::skip]
const GENERIC: &[c_long] = &[
    // Memory.
    SYS_brk, SYS_madvise, SYS_memfd_create, SYS_mincore, SYS_mmap, SYS_mprotect, SYS_mremap, SYS_msync, SYS_munmap,
    // Threads and scheduling.
    SYS_exit, SYS_exit_group, SYS_futex, SYS_get_robust_list, SYS_getcpu, SYS_membarrier, SYS_restart_syscall,
    SYS_rseq, SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler, SYS_sched_setattr,
    SYS_sched_yield, SYS_set_robust_list, SYS_set_tid_address, SYS_setpriority, SYS_getpriority,
    // Signals.
    SYS_kill, SYS_rt_sigaction, SYS_rt_sigpending, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigsuspend,
    SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_tgkill, SYS_tkill,
    // Children. `clone3` is for the first filter to answer.
    SYS_clone3, SYS_execve, SYS_pidfd_open, SYS_pidfd_send_signal, SYS_setpgid, SYS_setsid, SYS_wait4, SYS_waitid,
    // Who and where.
    SYS_getcwd, SYS_getegid, SYS_geteuid, SYS_getgid, SYS_getpgid, SYS_getpid, SYS_getppid, SYS_getresgid,
    SYS_getresuid, SYS_getrlimit, SYS_getrusage, SYS_getsid, SYS_gettid, SYS_getuid, SYS_setrlimit, SYS_sysinfo,
    SYS_times, SYS_umask, SYS_uname,
    // Time and chance.
    SYS_clock_getres, SYS_clock_gettime, SYS_clock_nanosleep, SYS_getrandom, SYS_gettimeofday, SYS_nanosleep,
    // Waiting.
    SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd2, SYS_ppoll, SYS_pselect6,
    // Open files.
    SYS_close, SYS_close_range, SYS_copy_file_range, SYS_dup, SYS_dup3, SYS_fadvise64, SYS_fallocate, SYS_fcntl,
    SYS_fdatasync, SYS_flock, SYS_fstat, SYS_fstatfs, SYS_fsync, SYS_ftruncate, SYS_getdents64, SYS_lseek,
    SYS_pipe2, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_pwrite64, SYS_pwritev, SYS_pwritev2, SYS_read, SYS_readv,
    SYS_sendfile, SYS_splice, SYS_sync_file_range, SYS_write, SYS_writev,
    // Files by path: which ones is for Landlock to say.
    SYS_chdir, SYS_faccessat, SYS_faccessat2, SYS_fchdir, SYS_mkdirat, SYS_newfstatat, SYS_openat,
    SYS_openat2, SYS_readlinkat, SYS_renameat, SYS_renameat2, SYS_statfs, SYS_statx, SYS_unlinkat,
    // Sockets.
    SYS_accept, SYS_accept4, SYS_bind, SYS_connect, SYS_getpeername, SYS_getsockname, SYS_getsockopt, SYS_listen,
    SYS_recvfrom, SYS_recvmmsg, SYS_recvmsg, SYS_sendmmsg, SYS_sendmsg, SYS_sendto, SYS_setsockopt, SYS_shutdown,
    // More walls, for a child that needs still less.
    SYS_landlock_add_rule, SYS_landlock_create_ruleset, SYS_landlock_restrict_self, SYS_seccomp,
];

/// Calls that newer processors do without.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const LEGACY: &[c_long] = &[
    SYS_access, SYS_arch_prctl, SYS_dup2, SYS_epoll_create, SYS_epoll_wait, SYS_fork, SYS_getdents, SYS_getpgrp,
    SYS_lstat, SYS_mkdir, SYS_open, SYS_pipe, SYS_poll, SYS_readlink, SYS_rename, SYS_rmdir, SYS_select,
    SYS_stat, SYS_time, SYS_unlink, SYS_vfork,
];
#[cfg(not(target_arch = "x86_64"))]
const LEGACY: &[c_long] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filters_fit_into_what_the_kernel_takes() {
        // BPF_MAXINSNS.
        for program in programs(LINK).unwrap() {
            assert!(program.len() < 4096, "{} instructions", program.len());
        }
    }

    #[test]
    fn no_call_is_listed_twice() {
        let calls = GENERIC.iter().chain(LEGACY).chain(LINK).copied().chain(partly().map(|it| it.call));
        let all: Vec<c_long> = calls.collect();
        let mut once = all.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
