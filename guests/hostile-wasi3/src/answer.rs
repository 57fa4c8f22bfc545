//! Answers that never end, and work that goes on after them.

use std::hint::black_box;

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Fields, Response};
use wasip3::wit_bindgen::{StreamWriter, spawn};
use wasip3::{wit_future, wit_stream};

/// A response, and the end at which its body is written.
fn begin() -> (Response, StreamWriter<u8>) {
    let (writer, reader) = wit_stream::new();
    // Dropped unwritten, it says that there are no trailers.
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(reader), trailers);
    (response, writer)
}

pub fn text(text: &'static str) -> Response {
    let (response, mut writer) = begin();
    spawn(async move {
        writer.write_all(text.as_bytes().to_vec()).await;
    });
    response
}

pub fn endless() -> Response {
    let (response, mut writer) = begin();
    spawn(async move { while writer.write_all(vec![b'x'; 64 << 10]).await.is_empty() {} });
    response
}

pub fn stalls() -> Response {
    let (response, mut writer) = begin();
    spawn(async move {
        writer.write_all(b"so far\n".to_vec()).await;
        monotonic_clock::wait_for(u64::MAX).await;
        drop(writer);
    });
    response
}

pub fn loops_later() -> Response {
    let (response, mut writer) = begin();
    spawn(async move {
        writer.write_all(b"so far\n".to_vec()).await;
        loop {
            black_box(());
        }
    });
    response
}

pub fn panics_later() -> Response {
    let (response, mut writer) = begin();
    spawn(async move {
        writer.write_all(b"so far\n".to_vec()).await;
        monotonic_clock::wait_for(20_000_000).await;
        panic!("as asked");
    });
    response
}

/// The whole body, and never a word about trailers.
pub fn trailers_never() -> Response {
    let (mut writer, reader) = wit_stream::new();
    let (never, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(reader), trailers);
    spawn(async move {
        writer.write_all(b"so far\n".to_vec()).await;
        drop(writer);
        monotonic_clock::wait_for(u64::MAX).await;
        drop(never);
    });
    response
}

/// The whole body, and then an error in place of trailers.
pub fn trailers_fail() -> Response {
    let (mut writer, reader) = wit_stream::new();
    let (fail, trailers) = wit_future::new(|| Ok(None));
    let (response, _) = Response::new(Fields::new(), Some(reader), trailers);
    spawn(async move {
        writer.write_all(b"so far\n".to_vec()).await;
        drop(writer);
        let _ = fail.write(Err(ErrorCode::InternalError(None))).await;
    });
    response
}

/// Answers, and then computes for ever.
pub fn works_after() -> Response {
    let (mut writer, reader) = wit_stream::new();
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (response, sent) = Response::new(Fields::new(), Some(reader), trailers);
    spawn(async move {
        writer.write_all(b"done\n".to_vec()).await;
        drop(writer);
        let _ = sent.await;
        loop {
            black_box(());
        }
    });
    response
}
