//! The clock of the engines, by which guests that compute are interrupted.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::thread::{self, Thread};
use std::time::Duration;

use wasmtime::EngineWeak;

/// How often it ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Periods {
    /// How long a guest runs before it lets others: the period of the engines' epochs. Shorter costs wake-ups of the
    /// process, longer lets a looping guest hold a core longer.
    tick: Duration,
    /// The same while no guest goes on. Ticks go on, for one that did may have been kept from its core for a while.
    idle: Duration,
    /// After so many ticks within which no guest went on, none is expected to.
    expected: u32,
}

impl Default for Periods {
    fn default() -> Self {
        Self { tick: Duration::from_millis(1), idle: Duration::from_millis(100), expected: 1000 }
    }
}

/// Advances the epochs of the engines it was given, for as long as it lives.
#[derive(Default)]
pub(crate) struct Ticker {
    periods: Periods,
    shared: Arc<Shared>,
    thread: OnceLock<Thread>,
}

#[derive(Default)]
struct Shared {
    engines: Mutex<Vec<EngineWeak>>,
    /// Whether a guest went on since this was last set back.
    is_wanted: AtomicBool,
}

impl Ticker {
    /// Ticks for one engine more.
    pub(crate) fn tick(&self, engine: EngineWeak) {
        let mut engines = self.shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.retain(|engine| engine.upgrade().is_some());
        engines.push(engine);
        drop(engines);
        self.thread.get_or_init(|| {
            let (shared, periods) = (Arc::downgrade(&self.shared), self.periods);
            let started =
                thread::Builder::new().name("epochs".to_owned()).spawn(move || run(&shared, periods));
            started.expect("a thread can be started while the program starts").thread().clone()
        });
    }

    /// A guest is about to go on: from now on it ticks as often as it should.
    pub(crate) fn is_wanted(&self) {
        // All threads read it, and only the first of a second writes.
        if !self.shared.is_wanted.load(Relaxed) {
            self.shared.is_wanted.store(true, Relaxed);
            self.thread.get().inspect(|thread| thread.unpark());
        }
    }
}

fn run(shared: &Weak<Shared>, periods: Periods) {
    let (mut is_idle, mut ticks) = (false, 0);
    loop {
        match is_idle {
            true => thread::park_timeout(periods.idle),
            false => thread::sleep(periods.tick),
        }
        let Some(shared) = shared.upgrade() else { return };
        if is_idle && shared.is_wanted.load(Relaxed) {
            // Its first tick is a whole one away.
            is_idle = false;
            continue;
        }
        ticks = (ticks + 1) % periods.expected;
        if ticks == 0 {
            is_idle = !shared.is_wanted.swap(false, Relaxed);
        }
        let engines = shared.engines.lock().unwrap_or_else(PoisonError::into_inner);
        engines.iter().filter_map(EngineWeak::upgrade).for_each(|engine| engine.increment_epoch());
    }
}

#[cfg(test)]
mod tests {
    use wasmtime::{Config, Engine, Instance, Module, Store, Trap};

    use super::*;

    /// One computes for some milliseconds, the other without end.
    const LOOPS: &str = r#"(module
        (func (export "some") (local i64)
            (loop (br_if 0 (i64.lt_u (local.tee 0 (i64.add (local.get 0) (i64.const 1))) (i64.const 30000000)))))
        (func (export "endless") (loop (br 0))))"#;

    fn call(engine: &Engine, module: &Module, name: &str) -> wasmtime::Result<()> {
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(1);
        let instance = Instance::new(&mut store, module, &[])?;
        instance.get_typed_func::<(), ()>(&mut store, name)?.call(&mut store, ())
    }

    /// A process without guests at work should not wake; one that is should be interrupted at once.
    #[test]
    fn it_rests_while_no_guest_goes_on_and_wakes_for_the_next() {
        let engine = Engine::new(Config::new().epoch_interruption(true)).unwrap();
        let module = Module::new(&engine, wat::parse_str(LOOPS).unwrap()).unwrap();
        let hour = Duration::from_secs(3600);
        let periods = Periods { tick: Duration::from_millis(1), idle: hour, expected: 300 };
        let ticker = Ticker { periods, ..Ticker::default() };
        ticker.tick(engine.weak());
        for _ in 0..3 {
            ticker.is_wanted();
            let interrupted = call(&engine, &module, "endless").unwrap_err();
            assert_eq!(interrupted.downcast::<Trap>().unwrap(), Trap::Interrupt);
            // However long it takes on this machine until it rests.
            while call(&engine, &module, "some").is_err() {}
        }
    }
}
