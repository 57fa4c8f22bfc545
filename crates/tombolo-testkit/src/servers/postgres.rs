//! PostgreSQL.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::Duration;

/// A server of this test process. It has a database for each test that asks.
pub struct Postgres {
    port: u16,
    /// The certificate that its own was issued by, if it encrypts.
    root: Option<String>,
    databases: AtomicUsize,
    /// Ends the server once this process is gone.
    _child: Mutex<Child>,
}

/// A database of one test.
pub struct Database {
    /// Its name.
    pub name: String,
    port: u16,
}

/// The one user, and its password.
const USER: &str = "guest";
const PASSWORD: &str = "p@ss/word";

/// Runs the server until whoever started it closes its standard input, by intention or by ending, and then
/// leaves nothing behind.
const WATCHED: &str = r#"
folder=$1; shift
"$@" & server=$!
read -r _
kill -QUIT $server
wait $server
rm -rf "$folder"
"#;

impl Postgres {
    /// The server without encryption, started for the first who asks.
    pub fn plain() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(false))
    }

    /// The server that encrypts for who asks it to, as `localhost`.
    pub fn encrypted() -> &'static Self {
        static SERVER: OnceLock<Postgres> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(true))
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate that its own was issued by, in PEM form.
    ///
    /// # Panics
    ///
    /// If it does not encrypt.
    pub fn root(&self) -> &str {
        self.root.as_deref().unwrap()
    }

    /// A new, empty database.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let database = Database { name: "postgres".to_owned(), port: self.port };
        database.run(&format!("CREATE DATABASE {name}"));
        Database { name, ..database }
    }

    fn start(encrypted: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().unwrap().keep();
        let data = folder.join("data");
        let password = folder.join("password");
        fs::write(&password, PASSWORD).unwrap();
        owned(&folder);
        let init = as_user(&program("initdb"), &folder)
            .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
            .args(["--locale", "C", "--no-sync", "--no-instructions"])
            .arg(format!("--pwfile={}", password.display()))
            .arg(&data)
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let root = encrypted.then(|| certificate(&data));
        owned(&folder);
        loop {
            // Free a moment ago; should another take it meanwhile, the next is tried.
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if let Some(child) = serve(&folder, &data, port, encrypted) {
                return Self { port, root, databases: AtomicUsize::new(0), _child: Mutex::new(child) };
            }
        }
    }
}

impl Database {
    /// Its address, with more parameters: `sslmode=disable`.
    pub fn url(&self, parameters: &str) -> String {
        let Self { name, port } = self;
        format!("postgres://{USER}:p%40ss%2Fword@127.0.0.1:{port}/{name}?{parameters}")
    }

    /// The same as `key=value` pairs, for a host of the test's choice.
    pub fn pairs(&self, host: &str) -> String {
        let Self { name, port } = self;
        format!("host={host} port={port} user={USER} password='{PASSWORD}' dbname={name}")
    }

    /// Runs a statement by PostgreSQL's own client, and returns what it prints.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run(&self, statement: &str) -> String {
        self.run_over("", statement)
    }

    /// The same over a connection with more parameters.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run_over(&self, parameters: &str, statement: &str) -> String {
        let mut client = Command::new(program("psql"));
        client.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1"]);
        let done = client.args(["--command", statement, &self.url(parameters)]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }
}

/// A program of the newest version there is.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").expect("scripts/setup test installs it");
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|version| version.unwrap().path()).max_by_key(number);
    newest.unwrap().join("bin").join(name)
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A command as the user that the server may be: it refuses to be root.
fn as_user(program: &Path, folder: &Path) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(folder).env("LC_ALL", "C");
    command
}

/// Makes a folder that user's.
fn owned(folder: &Path) {
    if is_root() {
        assert!(Command::new("chown").args(["-R", "postgres:"]).arg(folder).status().unwrap().success());
    }
}

#[expect(clippy::zombie_processes, reason = "whoever has it ends it by ending")]
/// Starts the server and waits until it takes connections; `None` if another has its port.
fn serve(folder: &Path, data: &Path, port: u16, encrypted: bool) -> Option<Child> {
    let mut command = as_user(Path::new("sh"), folder);
    command.args(["-c", WATCHED, "sh"]).arg(folder).arg(program("postgres")).arg("-D").arg(data);
    let settings = [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("ssl={}", if encrypted { "on" } else { "off" }),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "max_connections=200".to_owned(),
        "shared_buffers=16MB".to_owned(),
        "lc_messages=C".to_owned(),
    ];
    for setting in settings {
        command.args(["-c", &setting]);
    }
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
        let line = line.unwrap_or_else(|_| panic!("PostgreSQL does not start; it said:\n{all}"));
        if line.contains("ready to accept connections") {
            return Some(child);
        }
        if line.contains("could not bind") {
            drop(child.stdin.take());
            let _ = child.wait();
            return None;
        }
        all.push_str(&(line + "\n"));
    }
}

/// Makes a certificate for `localhost` and 127.0.0.1, puts it where the server looks, and returns its issuer's.
fn certificate(data: &Path) -> String {
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
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(data.join("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    issuer.pem()
}
