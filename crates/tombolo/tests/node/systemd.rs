//! A node under systemd, by the commands that docs/node.md shows: a system of its own, in namespaces, on this
//! one's files. What it writes stays in memory, and is gone with it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use tombolo_testkit::root;

use crate::sandbox;

/// How long anything may take that systemd does.
const SOON: Duration = Duration::from_secs(60);

/// Starts systemd as the first process of a system that has nothing else to start. `$1` is a folder with an empty one,
/// `private`; it is `/run/sandbox` there.
const BOOT: &str = r#"
set -eu
cd "$1"
mount -t tmpfs tmpfs private
for folder in etc usr var; do
  own="$1/private/$folder"
  mkdir -p "$own/upper" "$own/work"
  mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$own/upper,workdir=$own/work" "/$folder"
done
mount -t tmpfs tmpfs /run
mkdir /run/sandbox
mount --bind "$1" /run/sandbox
mount -t tmpfs tmpfs /tmp
mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
rm -rf /etc/systemd/system/*.wants /usr/lib/systemd/system/*.wants/* /var/log/journal
mkdir -p /run/systemd/system
cat > /run/systemd/system/empty.target <<END
[Unit]
Description=The journal, and nothing else
DefaultDependencies=no
Wants=systemd-journald.service
After=systemd-journald.service
END
# Else it would set up the machine.
export container=other
exec /lib/systemd/systemd --system --unit=empty.target --log-target=console --show-status=no
"#;

/// A running system; dropping it ends all that is in it.
struct System {
    unshare: Child,
    first: u32,
}

impl System {
    fn boot(folder: &Path) -> Self {
        fs::create_dir(folder.join("private")).unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let unshare = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "bash",
                "-c",
                BOOT,
                "boot",
            ])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", unshare.id());
        let mut system = Self { unshare, first: 0 };
        system.first = until(|| fs::read_to_string(&children).ok()?.trim().parse().ok());
        until(|| {
            let state = system.run("systemctl is-system-running");
            let state = String::from_utf8_lossy(&state.stdout).trim().to_owned();
            matches!(state.as_str(), "running" | "degraded").then_some(())
        });
        system
    }

    /// Runs commands in its sandbox, until one fails.
    fn run(&self, commands: &str) -> Output {
        let first = self.first.to_string();
        let mut command = Command::new("nsenter");
        command.args(["--target", &first, "--mount", "--net", "--pid", "bash", "-euc"]);
        command.arg(format!("cd /run/sandbox\n{commands}"));
        command.stdin(Stdio::null()).output().unwrap()
    }

    /// The same, all of which are to succeed; what they print.
    #[track_caller]
    fn done(&self, commands: &str) -> String {
        let output = self.run(commands);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{commands}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// Asks until there is an answer.
#[track_caller]
fn until<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(since.elapsed() < SOON, "systemd does not get there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The block of commands in the section of docs/node.md.
fn documented() -> String {
    let text = fs::read_to_string(root().join("docs/node.md")).unwrap();
    let (_, section) = text.split_once("## With systemd\n").unwrap();
    let (_, block) = section.split_once("```sh\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

/// With all that the unit takes away.
#[test]
fn a_node_serves_under_systemd() {
    if !rustix::process::geteuid().is_root() {
        assert!(std::env::var_os("CI").is_none(), "a system of its own takes root");
        eprintln!("not tested: a system of its own takes root");
        return;
    }
    let sandbox = sandbox();
    sandbox.file("node.toml", "listen = \"127.0.0.1:0\"\ncontrol = \"127.0.0.1:0\"\n");
    fs::copy(env!("CARGO_BIN_EXE_tombolo"), sandbox.path().join("tombolo")).unwrap();
    fs::create_dir(sandbox.path().join("packaging")).unwrap();
    for file in fs::read_dir(root().join("packaging")).unwrap().flatten() {
        fs::copy(file.path(), sandbox.path().join("packaging").join(file.file_name())).unwrap();
    }
    let system = System::boot(sandbox.path());
    let done = |commands: &str| system.done(commands);

    done(&documented());
    // `systemctl start` ends when the node says that it serves; what it printed before is on its way to the journal.
    let journal = "journalctl --unit tombolo.service --output cat --no-pager";
    let said = until(|| Some(done(journal)).filter(|said| said.contains("Listening on")));
    assert!(said.contains("The first token, told this once: "), "{said}");
    let control = said.lines().find_map(|line| line.strip_prefix("Control at http://")).unwrap();
    let answer = done(&format!("curl --silent --fail http://{control}/readyz"));
    assert!(!answer.is_empty());
    let owner = done("stat --format %U /var/lib/tombolo/registry.redb");
    assert_eq!(owner, "tombolo\n", "it is nobody else's");

    // As for systemd before 253.
    done("systemctl kill -s HUP tombolo");
    done(&format!("curl --silent --fail http://{control}/readyz"));
    assert_eq!(done("systemctl is-active tombolo"), "active\n");

    done("systemctl stop tombolo");
    let ended = done("systemctl show tombolo --property Result --property ExecMainStatus");
    assert_eq!(ended, "Result=success\nExecMainStatus=0\n");
    // It listens in its place, and starts it when somebody comes.
    done("systemctl start tombolo-http.socket");
    assert_eq!(system.run("systemctl is-active tombolo").stdout, b"inactive\n");
    let code = done("curl --silent --output /dev/null --write-out '%{http_code}' http://127.0.0.1/");
    assert_eq!(code, "404", "nothing is deployed");
    assert_eq!(done("systemctl is-active tombolo"), "active\n");
}
