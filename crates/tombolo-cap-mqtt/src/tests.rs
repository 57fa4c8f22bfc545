use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use rumqttc::mqttbytes::QoS;
use tokio_rustls::rustls::RootCertStore;
use tombolo_capability::{MemoryBudget, Meter, conformance};
use tombolo_egress::{EgressConfig, tls};
use tombolo_model::Source;
use tombolo_model::outbound::AllowedHosts;
use tombolo_testkit::servers::mosquitto::Mosquitto;
use wasmtime::component::ResourceTable;

use super::*;
use crate::view::{OpenConnection, Refusal};

/// An instance and its resources.
struct Instance {
    view: View,
    table: ResourceTable,
}

impl Instance {
    fn of(config: EgressConfig) -> Self {
        let component = Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()));
        let granted = Mqtt.grant(&"shop".parse().unwrap(), &component, &Egress::new(config)).unwrap();
        Self { view: Capability::open(&Mqtt, &granted), table: ResourceTable::new() }
    }

    fn new(connections_max: u32) -> Self {
        let allowed = Arc::new(AllowedHosts::parse(["mqtt://127.0.0.1:*"]).unwrap());
        Self::of(EgressConfig { connections_max, ..EgressConfig::to(allowed) })
    }

    async fn open(&mut self, address: &str, login: (&str, &str)) -> Result<OpenConnection, Refusal> {
        let host = Host { view: &mut self.view, table: &mut self.table, account: account() };
        host.opening(address, login.0.to_owned(), login.1.to_owned(), 30)?.open().await
    }
}

fn account() -> Account {
    let meter = Arc::new(Meter::new(Duration::MAX));
    let memory = MemoryBudget::new(1 << 20, Arc::clone(&meter)).host().clone();
    Account { meter, memory }
}

async fn publish(on: &OpenConnection, payload: &str, qos: QoS) -> Result<(), Refusal> {
    on.publish(account(), "topic".to_owned(), payload.as_bytes().to_vec(), qos).await
}

const NOBODY: (&str, &str) = ("", "");

#[test]
fn it_provides_what_it_names() {
    conformance::provides_what_it_names(&Mqtt);
}

#[tokio::test]
async fn what_is_published_comes_with_its_quality_of_service() {
    let broker = Mosquitto::start();
    let subscription = broker.subscribe("topic", None);
    let mut instance = Instance::new(4);
    let connection = instance.open(&broker.address(), NOBODY).await.unwrap();
    for round in 0..2 {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            publish(&connection, &format!("{round} {qos:?}"), qos).await.unwrap();
        }
    }
    let received = [(); 6].map(|()| subscription.next());
    for (number, (payload, qos)) in received.iter().enumerate() {
        let name = ["AtMostOnce", "AtLeastOnce", "ExactlyOnce"][number % 3];
        assert_eq!(String::from_utf8_lossy(payload), format!("{} {name}", number / 3));
        assert_eq!(*qos as usize, number % 3);
    }
    let large = "x".repeat(600_000);
    let refused = publish(&connection, &large, QoS::AtLeastOnce).await;
    assert!(matches!(refused, Err(Refusal::Other(reason)) if reason.contains("too large")));
    for topic in ["", "a/+", "#", "a\0"] {
        let refused = connection.publish(account(), topic.to_owned(), Vec::new(), QoS::AtMostOnce).await;
        assert!(matches!(refused, Err(Refusal::Other(reason)) if reason.contains("not a topic")), "{topic}");
    }
}

#[tokio::test]
async fn a_broker_knows_whom_it_lets_in() {
    let broker = Mosquitto::start_for("me", "secret");
    let mut instance = Instance::new(4);
    instance.open(&broker.address(), ("me", "secret")).await.unwrap();
    instance.open(&format!("mqtt://me:secret@127.0.0.1:{}", broker.port()), NOBODY).await.unwrap();
    let named = format!("mqtt://me:wrong@127.0.0.1:{}?client_id=named", broker.port());
    instance.open(&named, ("me", "secret")).await.unwrap();
    for login in [("me", "wrong"), NOBODY] {
        let refused = instance.open(&broker.address(), login).await.err();
        assert!(matches!(refused, Some(Refusal::ConnectionFailed(reason)) if reason.contains("refused")));
    }
}

#[tokio::test]
async fn an_address_that_is_none_or_was_not_granted_is_refused() {
    let broker = Mosquitto::start();
    let mut instance = Instance::new(1);
    assert_eq!(instance.open("127.0.0.1", NOBODY).await.err(), Some(Refusal::InvalidAddress));
    let denied = "the host is not among the component's `allowed_outbound_hosts`".to_owned();
    for address in ["mqtt://broker.invalid", "mqtts://127.0.0.1", "mqtt://127.0.0.2:1883"] {
        let refused = instance.open(address, NOBODY).await.err();
        assert_eq!(refused, Some(Refusal::ConnectionFailed(denied.clone())), "{address}");
    }
    let _one = instance.open(&broker.address(), NOBODY).await.unwrap();
    assert_eq!(instance.open(&broker.address(), NOBODY).await.err(), Some(Refusal::TooManyConnections));
}

#[tokio::test]
async fn a_connection_that_was_lost_is_made_anew() {
    let mut broker = Mosquitto::start();
    let mut instance = Instance::new(1);
    let connection = instance.open(&broker.address(), NOBODY).await.unwrap();
    publish(&connection, "one", QoS::AtLeastOnce).await.unwrap();
    // One that is not waited for.
    {
        let mut left = std::pin::pin!(publish(&connection, "two", QoS::ExactlyOnce));
        let waits = poll_fn(|context| Poll::Ready(left.as_mut().poll(context).is_pending())).await;
        assert!(waits);
    }
    publish(&connection, "three", QoS::ExactlyOnce).await.unwrap();
    broker.restart();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let subscription = broker.subscribe("topic", None);
    publish(&connection, "four", QoS::AtMostOnce).await.unwrap();
    assert_eq!(subscription.next().0, b"four");
    broker.stop();
    let refused = publish(&connection, "five", QoS::ExactlyOnce).await;
    assert!(matches!(refused, Err(Refusal::ConnectionFailed(_))), "{refused:?}");
}

#[tokio::test]
async fn an_encrypted_connection_trusts_whom_it_should() {
    let folder = tempfile::tempdir().unwrap();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, own.cert.pem()).unwrap();
    std::fs::write(&key, own.signing_key.serialize_pem()).unwrap();
    let lines = [
        "allow_anonymous true".to_owned(),
        format!("certfile {}", certificate.display()),
        format!("keyfile {}", key.display()),
    ];
    let broker = Mosquitto::start_with(&lines.each_ref().map(String::as_str));
    let allowed = Arc::new(AllowedHosts::parse(["mqtts://localhost:*"]).unwrap());
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).unwrap();
    let config = EgressConfig { tls: tls::config(roots), ..EgressConfig::to(Arc::clone(&allowed)) };
    let address = format!("mqtts://localhost:{}", broker.port());
    let connection = Instance::of(config).open(&address, NOBODY).await.unwrap();
    publish(&connection, "one", QoS::ExactlyOnce).await.unwrap();
    let refused = Instance::of(EgressConfig::to(allowed)).open(&address, NOBODY).await.err();
    assert!(matches!(refused, Some(Refusal::ConnectionFailed(reason)) if reason.contains("TLS")));
}
