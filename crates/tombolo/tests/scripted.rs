//! Apps in languages whose components bring their whole engine, as they are written against Spin's SDKs for them,
//! unchanged, through the whole program. Each test is a cell of the second table in `docs/spin.md`.
//!
//! Such a component is tens of megabytes: it is compiled once for all tests, into a cache below `target`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use tombolo_testkit::Up;
use tombolo_testkit::sdk::Sdk;

/// One lock for each guest: whoever comes first compiles it, and the others find it in the cache.
static COMPILING: LazyLock<Mutex<HashMap<String, Arc<Mutex<()>>>>> = LazyLock::new(Mutex::default);

/// Starts it, with the cache of all these tests.
fn start(guest: &str, mut command: Command) -> Up {
    command.env("TOMBOLO_CACHE_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("scripted"));
    let turn = Arc::clone(COMPILING.lock().unwrap().entry(guest.to_owned()).or_default());
    let _turn = turn.lock();
    Up::spawn(command)
}

const SDK: Sdk = Sdk { program: env!("CARGO_BIN_EXE_tombolo"), start };

macro_rules! cells {
    ($sdk:ident, $guest:literal: $($name:ident by $check:ident($($more:literal)?)),*) => {
        mod $sdk {
            $(
                #[test]
                fn $name() {
                    super::SDK.$check($guest $(, $more)?);
                }
            )*
        }
    };
}

cells!(
    javascript_2, "js-2":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql("/mysql"),
    postgres by postgres("/postgres")
);
cells!(
    python_3, "py-3":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite_2 by checks("/sqlite-2"), sqlite_3 by checks("/sqlite-3"), redis by redis(), mqtt by mqtt(),
    mysql by mysql("/mysql"), postgres_2 by postgres("/postgres-2"), postgres_4 by postgres("/postgres-4")
);
cells!(
    python_5, "py-5":
    http by http(), outbound by outbound(), key_value by checks("/key-value"), variables by checks("/variables"),
    sqlite by checks("/sqlite"), redis by redis(), mqtt by mqtt(), mysql by mysql("/mysql"),
    postgres by postgres("/postgres")
);
cells!(javascript_2_messages, "js-2-messages": redis_trigger by redis_trigger("app/app: "));
cells!(python_3_messages, "py-3-messages": redis_trigger by redis_trigger("app/app: "));
cells!(python_5_messages, "py-5-messages": redis_trigger by redis_trigger("app/app: "));
