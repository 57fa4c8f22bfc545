//! The bytes of a connection, and which HTTP a client speaks, told from the first of them.
//!
//! HTTP/2 without TLS begins, by prior knowledge, with a preface that no HTTP/1.1 request begins
//! with (RFC 9113 §3.4). What was read to tell is read again by whoever serves the connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use crate::activity::Activity;

const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The HTTP of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

/// The bytes of a connection, without their encryption: what was read to tell the version is read again, and what
/// comes is told.
pub(crate) struct Wire<S> {
    /// Read already, and to be read again.
    before: Bytes,
    stream: S,
    activity: Arc<Activity>,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, activity: Arc<Activity>) -> Self {
        Self { before: Bytes::new(), stream, activity }
    }

    /// Reads until it is clear what the client speaks.
    pub(crate) async fn version(&mut self) -> io::Result<Version> {
        let mut first = [0; PREFACE.len()];
        let mut read = 0;
        let version = loop {
            let now = self.read(&mut first[read..]).await?;
            read += now;
            match () {
                () if first[..read] != PREFACE[..read] => break Version::Http1,
                () if read == PREFACE.len() => break Version::Http2,
                // A client that stops within the preface gets what a broken HTTP/1.1 client gets.
                () if now == 0 => break Version::Http1,
                () => {}
            }
        };
        self.unread(&first[..read]);
        Ok(version)
    }
}

impl<S> Wire<S> {
    /// Has `bytes` read again, before all else.
    pub(crate) fn unread(&mut self, bytes: &[u8]) {
        self.before = [bytes, &*self.before].concat().into();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.before.is_empty() {
            let length = buffer.remaining().min(self.before.len());
            buffer.put_slice(&self.before.split_to(length));
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.read();
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
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
        let mut stream = Wire::new(server, Arc::default());
        let version = stream.version().await.unwrap();
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
