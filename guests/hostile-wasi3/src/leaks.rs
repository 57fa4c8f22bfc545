//! What the host holds for a guest on WASI 0.3: streams, futures, calls and tasks that never end.

use std::future::{Future, poll_fn};
use std::mem::forget;
use std::task::Poll;

use wasip3::clocks::monotonic_clock;
use wasip3::http::types::Fields;
use wasip3::wit_bindgen::spawn;
use wasip3::{wit_future, wit_stream};

pub fn streams() -> ! {
    loop {
        forget(wit_stream::new::<u8>());
    }
}

pub fn futures() -> ! {
    loop {
        forget(wit_future::new::<Result<Option<Fields>, wasip3::http::types::ErrorCode>>(|| Ok(None)));
    }
}

/// Calls that never return, begun one after the other.
pub async fn calls() -> ! {
    loop {
        let mut call = Box::pin(monotonic_clock::wait_for(u64::MAX));
        poll_fn(|context| {
            let _ = call.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        forget(call);
    }
}

/// Tasks of the guest's own, each with a call that never returns.
pub fn spawned() -> ! {
    loop {
        spawn(async { monotonic_clock::wait_for(u64::MAX).await });
    }
}

pub fn fields() -> ! {
    loop {
        forget(Fields::new());
    }
}
