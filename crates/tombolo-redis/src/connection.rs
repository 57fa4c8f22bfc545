//! One connection to a server.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use rustix::net::RecvFlags;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tombolo_egress::tls;

use crate::{Address, Budget, Bytes, Command, RedisError, Reply, reply};

/// Bytes an answer to `AUTH` or `SELECT` may have.
const GREETING_BYTES_MAX: u64 = 64 << 10;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// What it goes over.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// A connection, spoken over as the address says.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    is_encrypted: bool,
    /// Whether the last answer was read to its end.
    is_ready: bool,
}

impl Connection {
    /// Begins to speak over `stream`, a connection to `address`.
    ///
    /// # Errors
    ///
    /// If the server is not who it should be, or does not take the caller for who it says it is.
    pub async fn open(
        stream: TcpStream,
        address: &Address,
        config: &Arc<ClientConfig>,
    ) -> Result<Self, RedisError> {
        // A command is written whole, and waits for nothing.
        stream.set_nodelay(true)?;
        let is_encrypted = address.is_encrypted();
        let stream: Box<dyn Stream> = match is_encrypted {
            true => Box::new(tls::encrypt(config, address.destination().host, stream).await?),
            false => Box::new(stream),
        };
        let mut connection = Self { stream: BufReader::new(stream), is_encrypted, is_ready: true };
        if let Some(credentials) = address.credentials() {
            let greeted = connection.greet(Command::new("AUTH").args(credentials)).await;
            greeted.map_err(|error| match error {
                // Some servers repeat what they were told, and this is told to logs.
                RedisError::Server(reason) => {
                    let kind = reason.split(' ').next().unwrap_or_default();
                    RedisError::Server(format!("{kind} (to the credentials of the address)"))
                }
                error => error,
            })?;
        }
        if address.database() != 0 {
            connection.greet(Command::new("SELECT").arg(address.database().to_string())).await?;
        }
        Ok(connection)
    }

    async fn greet(&mut self, command: Command) -> Result<(), RedisError> {
        self.call(&command, &mut Bytes(GREETING_BYTES_MAX)).await.map(drop)
    }

    /// The answer to a command. If this future is dropped, or fails but for the server's own refusal, the
    /// connection is of no more use.
    ///
    /// # Errors
    ///
    /// Why there is no answer.
    pub async fn call(&mut self, command: &Command, budget: &mut impl Budget) -> Result<Reply, RedisError> {
        if !std::mem::take(&mut self.is_ready) {
            return Err(RedisError::Lost);
        }
        self.send(command).await?;
        let reply = reply::read(&mut self.stream, budget).await?;
        self.is_ready = true;
        match reply {
            Reply::Error(reason) => Err(RedisError::Server(reason)),
            reply => Ok(reply),
        }
    }

    /// Sends a command, for whose answer nobody waits here.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub async fn send(&mut self, command: &Command) -> Result<(), RedisError> {
        let (head, rest) = command.encoded();
        let stream = self.stream.get_mut();
        match rest.len() {
            // One write, one packet.
            0..4096 => stream.write_all(&[head.as_bytes(), rest].concat()).await?,
            _ => {
                stream.write_all(head.as_bytes()).await?;
                stream.write_all(rest).await?;
            }
        }
        stream.flush().await?;
        Ok(())
    }

    /// Waits until the server has sent something, or has closed the connection. May be dropped at any time.
    ///
    /// # Errors
    ///
    /// If the connection fails.
    pub async fn readable(&mut self) -> Result<(), RedisError> {
        self.stream.fill_buf().await?;
        Ok(())
    }

    /// What the server sends without being asked: messages, once it was asked to publish some.
    ///
    /// # Errors
    ///
    /// If the connection ends, or what comes is too large.
    pub async fn next(&mut self, budget: &mut impl Budget) -> Result<Reply, RedisError> {
        Ok(reply::read(&mut self.stream, budget).await?)
    }

    /// Whether the next command can be sent over it.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Whether the server is still there, and has said nothing that nobody asked for.
    pub(crate) async fn is_quiet(&mut self) -> bool {
        // The system is asked: what the runtime knows of a socket may be older than the server's farewell.
        let (socket, mut byte) = (self.stream.get_ref().socket(), [0; 1]);
        match rustix::net::recv(socket, &mut byte[..], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Err(error) if error == rustix::io::Errno::AGAIN => {}
            // TLS may speak below what is read here.
            Ok((1.., _)) if self.is_encrypted => {}
            _ => return false,
        }
        poll_fn(|context| Poll::Ready(Pin::new(&mut self.stream).poll_fill_buf(context).is_pending())).await
    }
}
