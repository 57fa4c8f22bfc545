//! One connection to a broker, in MQTT 3.1.1 (OASIS standard, 2014), without a session that outlives it.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Packet, PubRel, Publish};
use rumqttc::mqttbytes::{self, QoS};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tombolo_egress::tls::{self, TlsError};
use tombolo_egress::{Egress, EgressError, Slot};

use crate::address::Address;

/// Bytes of one packet of the broker: it acknowledges, and nothing more was asked of it.
const PACKET_BYTES_MAX: usize = 1 << 10;
/// How long after it said something a broker is taken to be there.
const SURE_FOR: Duration = Duration::from_millis(500);
/// Which publication an acknowledgement is for: there is one at a time.
const PACKET_ID: u16 = 1;

/// How a client presents itself.
pub(crate) struct Credentials {
    pub(crate) address: Address,
    pub(crate) user: String,
    pub(crate) password: String,
    /// How long the broker waits for a sign of life, times one and a half. 0: for ever.
    pub(crate) keep_alive_s: u16,
}

/// Why nothing is published.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    #[error(transparent)]
    Egress(#[from] EgressError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    #[error("the broker refused the connection: {0:?}")]
    Refused(ConnectReturnCode),
    #[error("the connection to the broker failed: {}", _0.kind())]
    Io(#[from] io::Error),
    #[error("what the broker sends is not of the protocol")]
    Protocol,
    #[error("the message is too large for the protocol")]
    TooLarge,
}

impl From<mqttbytes::Error> for ClientError {
    fn from(error: mqttbytes::Error) -> Self {
        match error {
            mqttbytes::Error::PayloadTooLong => Self::TooLarge,
            _ => Self::Protocol,
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

pub(crate) struct Client {
    stream: Box<dyn Stream>,
    /// Read, and not yet a whole packet.
    read: BytesMut,
    /// Whether the last publication was acknowledged.
    is_ready: bool,
    /// When the broker last said something.
    heard: Instant,
    _slot: Slot,
}

impl Client {
    /// A connection that the broker has accepted.
    pub(crate) async fn connect(egress: &Egress, as_whom: &Credentials) -> Result<Self, ClientError> {
        let Credentials { address, user, password, keep_alive_s } = as_whom;
        let (stream, slot) = egress.connect(&address.destination()).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = match address.is_encrypted {
            true => Box::new(tls::encrypt(egress.tls(&address.host), &address.host, stream).await?),
            false => Box::new(stream),
        };
        let (read, heard) = (BytesMut::new(), Instant::now());
        let mut client = Self { stream, read, is_ready: true, heard, _slot: slot };
        let mut connect = Connect::new(address.client_id.clone().unwrap_or_else(client_id));
        connect.keep_alive = *keep_alive_s;
        if !user.is_empty() {
            connect.set_login(user, password);
        }
        let mut bytes = BytesMut::new();
        connect.write(&mut bytes)?;
        client.send(&bytes).await?;
        match client.packet().await? {
            Packet::ConnAck(acknowledged) if acknowledged.code == ConnectReturnCode::Success => Ok(client),
            Packet::ConnAck(acknowledged) => Err(ClientError::Refused(acknowledged.code)),
            _ => Err(ClientError::Protocol),
        }
    }

    /// Publishes, and waits for the acknowledgement that `qos` promises. If this future is dropped or fails, the
    /// connection is of no more use.
    pub(crate) async fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        qos: QoS,
    ) -> Result<(), ClientError> {
        self.is_ready = false;
        let mut publish = Publish::new(topic, qos, payload);
        publish.pkid = PACKET_ID;
        let mut bytes = BytesMut::with_capacity(publish.size());
        publish.write(&mut bytes)?;
        drop(publish);
        self.send(&bytes).await?;
        match qos {
            QoS::AtMostOnce => {}
            QoS::AtLeastOnce => {
                self.until(|packet| matches!(packet, Packet::PubAck(ack) if ack.pkid == PACKET_ID)).await?
            }
            QoS::ExactlyOnce => {
                self.until(|packet| matches!(packet, Packet::PubRec(ack) if ack.pkid == PACKET_ID)).await?;
                let mut bytes = BytesMut::new();
                PubRel::new(PACKET_ID).write(&mut bytes)?;
                self.send(&bytes).await?;
                self.until(|packet| matches!(packet, Packet::PubComp(ack) if ack.pkid == PACKET_ID)).await?;
            }
        }
        self.is_ready = true;
        Ok(())
    }

    /// Whether it can publish. A broker may have closed the connection since, for the guest was silent: that is
    /// found out by asking for a sign of life.
    pub(crate) async fn is_alive(&mut self) -> bool {
        if !self.is_ready || self.heard.elapsed() < SURE_FOR {
            return self.is_ready;
        }
        self.is_ready = false;
        let mut bytes = BytesMut::new();
        let asked =
            rumqttc::mqttbytes::v4::PingReq.write(&mut bytes).is_ok() && self.send(&bytes).await.is_ok();
        self.is_ready = asked && self.until(|packet| matches!(packet, Packet::PingResp)).await.is_ok();
        self.is_ready
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await?;
        Ok(())
    }

    /// Reads until a packet is the one that is waited for.
    async fn until(&mut self, is_it: impl Fn(&Packet) -> bool) -> Result<(), ClientError> {
        while !is_it(&self.packet().await?) {}
        Ok(())
    }

    async fn packet(&mut self) -> Result<Packet, ClientError> {
        loop {
            match Packet::read(&mut self.read, PACKET_BYTES_MAX) {
                Ok(packet) => {
                    self.heard = Instant::now();
                    return Ok(packet);
                }
                Err(mqttbytes::Error::InsufficientBytes(_)) => {}
                Err(_) => return Err(ClientError::Protocol),
            }
            if self.stream.read_buf(&mut self.read).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

/// A name that no other client has. A broker ends the connection of a client when another of its name comes;
/// it takes 23 letters and digits at least.
fn client_id() -> String {
    // Each state is keyed anew, from randomness of the system.
    format!("tombolo{:016x}", RandomState::new().hash_one(Instant::now()))
}
