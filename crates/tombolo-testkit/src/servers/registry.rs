//! A registry of OCI artefacts: Debian's `docker-registry`.

use std::process::{Child, Command, Stdio};

use super::process::{free_port, listens};

/// A registry of one test, stopped when dropped.
pub struct Registry {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Registry {
    /// An empty registry.
    pub fn start() -> Self {
        for _ in 0..5 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            let file = folder.path().join("registry.yml");
            let text = format!(
                "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
                 http:\n  addr: 127.0.0.1:{port}\n",
                folder.path().join("data").display()
            );
            std::fs::write(&file, text).unwrap();
            let mut command = Command::new("docker-registry");
            command.arg("serve").arg(&file).env_clear();
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let child = command.spawn().expect("`docker-registry` is installed: scripts/setup test");
            let mut registry = Self { child, port, _folder: folder };
            if listens(&mut registry.child, port) {
                return registry;
            }
        }
        panic!("no registry starts");
    }

    /// Where it is: a host with a port.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Stops it at once.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}
