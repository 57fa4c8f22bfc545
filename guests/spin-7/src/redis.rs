//! Redis, at the address in the query.

use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

pub async fn check(address: &str) {
    let redis = Connection::open(address).await.unwrap();
    redis.set("key", b"value").await.unwrap();
    assert_eq!(redis.get("key").await.unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(redis.get("none").await.unwrap(), None);
    assert!(redis.del(["key", "count", "set", "none"]).await.unwrap() > 0);
    assert_eq!((redis.incr("count").await.unwrap(), redis.incr("count").await.unwrap()), (1, 2));
    assert_eq!(redis.sadd("set", ["a", "b", "a"]).await.unwrap(), 2);
    assert_eq!(redis.srem("set", ["a", "c"]).await.unwrap(), 1);
    assert_eq!(redis.smembers("set").await.unwrap(), ["b"]);
    redis.publish("channel", b"message").await.unwrap();
    let run = async |name: &str, parameters: Vec<RedisParameter>| redis.execute(name, parameters).await;
    let text = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
    assert_eq!(run("PING", vec![]).await.unwrap(), [RedisResult::Status("PONG".into())]);
    let set = run("SET", vec![text("number"), RedisParameter::Int64(-7)]).await.unwrap();
    assert_eq!(set, [RedisResult::Status("OK".into())]);
    let got = run("MGET", vec![text("number"), text("none")]).await.unwrap();
    assert_eq!(got, [RedisResult::Binary(b"-7".to_vec()), RedisResult::Nil]);
    assert_eq!(run("STRLEN", vec![text("number")]).await.unwrap(), [RedisResult::Int64(2)]);
    // A transaction, on this handle alone.
    run("MULTI", vec![]).await.unwrap();
    run("INCR", vec![text("count")]).await.unwrap();
    run("GET", vec![text("number")]).await.unwrap();
    let done = run("EXEC", vec![]).await.unwrap();
    assert_eq!(done, [RedisResult::Int64(3), RedisResult::Binary(b"-7".to_vec())]);
    // What is wrong.
    assert!(matches!(redis.incr("set").await, Err(Error::TypeError)));
    redis.set("key", b"no number").await.unwrap();
    assert!(matches!(redis.incr("key").await, Err(Error::TypeError)));
    let unknown = run("NONE", vec![]).await;
    assert!(matches!(unknown, Err(Error::Other(reason)) if reason.contains("unknown command")));
    assert!(matches!(Connection::open("no address").await, Err(Error::InvalidAddress)));
    assert!(matches!(Connection::open("redis://127.0.0.2:6379").await, Err(Error::InvalidAddress)));
    assert!(matches!(Connection::open("redis://127.0.0.1:1").await, Err(Error::Other(_))));
}

/// Waits for what does not come, on a connection of its own.
pub async fn wait(address: &str) {
    let redis = Connection::open(address).await.unwrap();
    let parameters = [RedisParameter::Binary(b"nothing".to_vec()), RedisParameter::Int64(0)];
    redis.execute("BLPOP", parameters).await.unwrap();
}
