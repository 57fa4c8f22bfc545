//! Attacks on the host, one for each path: what a guest that means harm does on WASI 0.3.
//!
//! The last segment of the path names the attack, as in `hostile`.

mod answer;
mod leaks;

use std::hint::black_box;

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::{ErrorCode, Request, Response};

wasip3::http::service::export!(Hostile);

struct Hostile;

impl wasip3::exports::http::handler::Guest for Hostile {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let target = request.get_path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or("");
        match path.rsplit('/').next().unwrap_or("") {
            "loop" => loop {
                black_box(());
            },
            "loop-later" => Ok(answer::loops_later()),
            "yield" => loop {
                wasip3::wit_bindgen::yield_async().await;
            },
            "sleep" => {
                monotonic_clock::wait_for(u64::MAX).await;
                Ok(answer::text("woke"))
            }
            "panic" => panic!("as asked"),
            "panic-later" => Ok(answer::panics_later()),
            "body-endless" => Ok(answer::endless()),
            "body-stalls" => Ok(answer::stalls()),
            "trailers-never" => Ok(answer::trailers_never()),
            "trailers-fail" => Ok(answer::trailers_fail()),
            "work-after" => Ok(answer::works_after()),
            "error" => Err(ErrorCode::InternalError(Some("<script>".repeat(10_000)))),
            "streams" => leaks::streams(),
            "futures" => leaks::futures(),
            "calls" => leaks::calls().await,
            "spawned" => leaks::spawned(),
            "fields" => leaks::fields(),
            _ => Ok(answer::text("no such attack")),
        }
    }
}
