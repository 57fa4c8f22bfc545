//! A node with hostile components and a good one, and what an attack may cost it.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tombolo_testkit::{Sandbox, Up};

use crate::attack::{Attack, brief};
use crate::waiting;

/// How long a request may take here.
const REQUEST_MS_MAX: u64 = 1000;
/// What an answer may take beyond that: an unoptimised host on a busy machine.
const LATE_MAX: Duration = Duration::from_secs(2);
/// How often the neighbour is asked. The median of so many bears seven that a busy machine made slow.
const PROBES: usize = 15;
/// What an attack may cost the neighbour: so many times its quiet median, and so much.
const SLOWER_TIMES: u32 = 20;
const SLOWER_BY: Duration = Duration::from_millis(50);
/// What may stay in memory after an attack: pages of the pool and of the allocator that are kept for
/// the next guest. It is half of what one guest can hold, so that one left behind is seen.
const KEPT_KB_MAX: u64 = 32 << 10;
/// How long giving memory back may take.
const SETTLE_MAX: Duration = Duration::from_secs(10);

/// How much memory a hostile component may have.
const MEMORY_MIB_MAX: u64 = 64;

/// One at a time: a test that measures must not be measured by another.
static TURN: Mutex<()> = Mutex::new(());

/// Waits for one's turn.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A component of a ground.
pub(crate) struct Hostile<'a> {
    /// Its name, and the first segment of its paths.
    pub(crate) name: &'a str,
    /// Its file in the sandbox.
    pub(crate) source: &'a str,
    /// More lines for `[component.<name>]`.
    pub(crate) lines: &'a str,
    /// Bounds besides those of every hostile component.
    pub(crate) limits: &'a str,
}

impl<'a> Hostile<'a> {
    /// One to which nothing is granted.
    pub(crate) fn new(name: &'a str, source: &'a str) -> Self {
        Self { name, source, lines: "", limits: "" }
    }
}

/// A running node.
pub(crate) struct Ground {
    up: Up,
    quiet: Duration,
    level_kb: u64,
    failures: Vec<String>,
    _turn: MutexGuard<'static, ()>,
}

/// A folder of one test.
pub(crate) fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_tombolo"))
}

impl Ground {
    /// A node with the guest `hostile` and nothing granted to it.
    pub(crate) fn with_hostile() -> Self {
        let sandbox = sandbox();
        sandbox.guest("hostile", "hostile.wasm");
        Self::new(&sandbox, &[Hostile::new("hostile", "hostile.wasm")])
    }

    /// A node with these components and their neighbour.
    pub(crate) fn new(sandbox: &Sandbox, components: &[Hostile<'_>]) -> Self {
        let turn = turn();
        sandbox.guest("web", "web.wasm");
        let mut text = "spin_manifest_version = 2\n[application]\nname = \"ground\"\n\
            [[trigger.http]]\nroute = \"/\"\ncomponent = \"neighbour\"\n\
            [component.neighbour]\nsource = \"web.wasm\"\n"
            .to_owned();
        for Hostile { name, source, lines, limits } in components {
            writeln!(
                text,
                "[[trigger.http]]\nroute = \"/{name}/...\"\ncomponent = \"{name}\"\n\
                 [component.{name}]\nsource = \"{source}\"\n{lines}\n[component.{name}.tool.tombolo]\n\
                 memory_mib_max = {MEMORY_MIB_MAX}\nrequest_ms_max = {REQUEST_MS_MAX}\n{limits}"
            )
            .unwrap();
        }
        sandbox.file("spin.toml", text);
        let mut command = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
        // Kept from one test to the next: compiling these guests is not what is tested.
        command.env("TOMBOLO_CACHE_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/hostile-cache"));
        let up = Up::spawn(command);
        // The first of all requests pays for what is made once.
        median(up.address());
        let quiet = median(up.address()).unwrap();
        let level_kb = up.memory_kb();
        Self { up, quiet, level_kb, failures: Vec::new(), _turn: turn }
    }

    pub(crate) fn up(&self) -> &Up {
        &self.up
    }

    /// Runs each of them, and then fails with all that went wrong.
    pub(crate) fn stands(mut self, attacks: impl IntoIterator<Item = Attack>) {
        for attack in attacks {
            self.stand(&attack);
        }
        assert!(self.failures.is_empty(), "\n{}", self.failures.join("\n"));
    }

    /// Runs one: notes what its callers got, what it cost the neighbour and what it left behind.
    fn stand(&mut self, attack: &Attack) {
        if let Some(reason) = waiting::reason(&attack.name) {
            println!("{:<32} waits: {reason}", attack.name);
            return;
        }
        let started = Instant::now();
        let (ends, neighbour) = self.run(attack);
        let kept_kb = self.settle();
        let mut wrong: Vec<String> = ends.iter().filter_map(|end| end.as_ref().err().cloned()).collect();
        wrong.sort();
        wrong.dedup();
        let allowed = self.quiet * SLOWER_TIMES + SLOWER_BY;
        match neighbour {
            Some(median) if median <= allowed => {}
            Some(median) => wrong.push(format!("the neighbour takes {median:?}, quiet {:?}", self.quiet)),
            None => wrong.push("the neighbour got another answer than its own".to_owned()),
        }
        if kept_kb > KEPT_KB_MAX {
            wrong.push(format!("{kept_kb} kB are still resident"));
        }
        let end = if wrong.is_empty() { "stands" } else { "FAILS" };
        let got = ends.into_iter().find_map(Result::ok).unwrap_or_default();
        println!(
            "{:<32} {end}: {got} | neighbour {:?}, quiet {:?} | kept {kept_kb} kB | {:?}",
            attack.name,
            neighbour.unwrap_or_default(),
            self.quiet,
            started.elapsed(),
        );
        self.failures.extend(wrong.into_iter().map(|wrong| format!("{}: {wrong}", attack.name)));
    }

    /// Attacks for as long as the neighbour is being asked, at least once each. What the callers got,
    /// and the neighbour's median.
    fn run(&self, attack: &Attack) -> (Vec<Result<String, String>>, Option<Duration>) {
        let address = self.up.address();
        let is_asked = AtomicBool::new(true);
        let caller = || {
            loop {
                let answer = attack.ask(address);
                attack.expect.check(&answer)?;
                let allowed = Duration::from_millis(REQUEST_MS_MAX) + LATE_MAX;
                if answer.took > allowed {
                    return Err(format!("its caller waited {:?}", answer.took));
                }
                if !is_asked.load(Ordering::Relaxed) {
                    let text = brief(answer.response.as_ref());
                    return Ok(text.chars().take(60).collect());
                }
            }
        };
        thread::scope(|scope| {
            let callers: Vec<_> = (0..attack.at_once).map(|_| scope.spawn(caller)).collect();
            let neighbour = median(address);
            is_asked.store(false, Ordering::Relaxed);
            let end = |caller: thread::ScopedJoinHandle<'_, _>| {
                caller.join().unwrap_or_else(|_| Err("its caller heard nothing".to_owned()))
            };
            (callers.into_iter().map(end).collect(), neighbour)
        })
    }

    /// Waits until no more is resident than may be, and returns by how much it is too much.
    fn settle(&self) -> u64 {
        let until = Instant::now() + SETTLE_MAX;
        loop {
            let kept_kb = self.up.memory_kb().saturating_sub(self.level_kb);
            if kept_kb <= KEPT_KB_MAX || Instant::now() >= until {
                return kept_kb;
            }
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The median of the neighbour's answers; `None` if one of them was not its own.
fn median(address: SocketAddr) -> Option<Duration> {
    let mut took = Vec::new();
    for _ in 0..PROBES {
        let started = Instant::now();
        let response = tombolo_testkit::Connection::open(address).get("/");
        if response.status != 200 || response.body != b"hello" {
            return None;
        }
        took.push(started.elapsed());
    }
    took.sort();
    Some(took[took.len() / 2])
}
