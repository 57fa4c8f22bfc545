//! A socket whose client has to take what is sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use crate::activity::Activity;

/// The bytes that travel, encrypted or not: a client that takes nothing is given up. Beneath the encryption, which
/// takes bytes before a client does.
pub struct Socket<S> {
    stream: S,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    write_time_max: Duration,
    activity: Arc<Activity>,
}

impl<S> Socket<S> {
    /// The same for a connection whose activity is nobody's matter.
    pub fn alone(stream: S, write_time_max: Duration) -> Self {
        Self::new(stream, write_time_max, Arc::default())
    }

    /// Fails when the client takes nothing for `write_time_max`.
    pub(crate) fn new(stream: S, write_time_max: Duration, activity: Arc<Activity>) -> Self {
        Self { stream, stalled: None, write_time_max, activity }
    }

    /// What a write came to, or that the client took nothing for too long.
    fn bounded(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        self.activity.wrote(written.is_pending());
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.write_time_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.bounded(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (_client, server) = tokio::io::duplex(64);
        let mut stream = Socket::new(server, Duration::from_secs(30), Arc::default());
        let started = tokio::time::Instant::now();
        let error = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_a_little_now_and_then_is_not() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut stream = Socket::new(server, Duration::from_secs(30), Arc::default());
        let take = tokio::spawn(async move {
            let mut taken = [0; 10];
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(29)).await;
                client.read_exact(&mut taken).await.unwrap();
            }
        });
        stream.write_all(&[0; 1000]).await.unwrap();
        take.await.unwrap();
    }
}
