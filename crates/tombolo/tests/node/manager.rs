//! What a service manager is told, and the sockets it gives: systemd's protocols, without systemd. With it is
//! [`crate::systemd`].

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use tombolo_testkit::{Sandbox, Serving};

use crate::tls_client::{Client, Identity};
use crate::{done, sandbox, written};

/// A node that is told where its manager is, with a file to read again.
fn managed(sandbox: &Sandbox, socket: &str) -> Serving {
    let file = sandbox.file("node.toml", "listen = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n");
    let mut command = sandbox.command(&["serve", "--config", file.to_str().unwrap()]);
    command.env("NOTIFY_SOCKET", socket);
    Serving::spawn(command)
}

/// What the manager hears next.
fn heard(manager: &UnixDatagram) -> String {
    let mut message = [0; 1000];
    let length = manager.recv(&mut message).expect("a message");
    String::from_utf8(message[..length].to_vec()).unwrap()
}

fn waiting(manager: UnixDatagram) -> UnixDatagram {
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    manager
}

/// Behind the second wall, which refuses such sockets.
#[test]
fn a_manager_is_told_when_a_node_serves_reads_again_and_stops() {
    let sandbox = sandbox();
    let path = sandbox.path().join("notify");
    let manager = waiting(UnixDatagram::bind(&path).unwrap());
    let node = managed(&sandbox, path.to_str().unwrap());
    assert_eq!(heard(&manager), "READY=1\nSTATUS=Serving");

    for (text, status) in
        [("", "Serving"), ("wrong", "Serving as before: what was read again is wrong, see the log")]
    {
        sandbox.file("node.toml", text);
        node.up.signal("HUP");
        let reloading = heard(&manager);
        let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").expect(&reloading);
        assert!(since.parse::<u64>().unwrap() > 0);
        assert_eq!(heard(&manager), format!("READY=1\nSTATUS={status}"));
    }
    node.up.signal("TERM");
    assert_eq!(heard(&manager), "STOPPING=1\nSTATUS=Draining");
    assert!(node.up.wait().success());
}

#[test]
fn a_manager_s_socket_may_be_abstract_or_gone() {
    let sandbox = sandbox();
    let name = format!("tombolo-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = waiting(UnixDatagram::bind_addr(&address).unwrap());
    let node = managed(&sandbox, &format!("@{name}"));
    assert_eq!(heard(&manager), "READY=1\nSTATUS=Serving");
    drop(node);
    drop(manager);
    let node = managed(&sandbox, &format!("@{name}"));
    assert!(node.up.said("Listening").contains("cannot tell the service manager"), "and it serves");
}

/// A command whose process has these sockets as its descriptors from 3 on, under these names.
fn given(sandbox: &Sandbox, sockets: &[&TcpListener], names: &str, arguments: &[&str]) -> Command {
    let program = sandbox.command(arguments);
    let mut command = Command::new("sh");
    // Whom they are for is known once it runs.
    command
        .args(["-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""])
        .arg(program.get_program())
        .args(program.get_args());
    command
        .current_dir(sandbox.path())
        .envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("LISTEN_FDS", sockets.len().to_string()).env("LISTEN_FDNAMES", names);
    // Out of the way of those they become.
    let high = |socket: &&TcpListener| rustix::io::fcntl_dupfd_cloexec(socket, 100).unwrap();
    let high: Vec<OwnedFd> = sockets.iter().map(high).collect();
    let become_low = move || {
        for (low, high) in (3..).zip(&high) {
            #[expect(unsafe_code, reason = "numbers are all that a new process knows of its sockets")]
            // SAFETY: the process is new, and what had the number before is of no use to what it becomes.
            if unsafe { libc::dup2(high.as_raw_fd(), low) } < 0 {
                return Err(std::io::Error::last_os_error());
            }
        }
        Ok(())
    };
    #[expect(unsafe_code, reason = "the standard library has no other way to hand on descriptors")]
    // SAFETY: it makes system calls and nothing else.
    unsafe {
        command.pre_exec(become_low)
    };
    command
}

#[test]
fn a_node_serves_at_the_sockets_it_is_given() {
    let sandbox = sandbox();
    let free = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (control, https, http) = (free(), free(), free());
    Identity::of(&["shop.localhost"]).write(&sandbox, "shop");
    // Where it would listen without them nobody may.
    let elsewhere = "192.0.2.1:1";
    let arguments = ["serve", "--listen", elsewhere, "--control", elsewhere, "--tls-listen", elsewhere];
    let arguments = [&arguments[..], &["--tls-certificate", "shop.pem", "shop.key"]].concat();
    let node = Serving::spawn(given(&sandbox, &[&control, &https, &http], "control:https:http", &arguments));
    let at = |listener: &TcpListener| listener.local_addr().unwrap();
    assert_eq!((node.control, node.up.address(), node.tls_address()), (at(&control), at(&http), at(&https)));
    node.log_in(&sandbox);
    written(&sandbox, "one");
    done(&sandbox, &["deploy"]);
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
    let mut client = Client::connect(at(&https), "shop.localhost", &[b"http/1.1"]).unwrap();
    assert_eq!(client.get("shop.localhost", "/").body, "one");
    assert!(node.up.stop().success());

    // One socket is the public one, whatever it is called, and waits for the next node.
    let usual = ["serve", "--listen", elsewhere, "--control", "127.0.0.1:0"];
    let node = Serving::spawn(given(&sandbox, &[&http], "tombolo.socket", &usual));
    assert_eq!(node.up.address(), at(&http));
    assert_eq!(node.get("shop.localhost", "/").text(), "one");
}

/// What it starts is what the program understands, and it lets compiled code be run.
#[test]
fn the_unit_starts_a_node() {
    let unit = std::fs::read_to_string(tombolo_testkit::root().join("packaging/tombolo.service")).unwrap();
    let start = unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/tombolo ")).unwrap();
    let sandbox = sandbox();
    sandbox.file("etc/node.toml", "domain = \"apps.test\"\n");
    let start = start.replace("/etc/tombolo", "etc").replace("/var/lib/tombolo", "lib");
    let said = done(&sandbox, &[&start.split(' ').collect::<Vec<_>>()[..], &["--check"]].concat());
    assert!(said.contains("`etc/node.toml`") && said.contains("`lib`, to be made"), "{said}");
    assert!(unit.lines().all(|line| !line.starts_with("MemoryDenyWriteExecute")));
}

#[test]
fn a_socket_that_is_for_nothing_is_refused() {
    let sandbox = sandbox();
    let (one, other) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let usual = ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0"];
    for (names, expected) in [
        ("http:web", "socket 2 that was given is called `web`, expected `http`, `https` or `control`"),
        ("control:control", "two sockets that were given are called `control`"),
        ("http:https", "a socket for `https` was given, and there is no certificate"),
    ] {
        let output = given(&sandbox, &[&one, &other], names, &usual).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{said}");
    }
}
