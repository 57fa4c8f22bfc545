//! Starting servers, and ending them with the test process.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How a server is started.
pub(crate) struct Server<'a> {
    /// Whom it runs as, if the test is root: servers refuse to be.
    pub(crate) user: &'a str,
    /// Gone when the server is.
    pub(crate) folder: &'a Path,
    pub(crate) program: &'a Path,
    pub(crate) arguments: &'a [String],
    /// What it says when it takes connections.
    pub(crate) ready: &'a str,
    /// What it says when another has its port.
    pub(crate) taken: &'a str,
}

/// Runs the server until whoever started it closes its standard input, by intention or by ending, and then
/// leaves nothing behind.
const WATCHED: &str = r#"
folder=$1; shift
"$@" & server=$!
read -r _
kill -QUIT $server 2>/dev/null
( sleep 1; kill -KILL $server ) 2>/dev/null & impatient=$!
wait $server
kill $impatient 2>/dev/null
rm -rf "$folder"
"#;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command as the user that the server may be.
pub(crate) fn as_user(user: &str, program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

/// Makes a folder that user's.
pub(crate) fn owned(user: &str, folder: &Path) {
    if is_root() {
        let done = Command::new("chown").args(["-R", &format!("{user}:")]).arg(folder).status();
        assert!(done.unwrap().success());
    }
}

/// A port nobody listens at. Another process may take it before the server does: then it is started anew.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until `child` takes connections at `port`; false if it has ended before that.
pub(crate) fn listens(child: &mut Child, port: u16) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < until, "waited for the server on port {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Serves on a port that was free a moment ago; should another take it meanwhile, the next is tried.
pub(crate) fn on_a_port(mut serve: impl FnMut(u16) -> Option<Child>) -> (u16, Child) {
    loop {
        let port = free_port();
        if let Some(child) = serve(port) {
            return (port, child);
        }
    }
}

/// Starts the server and waits until it takes connections; `None` if another has its port.
#[expect(clippy::zombie_processes, reason = "whoever has it ends it by ending")]
pub(crate) fn serve(server: &Server<'_>) -> Option<Child> {
    let mut command = as_user(server.user, Path::new("sh"), server.folder);
    command.args(["-c", WATCHED, "sh"]).arg(server.folder).arg(server.program).args(server.arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let (said, heard) = mpsc::sync_channel(100);
    std::thread::spawn(move || {
        for line in lines {
            // Nobody listens once it is ready; it is read on, or the server would wait for a reader.
            let _ = said.send(line);
        }
    });
    let mut all = String::new();
    loop {
        let line = heard.recv_timeout(Duration::from_secs(60));
        let line =
            line.unwrap_or_else(|_| panic!("{} does not start; it said:\n{all}", server.program.display()));
        if line.contains(server.ready) {
            return Some(child);
        }
        if line.contains(server.taken) {
            drop(child.stdin.take());
            let _ = child.wait();
            return None;
        }
        all.push_str(&(line + "\n"));
    }
}

/// Makes a certificate for `localhost` and 127.0.0.1, puts it where the server looks, and returns its issuer's.
pub(crate) fn certificate(data: &Path) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = root.self_signed(&key).unwrap();
    let signer = rcgen::Issuer::new(root, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let own = rcgen::CertificateParams::new(names).unwrap().signed_by(&key, &signer).unwrap();
    fs::write(data.join("server.crt"), own.pem()).unwrap();
    fs::write(data.join("server.key"), key.serialize_pem()).unwrap();
    fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    issuer.pem()
}
