//! Answers of every kind: whole, streamed, late, never, broken.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_lite::stream::unfold;
use wstd::http::body::Bytes;
use wstd::http::{Body, Client, Error, Request, Response, StatusCode};
use wstd::time::Duration;

type Answer = Result<Response<Body>, Error>;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Answer {
    let path = request.uri().path().to_owned();
    let number = |default: u64| {
        let query = request.uri().query().and_then(|query| query.split_once('='));
        query.and_then(|(_, value)| value.parse().ok()).unwrap_or(default)
    };
    match path.as_str() {
        "/" => text("hello"),
        "/echo" => Ok(Response::new(request.into_body())),
        "/size" => size(request.into_body()).await,
        "/early" => early(request.into_body()),
        "/headers" => headers(&request),
        "/uri" => text(&request.uri().to_string()),
        "/environment" => text(&format!("{:?}", std::env::vars().collect::<Vec<_>>())),
        "/count" => count(),
        "/print" => {
            println!("to stdout");
            eprintln!("to stderr");
            text("printed")
        }
        "/stream" => stream(number(1) * 1024 * 1024),
        "/sleep" => {
            wstd::task::sleep(Duration::from_millis(number(1000))).await;
            text("slept")
        }
        "/drip" => drip(number(1000)),
        "/panic" => panic!("as asked"),
        "/panic-in-body" => broken_body(),
        "/loop" => loop {
            std::hint::black_box(());
        },
        "/memory" => {
            let mut taken: Vec<Vec<u8>> = Vec::new();
            for _ in 0..number(1024) {
                taken.push(vec![1; 1024 * 1024]);
            }
            text(&format!("took {} MiB", taken.len()))
        }
        // What the path behind `?` holds, or the error; and what comes of writing there.
        "/file" => {
            let path = request.uri().query().unwrap_or("");
            text(&format!("{:?} {:?}", std::fs::read_to_string(path).ok(), std::fs::write(path, "x").is_ok()))
        }
        "/fetch" | "/forward" | "/head" => fetch(request).await,
        _ => Ok(Response::builder().status(StatusCode::NOT_FOUND).body(Body::empty())?),
    }
}

fn text(text: &str) -> Answer {
    Ok(Response::new(text.to_owned().into()))
}

/// How many bytes came.
async fn size(mut body: Body) -> Answer {
    text(&body.contents().await?.len().to_string())
}

/// Begins its answer, and only then reads what came.
fn early(body: Body) -> Answer {
    let part = |(number, body): (u64, Option<Body>)| async move {
        let (text, next) = match (number, body) {
            (0, body) => ("begun ".to_owned(), (1, body)),
            (1, Some(mut body)) => (body.contents().await.ok()?.len().to_string(), (2, None)),
            _ => return None,
        };
        Some((Ok::<_, Infallible>(Bytes::from(text)), next))
    };
    Ok(Response::new(Body::from_try_stream(unfold((0, Some(body)), part))))
}

/// How many requests this instance has had.
fn count() -> Answer {
    static REQUESTS: AtomicU32 = AtomicU32::new(0);
    text(&(REQUESTS.fetch_add(1, Ordering::Relaxed) + 1).to_string())
}

/// The request's headers, a line each.
fn headers(request: &Request<Body>) -> Answer {
    let line = |(name, value): (&wstd::http::HeaderName, &wstd::http::HeaderValue)| {
        format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes()))
    };
    text(&request.headers().iter().map(line).collect::<String>())
}

/// So many bytes, 64 KiB at a time.
fn stream(bytes: u64) -> Answer {
    let part = move |left: u64| async move {
        let length = left.min(64 * 1024);
        (length > 0).then(|| (Ok::<_, Infallible>(Bytes::from(vec![b'x'; length as usize])), left - length))
    };
    Ok(Response::new(Body::from_try_stream(unfold(bytes, part))))
}

/// A first part at once, a second after so many milliseconds.
fn drip(milliseconds: u64) -> Answer {
    let part = move |number: u64| async move {
        if number == 1 {
            wstd::task::sleep(Duration::from_millis(milliseconds)).await;
        }
        (number < 2).then(|| (Ok::<_, Infallible>(Bytes::from(format!("part {number}\n"))), number + 1))
    };
    Ok(Response::new(Body::from_try_stream(unfold(0, part))))
}

/// A part, then a panic.
fn broken_body() -> Answer {
    let part = |number: u64| async move {
        if number == 1 {
            wstd::task::sleep(Duration::from_millis(50)).await;
            panic!("as asked");
        }
        Some((Ok::<_, Infallible>(Bytes::from("part 0\n")), number + 1))
    };
    Ok(Response::new(Body::from_try_stream(unfold(0, part))))
}

/// What another host answers, or why it could not be asked. What is forwarded goes there with its body.
async fn fetch(request: Request<Body>) -> Answer {
    let query = request.uri().query().unwrap_or_default();
    let url = query.strip_prefix("url=").unwrap_or_default().to_owned();
    let request = match request.uri().path() {
        "/forward" => Request::post(url).body(request.into_body())?,
        "/head" => Request::head(url).body(Body::empty())?,
        _ => Request::get(url).body(Body::empty())?,
    };
    match Client::new().send(request).await {
        Ok(response) => Ok(Response::builder().status(response.status()).body(response.into_body())?),
        Err(error) => text(&format!("refused: {error:?}")),
    }
}
