//! MariaDB, which is Debian's MySQL.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use super::process::{self, Server};

/// A server of this test process. It has a database for each test that asks.
pub struct MySql {
    port: u16,
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

impl MySql {
    /// The server, started for the first who asks.
    pub fn plain() -> &'static Self {
        static SERVER: OnceLock<MySql> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(false))
    }

    /// The server that encrypts for who asks it to, with a certificate that nobody trusts.
    pub fn encrypted() -> &'static Self {
        static SERVER: OnceLock<MySql> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(true))
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A new, empty database.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub fn database(&self) -> Database {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let database = Database { name: "mysql".to_owned(), port: self.port };
        database.run(&format!("CREATE DATABASE {name}"));
        Database { name, ..database }
    }

    fn start(encrypted: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("mariadb-").tempdir().unwrap().keep();
        let data = folder.join("data");
        let first =
            format!("CREATE USER {USER}@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {USER}@'%';\n");
        fs::write(folder.join("first.sql"), first).unwrap();
        process::owned("mysql", &folder);
        let install = process::as_user("mysql", Path::new("mariadb-install-db"), &folder)
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", data.display()))
            .output()
            .unwrap();
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
        if encrypted {
            process::certificate(&data);
            process::owned("mysql", &folder);
        }
        let (port, child) = process::on_a_port(|port| serve(&folder, port, encrypted));
        Self { port, databases: AtomicUsize::new(0), _child: Mutex::new(child) }
    }
}

impl Database {
    /// Its address, with more parameters: `ssl-mode=DISABLED`.
    pub fn url(&self, parameters: &str) -> String {
        let Self { name, port } = self;
        format!("mysql://{USER}:p%40ss%2Fword@127.0.0.1:{port}/{name}?{parameters}")
    }

    /// Runs a statement by MariaDB's own client, and returns what it prints.
    ///
    /// # Panics
    ///
    /// If it fails.
    pub fn run(&self, statement: &str) -> String {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "--batch", "--skip-column-names", "--host=127.0.0.1"]);
        client.args([format!("--port={}", self.port), format!("--user={USER}")]);
        client.args([format!("--password={PASSWORD}"), format!("--execute={statement}")]);
        let done = client.arg(&self.name).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
    }
}

/// Starts the server and waits until it takes connections; `None` if another has its port.
fn serve(folder: &Path, port: u16, encrypted: bool) -> Option<Child> {
    let at = |name: &str| folder.join(name).display().to_string();
    let mut arguments = vec![
        "--no-defaults".to_owned(),
        format!("--datadir={}", at("data")),
        format!("--socket={}", at("socket")),
        format!("--pid-file={}", at("pid")),
        format!("--init-file={}", at("first.sql")),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--port={port}"),
        "--skip-name-resolve".to_owned(),
        "--innodb-buffer-pool-size=16M".to_owned(),
        "--innodb-flush-log-at-trx-commit=0".to_owned(),
        "--max-connections=200".to_owned(),
    ];
    if encrypted {
        arguments.push(format!("--ssl-cert={}", at("data/server.crt")));
        arguments.push(format!("--ssl-key={}", at("data/server.key")));
    }
    process::serve(&Server {
        user: "mysql",
        folder,
        // Where users other than root do not look for programs.
        program: Path::new("/usr/sbin/mariadbd"),
        arguments: &arguments,
        ready: "ready for connections",
        taken: "Can't start server: Bind on TCP/IP port",
    })
}
