//! Confines itself to a folder to read and one to write, and then attempts what it must not be able
//! to do, and what it must. A line for each: its name and `ok` or the number of the error.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use tombolo_confine::{Plan, State, confine};

/// `attempt READABLE WRITABLE FORBIDDEN`, three folders.
pub(crate) fn all(arguments: &[OsString]) -> io::Result<()> {
    let [readable, writable, forbidden] = arguments else { panic!("three folders") };
    let [readable, writable, forbidden] = [readable, writable, forbidden].map(Path::new);
    let daemon = std::os::unix::net::UnixListener::bind(forbidden.join("socket"))?;
    let mut plan = Plan::program();
    plan.read.push(readable.to_owned());
    plan.write.push(writable.to_owned());
    let report = confine(&plan);
    let mut out = io::stdout().lock();
    for (wall, state) in &report.walls {
        let (is_on, why) = match state {
            State::On { detail } => ("on", detail),
            State::Off { reason } => ("off", reason),
        };
        writeln!(out, "wall {}: {is_on} ({why})", wall.name())?;
    }
    let mut tell = |name: &str, result: io::Result<()>| match result {
        Ok(()) => writeln!(out, "{name}: ok"),
        Err(error) => writeln!(out, "{name}: {}", error.raw_os_error().unwrap_or(-1)),
    };
    files(readable, writable, forbidden, &mut tell)?;
    work(&mut tell)?;
    tell("daemon", UnixStream::connect(forbidden.join("socket")).map(drop))?;
    drop(daemon);
    for (name, number) in CALLS {
        tell(&format!("call {name}"), call(*number))?;
    }
    tell("call clone with a namespace", clone(libc::SYS_clone, libc::CLONE_NEWUSER))?;
    tell("call socket that is raw", socket(libc::AF_INET, libc::SOCK_RAW))?;
    tell("call socket of packets", socket(libc::AF_PACKET, libc::SOCK_RAW))?;
    tell("call socket of the kernel", socket(libc::AF_NETLINK, libc::SOCK_RAW))?;
    tell("call clone3", call(libc::SYS_clone3))?;
    tell("call ioctl that types", ioctl(libc::TIOCSTI))?;
    tell("call ioctl that asks", ioctl(libc::TIOCGWINSZ))
}

type Tell<'a> = dyn FnMut(&str, io::Result<()>) -> io::Result<()> + 'a;

fn files(readable: &Path, writable: &Path, forbidden: &Path, tell: &mut Tell<'_>) -> io::Result<()> {
    tell("read inside", fs::read(readable.join("file")).map(drop))?;
    tell("list inside", fs::read_dir(readable).map(drop))?;
    tell("write where one may read", fs::write(readable.join("new"), "x"))?;
    tell("read outside", fs::read(forbidden.join("file")).map(drop))?;
    tell("read outside by a link", fs::read(readable.join("link")).map(drop))?;
    tell("list outside", fs::read_dir(forbidden).map(drop))?;
    tell("write outside", fs::write(forbidden.join("new"), "x"))?;
    tell(
        "truncate outside",
        fs::File::options().write(true).truncate(true).open(forbidden.join("file")).map(drop),
    )?;
    tell("remove outside", fs::remove_file(forbidden.join("file")))?;
    tell("list /", fs::read_dir("/").map(drop))?;
    tell("read another's memory", fs::read("/proc/1/environ").map(drop))?;
    let (folder, file) = (writable.join("a/b"), writable.join("a/b/file"));
    tell("make folders", fs::create_dir_all(&folder))?;
    tell("write inside", fs::write(&file, "x"))?;
    tell("rename inside", fs::rename(&file, writable.join("moved")))?;
    tell("remove inside", fs::remove_dir_all(writable.join("a")))?;
    tell("make a socket inside", std::os::unix::net::UnixDatagram::bind(writable.join("s")).map(drop))
}

/// What a server does.
fn work(tell: &mut Tell<'_>) -> io::Result<()> {
    tell("start a thread", std::thread::Builder::new().spawn(|| ()).map(|thread| drop(thread.join())))?;
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.as_ref().map(TcpListener::local_addr);
    let connect = address.map(|address| address.and_then(TcpStream::connect));
    tell("listen and connect", connect.unwrap_or_else(|_| Err(io::ErrorKind::Other.into())).map(drop))?;
    tell("find a host", ("localhost", 80).to_socket_addrs().map(drop))?;
    tell("open the page map", fs::File::open("/proc/self/pagemap").map(drop))?;
    let run = |mut command: Command| command.arg("child").stdin(Stdio::null()).status();
    let own = run(Command::new("/proc/self/exe")).and_then(|status| match status.success() {
        true => Ok(()),
        false => Err(io::ErrorKind::Other.into()),
    });
    tell("run itself", own)?;
    tell("run another", run(Command::new("/bin/true")).map(drop))
}

/// What no server does. Without arguments that would do anything, were they allowed.
const CALLS: &[(&str, libc::c_long)] = &[
    ("ptrace", libc::SYS_ptrace),
    ("mount", libc::SYS_mount),
    ("unshare", libc::SYS_unshare),
    ("setns", libc::SYS_setns),
    ("bpf", libc::SYS_bpf),
    ("perf_event_open", libc::SYS_perf_event_open),
    ("kexec_load", libc::SYS_kexec_load),
    ("init_module", libc::SYS_init_module),
    ("finit_module", libc::SYS_finit_module),
    ("keyctl", libc::SYS_keyctl),
    ("process_vm_readv", libc::SYS_process_vm_readv),
    ("process_vm_writev", libc::SYS_process_vm_writev),
    ("pidfd_getfd", libc::SYS_pidfd_getfd),
    ("io_uring_setup", libc::SYS_io_uring_setup),
    ("userfaultfd", libc::SYS_userfaultfd),
    ("open_by_handle_at", libc::SYS_open_by_handle_at),
    ("chroot", libc::SYS_chroot),
    ("pivot_root", libc::SYS_pivot_root),
    ("swapon", libc::SYS_swapon),
    ("reboot", libc::SYS_reboot),
    ("utimensat", libc::SYS_utimensat),
    ("symlinkat", libc::SYS_symlinkat),
    ("linkat", libc::SYS_linkat),
    ("setxattr", libc::SYS_setxattr),
    ("setuid", libc::SYS_setuid),
    ("mknodat", libc::SYS_mknodat),
    ("fchmodat", libc::SYS_fchmodat),
    ("personality", libc::SYS_personality),
];

/// Makes a system call with arguments that are no addresses, so that the kernel, had it no filter,
/// would refuse it with another error than the filter's or do nothing.
fn call(number: libc::c_long) -> io::Result<()> {
    const NOWHERE: libc::c_long = -1;
    #[expect(unsafe_code, reason = "the standard library makes none of these calls")]
    // SAFETY: no argument is an address, and a number that is none names no object.
    let result = unsafe { libc::syscall(number, NOWHERE, NOWHERE, NOWHERE, NOWHERE, NOWHERE) };
    outcome(result)
}

fn clone(number: libc::c_long, flags: libc::c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library makes no namespaces")]
    // SAFETY: without `CLONE_VM` the child has memory of its own, and it ends at once.
    let result = unsafe {
        match libc::syscall(number, flags | libc::SIGCHLD, 0, 0, 0, 0) {
            0 => libc::_exit(0),
            result => result,
        }
    };
    outcome(result)
}

fn socket(family: libc::c_int, kind: libc::c_int) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library makes none of these sockets")]
    // SAFETY: no argument is an address.
    let result = unsafe { libc::socket(family, kind, 0) };
    outcome(result.into())
}

/// A request to standard input, without a place for an answer.
fn ioctl(request: libc::Ioctl) -> io::Result<()> {
    #[expect(unsafe_code, reason = "the standard library has no ioctl")]
    // SAFETY: the kernel checks the address, and there is none.
    let result = unsafe { libc::ioctl(0, request, std::ptr::null::<u8>()) };
    outcome(result.into())
}

fn outcome(result: libc::c_long) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
