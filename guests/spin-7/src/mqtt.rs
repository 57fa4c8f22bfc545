//! MQTT, at the address in the query.

use spin_sdk::mqtt::{Connection, Error, Qos};

pub async fn check(address: &str) {
    let open = async |address: &str| Connection::open(address, "", "", 30).await;
    let mqtt = open(address).await.unwrap();
    for (qos, payload) in [(Qos::AtMostOnce, "0"), (Qos::AtLeastOnce, "1"), (Qos::ExactlyOnce, "2")] {
        mqtt.publish("topic", payload.into(), qos).await.unwrap();
    }
    let wild = mqtt.publish("a/#", Vec::new(), Qos::AtMostOnce).await;
    assert!(matches!(wild, Err(Error::Other(_))));
    assert!(matches!(open("no address").await, Err(Error::InvalidAddress)));
    assert!(matches!(open("mqtt://127.0.0.2:1883").await, Err(Error::ConnectionFailed(_))));
    assert!(matches!(open("mqtt://127.0.0.1:1").await, Err(Error::ConnectionFailed(_))));
}
