//! MQTT, at the address in the query.

use spin_sdk::mqtt::{Connection, Error, Qos};

pub fn check(address: &str) {
    let mqtt = Connection::open(address, "", "", 30).unwrap();
    for (qos, payload) in [(Qos::AtMostOnce, "0"), (Qos::AtLeastOnce, "1"), (Qos::ExactlyOnce, "2")] {
        mqtt.publish("topic", &payload.as_bytes().to_vec(), qos).unwrap();
    }
    let wild = mqtt.publish("a/#", &Vec::new(), Qos::AtMostOnce);
    assert!(matches!(wild, Err(Error::Other(_))));
    let open = |address: &str| Connection::open(address, "", "", 0).err();
    assert!(matches!(open("no address"), Some(Error::InvalidAddress)));
    assert!(matches!(open("mqtt://127.0.0.2:1883"), Some(Error::ConnectionFailed(_))));
    assert!(matches!(open("mqtt://127.0.0.1:1"), Some(Error::ConnectionFailed(_))));
}
