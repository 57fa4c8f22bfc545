//! What a process may do with which files.

use std::path::PathBuf;

/// What a process may do with which files: nothing with any other. A folder stands for all in it.
///
/// A path that is not there, or may not be opened, grants nothing: what is to be written to has to
/// be made first. A path is followed now; a file that replaces it later is another file, unless its
/// folder was granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Read.
    pub read: Vec<PathBuf>,
    /// Read and written to; in a folder, files and folders made, renamed and removed.
    pub write: Vec<PathBuf>,
    /// Read and run.
    pub run: Vec<PathBuf>,
    /// Whether a file may be given one more name (hard links), within `write`.
    pub links: bool,
}

/// Settings of the system: names of hosts, certificates, the time zone. `/etc` whole, because its
/// files are replaced while we run (a laptop that changes networks), and a rule is for one file.
const SETTINGS: &[&str] = &[
    "/etc",
    "/usr/share/zoneinfo",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    // Where these are links, the rule is for what they lead to.
    "/etc/hosts",
    "/etc/resolv.conf",
    "/etc/nsswitch.conf",
    "/etc/localtime",
    "/etc/ssl/certs/ca-certificates.crt",
];
/// What the machine and this process are like. The engine scans `/proc/self/pagemap`; how many
/// processors we get is in `/sys`.
const MACHINE: &[&str] = &[
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/dev/random",
    "/dev/urandom",
    "/dev/zero",
];
/// A child's standard stream, and what the engine falls back to after a fork.
const SINK: &str = "/dev/null";

impl Plan {
    /// What this program needs to run, and to run itself as a child: settings, the machine, its own
    /// file and libraries. Nothing of a user's.
    pub fn program() -> Self {
        let mut read: Vec<PathBuf> = SETTINGS.iter().chain(MACHINE).map(PathBuf::from).collect();
        // Written anew by whoever manages the network, beside what `/etc/resolv.conf` leads to.
        let servers = std::fs::canonicalize("/etc/resolv.conf").ok();
        read.extend(servers.and_then(|file| Some(file.parent()?.to_owned())));
        let mut plan = Self { read, write: vec![SINK.into()], run: Vec::new(), links: false };
        plan.add_program();
        plan
    }

    #[cfg(target_os = "linux")]
    fn add_program(&mut self) {
        use crate::program;
        self.read.extend(program::libraries());
        self.run.push(program::FILE.into());
        self.run.extend(program::interpreter());
    }

    #[cfg(not(target_os = "linux"))]
    fn add_program(&mut self) {}
}
