//! Which HTTP a client speaks, told from its first bytes.
//!
//! HTTP/2 without TLS begins, by prior knowledge, with a preface that no HTTP/1.1 request begins
//! with (RFC 9113 §3.4). What was read to tell is read again by whoever serves the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The HTTP of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// A connection whose first bytes were read already.
pub(crate) struct Sniffed<S> {
    first: [u8; 24],
    /// The part of `first` that is still to be read.
    from: usize,
    to: usize,
    stream: S,
    /// Runs while the client takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    write_time_max: Duration,
}

/// Reads until it is clear what the client speaks. The connection that is returned fails when the
/// client takes nothing for `write_time_max`.
pub(crate) async fn sniff<S: AsyncRead + Unpin>(
    mut stream: S,
    write_time_max: Duration,
) -> io::Result<(Version, Sniffed<S>)> {
    let mut first = [0; 24];
    let mut read = 0;
    loop {
        let now = stream.read(&mut first[read..]).await?;
        read += now;
        let version = match () {
            () if first[..read] != PREFACE[..read] => Version::Http1,
            () if read == PREFACE.len() => Version::Http2,
            // A client that stops within the preface gets what a broken HTTP/1.1 client gets.
            () if now == 0 => Version::Http1,
            () => continue,
        };
        return Ok((version, Sniffed { first, from: 0, to: read, stream, stalled: None, write_time_max }));
    }
}

impl<S> Sniffed<S> {
    /// What a write came to, or that the client took nothing for too long.
    fn bounded(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let limit = self.write_time_max;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        stalled.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Sniffed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.from < self.to {
            let length = buffer.remaining().min(self.to - self.from);
            buffer.put_slice(&self.first[self.from..self.from + length]);
            self.from += length;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Sniffed<S> {
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
    use tokio::io::AsyncWriteExt;

    /// Whatever the pieces it comes in, the version is told and no byte is lost.
    async fn check(bytes: &[u8], piece: usize, expected: Version) {
        let (mut client, server) = tokio::io::duplex(4096);
        let sent = bytes.to_vec();
        let send = tokio::spawn(async move {
            for part in sent.chunks(piece) {
                client.write_all(part).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        let (version, mut stream) = sniff(server, Duration::from_secs(1)).await.unwrap();
        let mut read = Vec::new();
        stream.read_to_end(&mut read).await.unwrap();
        send.await.unwrap();
        assert_eq!((version, read.as_slice()), (expected, bytes));
    }

    #[tokio::test]
    async fn the_version_is_told_and_no_byte_is_lost() {
        for piece in [1, 3, 24, 100] {
            check(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", piece, Version::Http1).await;
            check(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nframes", piece, Version::Http2).await;
            check(b"PRI * HTTP/1.1\r\n\r\n", piece, Version::Http1).await;
            check(b"P", piece, Version::Http1).await;
            check(b"", piece, Version::Http1).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_given_up() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let (_, mut stream) = sniff(server, Duration::from_secs(30)).await.unwrap();
        let started = tokio::time::Instant::now();
        let error = stream.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(started.elapsed().as_secs(), 30);
    }
}
