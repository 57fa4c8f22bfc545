//! What one instance has of MQTT, and the operations all interfaces share.

use std::sync::Arc;

use rumqttc::mqttbytes::QoS;
use tokio::sync::Mutex;
use tombolo_capability::{HostMemory, Meter};
use tombolo_egress::EgressError;
use wasmtime::component::{Resource, ResourceTable};

use crate::Granted;
use crate::address::{Address, TEXT_BYTES_MAX};
use crate::client::{Client, ClientError, Credentials};

/// Handles one instance may have open at once, as in Spin.
const OPEN_MAX: usize = 256;

/// The connections of one instance.
pub struct View {
    granted: Arc<Granted>,
    open: usize,
}

impl View {
    pub(crate) fn new(granted: Arc<Granted>) -> Self {
        Self { granted, open: 0 }
    }
}

/// An open connection, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
#[derive(Clone)]
pub struct OpenConnection(Arc<Session>);

struct Session {
    granted: Arc<Granted>,
    as_whom: Credentials,
    /// `None` after one was lost and no other could be made.
    client: Mutex<Option<Client>>,
}

/// Why a call of a guest gets an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidAddress,
    TooManyConnections,
    ConnectionFailed(String),
    Other(String),
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Egress(EgressError::Busy) => Self::TooManyConnections,
            ClientError::Egress(EgressError::Connect(source)) => {
                Self::ConnectionFailed(format!("cannot connect to the broker: {}", source.kind()))
            }
            ClientError::TooLarge => Self::Other(error.to_string()),
            _ => Self::ConnectionFailed(error.to_string()),
        }
    }
}

/// An instance's view and its resources, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) account: Account,
}

/// Whom a message is charged to.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: HostMemory,
}

/// A connection that a guest asks for.
pub(crate) struct Opening {
    granted: Arc<Granted>,
    as_whom: Credentials,
}

impl Host<'_> {
    /// Reads an address; one that was not granted is refused before anything is done with it.
    pub(crate) fn opening(
        &self,
        address: &str,
        user: String,
        password: String,
        keep_alive_s: u64,
    ) -> Result<Opening, Refusal> {
        let address = Address::parse(address).map_err(|_| Refusal::InvalidAddress)?;
        let granted = Arc::clone(&self.view.granted);
        if !granted.egress.allows(&address.destination()) {
            return Err(ClientError::from(EgressError::Denied).into());
        }
        if self.view.open == OPEN_MAX {
            return Err(Refusal::TooManyConnections);
        }
        // What the call says comes before what the address says.
        let (user, password) = match user.is_empty() && password.is_empty() {
            true => (address.user.clone(), address.password.clone()),
            false => (user, password),
        };
        if user.len() > TEXT_BYTES_MAX || password.len() > TEXT_BYTES_MAX {
            return Err(Refusal::Other(format!(
                "user and password have at most {TEXT_BYTES_MAX} bytes each"
            )));
        }
        let keep_alive_s = u16::try_from(keep_alive_s).unwrap_or(u16::MAX);
        Ok(Opening { granted, as_whom: Credentials { address, user, password, keep_alive_s } })
    }

    /// Hands an open connection to the guest.
    pub(crate) fn push(&mut self, open: OpenConnection) -> Result<Resource<OpenConnection>, Refusal> {
        // Others may have been opened while this one was.
        if self.view.open == OPEN_MAX {
            return Err(Refusal::TooManyConnections);
        }
        let resource = self.table.push(open).map_err(|_| Refusal::TooManyConnections)?;
        self.view.open += 1;
        Ok(resource)
    }

    /// The connection behind a resource. The guest cannot have made one up: an error is a trap.
    pub(crate) fn connection(&self, resource: &Resource<OpenConnection>) -> wasmtime::Result<OpenConnection> {
        Ok(self.table.get(resource)?.clone())
    }

    pub(crate) fn close(&mut self, resource: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        self.view.open -= 1;
        Ok(())
    }
}

impl Opening {
    pub(crate) async fn open(self) -> Result<OpenConnection, Refusal> {
        let Self { granted, as_whom } = self;
        let client = Mutex::new(Some(Client::connect(&granted.egress, &as_whom).await?));
        Ok(OpenConnection(Arc::new(Session { granted, as_whom, client })))
    }
}

impl OpenConnection {
    /// Publishes a message. Messages of one handle go out one after the other.
    pub(crate) async fn publish(
        &self,
        account: Account,
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
    ) -> Result<(), Refusal> {
        // A broker ends the connection of who sends another.
        if topic.is_empty() || topic.len() > TEXT_BYTES_MAX || topic.contains(['+', '#', '\0']) {
            let expected = format!("expected 1 to {TEXT_BYTES_MAX} bytes without `+` and `#`");
            return Err(Refusal::Other(format!("not a topic to publish to: {expected}")));
        }
        let Session { granted, as_whom, client } = &*self.0;
        let payload_max = granted.egress.common().mqtt_message_bytes_max;
        if let Some(max) = payload_max.filter(|max| payload.len() as u64 > *max) {
            return Err(Refusal::Other(format!("the message is too large: the operator allows {max} bytes")));
        }
        let bytes = (topic.len() + payload.len()) as u64;
        // As it came, and as a packet.
        let _held = account
            .memory
            .take(bytes.saturating_mul(2))
            .map_err(|error| Refusal::Other(format!("the message is too large: {error}")))?;
        let (usage, bytes_max) = (account.meter.outbound(), granted.bytes_max);
        usage.request();
        usage.send(bytes, bytes_max).map_err(|_| {
            Refusal::Other(format!(
                "a request may send {bytes_max} bytes to other hosts (`outbound_bytes_max`)"
            ))
        })?;
        let mut client = client.lock().await;
        let is_alive = match &mut *client {
            Some(client) => client.is_alive().await,
            None => false,
        };
        if !is_alive {
            // Its place is that of the next. It remembers nothing, so another is as good.
            *client = None;
        }
        let client = match &mut *client {
            Some(client) => client,
            none => none.insert(Client::connect(&granted.egress, as_whom).await?),
        };
        Ok(client.publish(topic, payload, qos).await?)
    }
}
