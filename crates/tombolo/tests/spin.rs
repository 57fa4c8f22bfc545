//! Apps as they are written against each of Spin's SDKs, unchanged, through the whole program. Each test is a
//! cell of the table in `docs/spin.md`.

use tombolo_testkit::sdk::Sdk;
use tombolo_testkit::{Sandbox, Up, servers};

const SDK: Sdk = Sdk { program: env!("CARGO_BIN_EXE_tombolo"), start: |_, command| Up::spawn(command) };

macro_rules! cells {
    ($sdk:ident, $guest:literal, $messages:literal: $($name:ident at $path:literal),*) => {
        mod $sdk {
            #[test]
            fn http() {
                super::SDK.http($guest);
            }

            #[test]
            fn outbound() {
                super::SDK.outbound($guest);
            }

            #[test]
            fn redis() {
                super::SDK.redis($guest);
            }

            #[test]
            fn redis_trigger() {
                super::SDK.redis_trigger($messages, "app/app: a message was not handled: ");
            }

            $(
                #[test]
                fn $name() {
                    super::SDK.checks($guest, $path);
                }
            )*
        }
    };
}

/// Cells of a database.
macro_rules! databases {
    ($sdk:ident, $guest:literal: $($name:ident by $check:ident at $path:literal),*) => {
        mod $sdk {
            $(
                #[test]
                fn $name() {
                    super::SDK.$check($guest, $path);
                }
            )*
        }
    };
}

mod databases {
    use super::SDK;

    databases!(sdk_2, "spin-2": mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2");
    databases!(
        sdk_3, "spin-3":
        mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2",
        postgres_3 by postgres at "/postgres-3"
    );
    databases!(
        sdk_5, "spin-5":
        mysql by mysql at "/mysql", postgres_2 by postgres at "/postgres-2",
        postgres_3 by postgres at "/postgres-3", postgres_4 by postgres at "/postgres-4"
    );
    databases!(sdk_6, "spin-6": mysql by mysql at "/mysql", postgres by postgres at "/postgres");
    databases!(sdk_7, "spin-7": mysql by mysql at "/mysql", postgres by postgres at "/postgres");
}

#[test]
fn a_guest_says_whom_its_connection_to_postgresql_trusts() {
    let server = servers::postgres::Postgres::encrypted();
    let address = server.database().url("sslmode=require");
    let (_sandbox, up) = SDK.app("spin-7");
    let answer = up.post(&format!("/postgres-encrypted?{address}"), server.root().as_bytes());
    assert_eq!(answer.text(), "ok", "{}", up.said("Listening"));
}

/// Of those that have it: spin-sdk 2 has not.
mod mqtt {
    #[test]
    fn sdk_3() {
        super::SDK.mqtt("spin-3");
    }

    #[test]
    fn sdk_5() {
        super::SDK.mqtt("spin-5");
    }

    #[test]
    fn sdk_6() {
        super::SDK.mqtt("spin-6");
    }

    #[test]
    fn sdk_7() {
        super::SDK.mqtt("spin-7");
    }
}

cells!(sdk_2, "spin-2", "messages-2": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(sdk_3, "spin-3", "messages-3": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(
    sdk_5, "spin-5", "messages-5":
    key_value at "/key-value", variables at "/variables", sqlite_2 at "/sqlite", sqlite_3 at "/sqlite-3"
);
cells!(sdk_6, "spin-6", "messages-6": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");
cells!(sdk_7, "spin-7", "messages-7": key_value at "/key-value", variables at "/variables", sqlite at "/sqlite");

/// What an app needs and this version has not is named when the app is loaded, before any request.
#[test]
fn what_is_not_there_is_named() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    for import in ["wasi:sockets/udp@0.2.0-rc-2023-10-18", "wasi:http/types@0.3.0-rc-2026-01-06"] {
        sandbox.file("app.wat", format!(r#"(component (import "{import}" (instance (export "f" (func)))))"#));
        let refused = sandbox.tombolo(&["up", "app.wat", "--listen", "127.0.0.1:0"]);
        assert_eq!(refused.code, Some(1));
        let named = format!("it imports what is not there: {import}");
        assert!(refused.stderr.contains(&named), "{}", refused.stderr);
    }
}

#[test]
fn two_handlers_are_one_too_many() {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    let (one, two) = ("wasi:http/incoming-handler@0.2.0", "wasi:http/handler@0.3.0");
    let text =
        format!(r#"(component (instance $i) (export "{one}" (instance $i)) (export "{two}" (instance $i)))"#);
    sandbox.file("app.wat", text);
    let refused = sandbox.tombolo(&["up", "app.wat", "--listen", "127.0.0.1:0"]);
    let named = format!("it exports more than one HTTP handler, expected one: {one}, {two}");
    assert!(refused.code == Some(1) && refused.stderr.contains(&named), "{}", refused.stderr);
}

/// The table says what is tested: each cell is a test.
#[test]
fn the_cells_of_the_page_are_tests() {
    tombolo_testkit::cells::name_tests(include_str!("../../../docs/spin.md"), None, &["llm", "scripted"]);
}
