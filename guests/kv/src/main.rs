//! Every operation of Spin's and WASI's synchronous key-value interfaces, checked from the inside.
//!
//! `GET /` runs all checks and answers `ok`; `GET /denied` opens stores and answers how that went;
//! `GET /config` answers what `wasi:config` tells of the app's variables;
//! `GET /late` writes to the store after the last byte of its answer, `GET /seen` says whether it did.

mod bindings {
    wit_bindgen::generate!({
        inline: "package tombolo:guest; world imports {
            import fermyon:spin/key-value@2.0.0;
            include wasi:keyvalue/imports@0.2.0-draft2;
            include wasi:config/imports@0.2.0-draft-2024-09-27;
        }",
        path: [
            "../../wit/fermyon-spin@2.0.0",
            "../../wit/wasi-keyvalue@0.2.0-draft2",
            "../../wit/wasi-config@0.2.0-draft-2024-09-27",
        ],
        world: "tombolo:guest/imports",
        generate_all,
    });
}

use std::convert::Infallible;

use bindings::fermyon::spin::key_value::Store;
use bindings::wasi::config::store as config;
use bindings::wasi::keyvalue::atomics::{self, Cas, CasError};
use bindings::wasi::keyvalue::{batch, store};
use futures_lite::stream::unfold;
use wstd::http::body::Bytes;
use wstd::http::{Body, Error, Request, Response};
use wstd::time::Duration;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let text = match request.uri().path() {
        "/late" => return late(),
        "/seen" => format!("{}", Store::open("default").unwrap().exists("late").unwrap()),
        "/large" => format!("{:?}", Store::open("default").unwrap().set("large", &vec![7; 4 << 20])),
        "/forget" => format!("{:?}", Store::open("default").unwrap().delete("late")),
        "/config" => {
            let (region, nothing) = (config::get("region").unwrap(), config::get("nothing").unwrap());
            format!(
                "{region:?} {nothing:?} {:?} {:?}",
                config::get("No-Name").unwrap(),
                config::get_all().unwrap()
            )
        }
        "/denied" => format!("{:?} {:?}", Store::open("default").err(), Store::open("other").err()),
        path => {
            let place = if path == "/redis" { Place::Redis } else { Place::Embedded };
            spin(place);
            wasi(place);
            one_store();
            "ok".to_owned()
        }
    };
    Ok(Response::new(text.into()))
}

/// Where the store is.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Embedded,
    Redis,
}

/// More than is gathered into one piece, with a length, and work behind it.
fn late() -> Result<Response<Body>, Error> {
    const PART: usize = 50_000;
    let part = |number: u32| async move {
        wstd::task::sleep(Duration::from_millis(20)).await;
        if number < 2 {
            return Some((Ok::<_, Infallible>(Bytes::from(vec![b'x'; PART])), number + 1));
        }
        wstd::task::sleep(Duration::from_millis(200)).await;
        Store::open("default").unwrap().set("late", b"yes").unwrap();
        None
    };
    let body = Body::from_try_stream(unfold(0, part));
    Ok(Response::builder().header("content-length", 2 * PART).body(body)?)
}

fn spin(place: Place) {
    let store = Store::open("default").unwrap();
    store.delete("s").unwrap();
    assert_eq!(store.get("s").unwrap(), None);
    assert!(!store.exists("s").unwrap());
    store.set("s", b"one").unwrap();
    store.set("s", b"two").unwrap();
    assert_eq!(store.get("s").unwrap().unwrap(), b"two");
    assert!(store.exists("s").unwrap());
    assert!(store.get_keys().unwrap().contains(&"s".to_owned()));
    store.delete("s").unwrap();
    store.delete("s").unwrap();
    assert!(!store.get_keys().unwrap().contains(&"s".to_owned()));
    store.set("", b"").unwrap();
    assert_eq!(store.get("").unwrap().unwrap(), b"");
    assert_eq!(store.set(&"k".repeat(5000), b"").is_err(), place == Place::Embedded);
}

fn wasi(place: Place) {
    let bucket = store::open("default").unwrap();
    let all = ["a", "b", "c"].map(str::to_owned);
    batch::delete_many(&bucket, &all).unwrap();
    let entries = [("a".to_owned(), b"1".to_vec()), ("b".to_owned(), b"2".to_vec())];
    batch::set_many(&bucket, &entries).unwrap();
    let got = batch::get_many(&bucket, &all).unwrap();
    assert_eq!(got[0], ("a".to_owned(), Some(b"1".to_vec())));
    assert_eq!(got[2], ("c".to_owned(), None));
    let page = bucket.list_keys(None).unwrap();
    assert!(page.keys.contains(&"b".to_owned()) && page.cursor.is_none());
    match place {
        Place::Embedded => assert!(!bucket.list_keys(Some("b")).unwrap().keys.contains(&"b".to_owned())),
        Place::Redis => assert!(bucket.list_keys(Some("b")).is_err(), "`b` is no cursor of Redis"),
    }

    bucket.delete("n").unwrap();
    assert_eq!(atomics::increment(&bucket, "n", 5).unwrap(), 5);
    assert_eq!(atomics::increment(&bucket, "n", -7).unwrap(), -2);
    match place {
        Place::Embedded => assert!(atomics::increment(&bucket, "a", 1).is_err(), "`1` is not eight bytes"),
        Place::Redis => assert_eq!(bucket.get("n").unwrap().unwrap(), b"-2"),
    }

    let cas = Cas::new(&bucket, "a").unwrap();
    assert_eq!(cas.current().unwrap().unwrap(), b"1");
    atomics::swap(cas, b"10").unwrap();
    let late = Cas::new(&bucket, "a").unwrap();
    bucket.set("a", b"11").unwrap();
    let Err(CasError::CasFailed(again)) = atomics::swap(late, b"12") else { panic!("a swap that came late") };
    atomics::swap(again, b"12").unwrap();
    assert_eq!(bucket.get("a").unwrap().unwrap(), b"12");
    assert!(bucket.exists("a").unwrap());
}

/// Both interfaces see the same keys.
fn one_store() {
    let bucket = store::open("default").unwrap();
    Store::open("default").unwrap().set("shared", b"yes").unwrap();
    assert_eq!(bucket.get("shared").unwrap().unwrap(), b"yes");
}
