//! A subscriber as it is written against spin-sdk 7: what comes is put into a list at the server.

use spin_sdk::redis::{Connection, RedisParameter};
use spin_sdk::{redis_subscriber, variables};

#[redis_subscriber]
async fn on_message(message: Vec<u8>) -> Result<(), String> {
    match message.as_slice() {
        b"fail" => return Err("as it was asked to".to_owned()),
        b"trap" => panic!("as it was asked to"),
        b"loop" => loop {
            std::hint::black_box(());
        },
        _ => {}
    }
    let server = variables::get("server").await.unwrap();
    let redis = Connection::open(&server).await.unwrap();
    let parameters = [b"received".to_vec(), message].map(RedisParameter::Binary);
    redis.execute("RPUSH", parameters).await.unwrap();
    Ok(())
}
