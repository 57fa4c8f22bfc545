//! PostgreSQL.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::process::{self, Server};

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
        process::owned("postgres", &folder);
        let init = process::as_user("postgres", &program("initdb"), &folder)
            .args(["--username", USER, "--auth", "scram-sha-256", "--encoding", "UTF8"])
            .args(["--locale", "C", "--no-sync", "--no-instructions"])
            .arg(format!("--pwfile={}", password.display()))
            .arg(&data)
            .output()
            .unwrap();
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        let root = encrypted.then(|| process::certificate(&data));
        process::owned("postgres", &folder);
        let (port, child) = process::on_a_port(|port| serve(&folder, &data, port, encrypted));
        Self { port, root, databases: AtomicUsize::new(0), _child: Mutex::new(child) }
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

/// Starts the server and waits until it takes connections; `None` if another has its port.
fn serve(folder: &Path, data: &Path, port: u16, encrypted: bool) -> Option<Child> {
    let mut arguments = vec!["-D".to_owned(), data.display().to_string()];
    for setting in [
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={port}"),
        format!("ssl={}", if encrypted { "on" } else { "off" }),
        "unix_socket_directories=".to_owned(),
        "fsync=off".to_owned(),
        "max_connections=200".to_owned(),
        "shared_buffers=16MB".to_owned(),
        "lc_messages=C".to_owned(),
    ] {
        arguments.extend(["-c".to_owned(), setting]);
    }
    process::serve(&Server {
        user: "postgres",
        folder,
        program: &program("postgres"),
        arguments: &arguments,
        ready: "ready to accept connections",
        taken: "could not bind",
    })
}
