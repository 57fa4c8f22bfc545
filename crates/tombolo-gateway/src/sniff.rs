//! Which HTTP a client speaks, told from its first bytes.
//!
//! HTTP/2 without TLS begins, by prior knowledge, with a preface that no HTTP/1.1 request begins
//! with (RFC 9113 §3.4). What was read to tell is read again by whoever serves the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

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
}

/// Reads until it is clear what the client speaks.
pub(crate) async fn sniff<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Version, Sniffed<S>)> {
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
        return Ok((version, Sniffed { first, from: 0, to: read, stream }));
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
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
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
        let (version, mut stream) = sniff(server).await.unwrap();
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
}
