//! What a guest does that Redis keeps waiting.

use spin_sdk::redis::{Connection, RedisParameter};

/// Waits for what does not come, on a connection of its own.
pub fn redis(address: &str) {
    let redis = Connection::open(address).unwrap();
    let parameters = [RedisParameter::Binary(b"nothing".to_vec()), RedisParameter::Int64(0)];
    redis.execute("BLPOP", &parameters).unwrap();
}
