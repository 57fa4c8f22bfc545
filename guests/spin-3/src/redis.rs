//! Redis, at the address in the query.

use spin_sdk::redis::{Connection, Error, RedisParameter, RedisResult};

pub fn check(address: &str) {
    let redis = Connection::open(address).unwrap();
    redis.set("key", &b"value".to_vec()).unwrap();
    assert_eq!(redis.get("key").unwrap().as_deref(), Some(b"value".as_slice()));
    assert_eq!(redis.get("none").unwrap(), None);
    let keys = ["key", "count", "set", "none"].map(str::to_owned);
    assert!(redis.del(&keys).unwrap() > 0);
    assert_eq!((redis.incr("count").unwrap(), redis.incr("count").unwrap()), (1, 2));
    let texts = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
    assert_eq!(redis.sadd("set", &texts(&["a", "b", "a"])).unwrap(), 2);
    assert_eq!(redis.srem("set", &texts(&["a", "c"])).unwrap(), 1);
    assert_eq!(redis.smembers("set").unwrap(), ["b"]);
    redis.publish("channel", &b"message".to_vec()).unwrap();
    let run = |name: &str, parameters: &[RedisParameter]| redis.execute(name, parameters);
    let text = |text: &str| RedisParameter::Binary(text.as_bytes().to_vec());
    assert_eq!(run("PING", &[]).unwrap(), [RedisResult::Status("PONG".into())]);
    let appended = run("SET", &[text("number"), RedisParameter::Int64(-7)]).unwrap();
    assert_eq!(appended, [RedisResult::Status("OK".into())]);
    let got = run("MGET", &[text("number"), text("none")]).unwrap();
    assert_eq!(got, [RedisResult::Binary(b"-7".to_vec()), RedisResult::Nil]);
    assert_eq!(run("STRLEN", &[text("number")]).unwrap(), [RedisResult::Int64(2)]);
    // A transaction, on this handle alone.
    run("MULTI", &[]).unwrap();
    run("INCR", &[text("count")]).unwrap();
    run("GET", &[text("number")]).unwrap();
    let done = run("EXEC", &[]).unwrap();
    assert_eq!(done, [RedisResult::Int64(3), RedisResult::Binary(b"-7".to_vec())]);
    // What is wrong.
    assert!(matches!(redis.incr("set"), Err(Error::TypeError)));
    redis.set("key", &b"no number".to_vec()).unwrap();
    assert!(matches!(redis.incr("key"), Err(Error::TypeError)));
    assert!(matches!(run("NONE", &[]), Err(Error::Other(reason)) if reason.contains("unknown command")));
    assert!(matches!(Connection::open("no address"), Err(Error::InvalidAddress)));
    assert!(matches!(Connection::open("redis://127.0.0.2:6379"), Err(Error::InvalidAddress)));
    assert!(matches!(Connection::open("redis://127.0.0.1:1"), Err(Error::Other(_))));
}
