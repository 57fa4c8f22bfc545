//! `cargo xtask soak`: a server at 80 % of its load for as long as asked, with hello, hostile and slow
//! guests mixed. It ends well if no request was lost and memory is flat.
//!
//! The rate is open: a request is due at its time whether or not the one before it was answered, and
//! its latency counts from then, so that a stall is seen in full.

mod client;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use client::Client;
use report::Report;

use crate::{guests, say};

/// How long, and at what share of what the server can do.
#[derive(clap::Args)]
pub(crate) struct Soak {
    /// Seconds at the load
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Share of the rate measured at first
    #[arg(long, default_value_t = 0.8)]
    load: f64,
}

/// Connections that ask for hello.
const HELLO_CONNECTIONS: usize = 32;
/// Connections that ask for what is slow.
const SLOW_CONNECTIONS: usize = 16;
/// Connections that ask for what is hostile.
const HOSTILE_CONNECTIONS: usize = 2;
/// How long the rate is measured.
const CALIBRATION: Duration = Duration::from_secs(10);
/// Before memory is looked at: pools and buffers reach their size.
const WARM_UP: Duration = Duration::from_secs(30);

/// Attacks, each with what its caller may get: a status, or 0 for an answer that was cut.
const HOSTILE: [(&str, &[u16]); 14] = [
    ("/hostile/loop", &[504]),
    ("/hostile/recursion", &[500]),
    ("/hostile/memory", &[200, 500, 504]),
    ("/hostile/fields", &[500, 504]),
    ("/hostile/pollables", &[500, 504]),
    ("/hostile/body-endless", &[0]),
    ("/hostile/body-stalls", &[0]),
    ("/hostile/headers-many", &[200, 500, 502]),
    ("/hostile/never", &[502]),
    ("/hostile/panic", &[500]),
    ("/hostile/exit", &[500, 502]),
    ("/hostile/log-stdout", &[504]),
    ("/hostile/sleep", &[504]),
    ("/hostile/clock", &[504]),
];

/// What is slow, and well.
const SLOW: [&str; 3] = ["/sleep?ms=300", "/drip?ms=300", "/stream?mib=1"];

impl Soak {
    pub(crate) fn run(self, root: &Path) -> Result<(), String> {
        guests::build(root, &[])?;
        let built = Command::new("cargo")
            .args(["build", "--release", "--package", "tombolo"])
            .current_dir(root)
            .status()
            .map_err(|error| format!("cannot run cargo: {error}"))?;
        if !built.success() {
            return Err("tombolo does not build".to_owned());
        }
        let server = Server::start(root)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        runtime.block_on(self.soak(&server))
    }

    async fn soak(&self, server: &Server) -> Result<(), String> {
        let client = Arc::new(Client::new(server.address.clone()));
        let stop = Arc::new(AtomicBool::new(false));
        let report = Arc::new(Report::default());
        let others = others(&client, &report, &stop);
        say(&format!(
            "measuring for {} s what it can do beside hostile and slow guests",
            CALIBRATION.as_secs()
        ));
        let rate = calibrate(&client).await? * self.load;
        say(&format!("{rate:.0} requests a second for {} s", self.seconds));
        let started = Instant::now();
        let hello = tokio::spawn(paced(Arc::clone(&client), Arc::clone(&report), rate, self.seconds));
        let mut memory = Vec::new();
        while started.elapsed() < Duration::from_secs(self.seconds) {
            tokio::time::sleep(Duration::from_secs(1)).await;
            memory.push(server.memory_kb()?);
        }
        hello.await.map_err(|error| error.to_string())?;
        stop.store(true, Relaxed);
        for other in others {
            other.await.map_err(|error| error.to_string())?;
        }
        report.judge(&memory[memory.len().min(WARM_UP.as_secs() as usize)..], rate, self.seconds)
    }
}

/// The hostile and the slow, until told to stop.
fn others(
    client: &Arc<Client>,
    report: &Arc<Report>,
    stop: &Arc<AtomicBool>,
) -> Vec<tokio::task::JoinHandle<()>> {
    let next = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for number in 0..SLOW_CONNECTIONS + HOSTILE_CONNECTIONS {
        let (client, report, stop) = (Arc::clone(client), Arc::clone(report), Arc::clone(stop));
        let next = Arc::clone(&next);
        tasks.push(tokio::spawn(async move {
            let mut connection = None;
            while !stop.load(Relaxed) {
                if number < SLOW_CONNECTIONS {
                    let path = SLOW[number % SLOW.len()];
                    let got = client.get(&mut connection, path).await;
                    report.slow(path, got == Ok(200), &got);
                } else {
                    let (path, allowed) = HOSTILE[next.fetch_add(1, Relaxed) as usize % HOSTILE.len()];
                    let got = client.get(&mut connection, path).await;
                    let status = *got.as_ref().unwrap_or(&0);
                    report.hostile(path, allowed.contains(&status), &got);
                }
            }
        }));
    }
    tasks
}

/// Hello requests a second, each connection asking again as soon as it was answered.
async fn calibrate(client: &Arc<Client>) -> Result<f64, String> {
    let until = Instant::now() + CALIBRATION;
    let ask = |client: Arc<Client>| async move {
        let (mut connection, mut answered) = (None, 0_u64);
        while Instant::now() < until {
            client.get(&mut connection, "/hello").await.map_err(|error| format!("/hello: {error}"))?;
            answered += 1;
        }
        Ok::<u64, String>(answered)
    };
    let tasks: Vec<_> = (0..HELLO_CONNECTIONS).map(|_| tokio::spawn(ask(Arc::clone(client)))).collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.map_err(|error| error.to_string())??;
    }
    Ok(answered as f64 / CALIBRATION.as_secs_f64())
}

/// Hello requests at a rate, over some connections; each is due at its time.
async fn paced(client: Arc<Client>, report: Arc<Report>, rate: f64, seconds: u64) {
    let requests = (rate * seconds as f64) as u64;
    let started = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    let ask = |client: Arc<Client>, report: Arc<Report>, next: Arc<AtomicU64>| async move {
        let mut connection = None;
        loop {
            let number = next.fetch_add(1, Relaxed);
            if number >= requests {
                return;
            }
            let due = started + Duration::from_secs_f64(number as f64 / rate);
            tokio::time::sleep_until(due.into()).await;
            let got = client.get(&mut connection, "/hello").await;
            report.hello(due.elapsed(), got == Ok(200), &got);
        }
    };
    let tasks: Vec<_> = (0..HELLO_CONNECTIONS)
        .map(|_| tokio::spawn(ask(Arc::clone(&client), Arc::clone(&report), Arc::clone(&next))))
        .collect();
    for task in tasks {
        // A worker that panicked is a bug of this chore, and its requests are missing in the report.
        let _ = task.await;
    }
}

/// The server that is soaked.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start(root: &Path) -> Result<Self, String> {
        let folder = root.join("target/soak");
        let wasm = root.join("target/guests/wasm");
        let failed =
            |what: &Path, error: std::io::Error| format!("cannot write `{}`: {error}", what.display());
        fs::create_dir_all(&folder).map_err(|error| failed(&folder, error))?;
        let manifest = folder.join("spin.toml");
        fs::write(&manifest, app(&wasm)).map_err(|error| failed(&manifest, error))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = port.map_err(|error| format!("cannot find a free port: {error}"))?.to_string();
        let log = fs::File::create(folder.join("server.log")).map_err(|error| failed(&folder, error))?;
        let child = Command::new(root.join("target/release/tombolo"))
            .args(["up", "--listen", &address])
            .arg(&folder)
            .env("TOMBOLO_CACHE_DIR", folder.join("cache"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .map_err(|error| format!("cannot start tombolo: {error}"))?;
        let mut server = Self { child, address };
        let until = Instant::now() + Duration::from_secs(60);
        while std::net::TcpStream::connect(&server.address).is_err() {
            if Instant::now() > until || server.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return Err("tombolo does not serve; see target/soak/server.log".to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    /// Kilobytes resident that are not files.
    fn memory_kb(&self) -> Result<u64, String> {
        let path = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        let status = fs::read_to_string(&path).map_err(|_| "the server has ended".to_owned())?;
        let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).ok_or("no RssAnon".to_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three components: one that answers, one that is slow, one that means harm and has little.
fn app(wasm: &Path) -> String {
    let wasm = wasm.display();
    format!(
        r#"spin_manifest_version = 2
[application]
name = "soak"
[[trigger.http]]
route = "/hello"
component = "hello"
[[trigger.http]]
route = "/sleep"
component = "web"
[[trigger.http]]
route = "/drip"
component = "web"
[[trigger.http]]
route = "/stream"
component = "web"
[[trigger.http]]
route = "/hostile/..."
component = "hostile"
[component.hello]
source = "{wasm}/hello-rust.wasm"
[component.web]
source = "{wasm}/web.wasm"
[component.hostile]
source = "{wasm}/hostile.wasm"
[component.hostile.tool.tombolo]
memory_mib_max = 64
request_ms_max = 1000
log_bytes_per_s_max = 10000
"#
    )
}
