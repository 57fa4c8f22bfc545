//! A folder of one test, and the program run in it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder that is gone after the test, with a cache of its own.
pub struct Sandbox {
    folder: tempfile::TempDir,
    program: PathBuf,
}

/// A program that ended.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said, with the sandbox's path as `[SANDBOX]`.
    pub stderr: String,
}

impl Sandbox {
    /// An empty folder for the program at `program`: a test passes `env!("CARGO_BIN_EXE_tombolo")`.
    pub fn new(program: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), program: program.into() }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where its cache is.
    pub fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// Writes a file, and the folders it is in.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// Copies a guest in, under a name.
    pub fn guest(&self, guest: &str, name: &str) -> PathBuf {
        self.file(name, fs::read(crate::guest(guest)).unwrap())
    }

    /// An app of one component: the guest `web`, with more lines for `[component.web]`.
    pub fn web_app(&self, lines: &str) -> PathBuf {
        self.guest("web", "web.wasm");
        let text = format!(
            "spin_manifest_version = 2\n[application]\nname = \"app\"\n[[trigger.http]]\nroute = \"/...\"\n\
             component = \"web\"\n[component.web]\nsource = \"web.wasm\"\n{lines}\n"
        );
        self.file("spin.toml", text)
    }

    /// The program with arguments, in this folder and with nothing of the tester's environment that
    /// could change what it does.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.path()).env("TOMBOLO_CACHE_DIR", self.cache());
        command
            .env_remove("RUST_BACKTRACE")
            .env_remove("TOMBOLO_LOG")
            .env_remove("TOMBOLO_NODE")
            .env_remove("TOMBOLO_TOKEN")
            .env("XDG_CONFIG_HOME", self.path().join("config"))
            .env("XDG_DATA_HOME", self.path().join("data"))
            .env("SANDBOX_SECRET", "not for guests");
        command
    }

    /// Runs the program to its end.
    pub fn tombolo(&self, arguments: &[&str]) -> Finished {
        self.tombolo_reading("", arguments)
    }

    /// Runs the program to its end with something to read.
    pub fn tombolo_reading(&self, input: &str, arguments: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // One that does not read is no failure of the one who writes.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| {
            String::from_utf8_lossy(&bytes).replace(&*self.path().to_string_lossy(), "[SANDBOX]")
        };
        Finished { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}
