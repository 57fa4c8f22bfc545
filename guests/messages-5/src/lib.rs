//! A subscriber as it is written against spin-sdk 5: what comes is put into a list at the server. It answers
//! requests as well, with how many came.

use spin_sdk::http::{IntoResponse, Request, Response};
use spin_sdk::redis::{Connection, RedisParameter, RedisResult};
use spin_sdk::{http_component, redis_component, variables};

#[http_component]
fn handle(_: Request) -> impl IntoResponse {
    let redis = Connection::open(&variables::get("server").unwrap()).unwrap();
    let length = redis.execute("LLEN", &[RedisParameter::Binary(b"received".to_vec())]).unwrap();
    let RedisResult::Int64(length) = length[0] else { panic!("{length:?}") };
    Response::new(200, length.to_string())
}

#[redis_component]
fn on_message(message: Vec<u8>) -> Result<(), String> {
    match message.as_slice() {
        b"fail" => return Err("as it was asked to".to_owned()),
        b"trap" => panic!("as it was asked to"),
        b"loop" => loop {
            std::hint::black_box(());
        },
        _ => {}
    }
    let is_mark = message == b"mark";
    let redis = Connection::open(&variables::get("server").unwrap()).unwrap();
    let parameters = [b"received".to_vec(), message].map(RedisParameter::Binary);
    redis.execute("RPUSH", &parameters).unwrap();
    // Whoever sees the mark knows that this is at work.
    while is_mark {
        std::hint::black_box(());
    }
    Ok(())
}
