//! `wasi:io` of the snapshot.

use wasmtime::component::Resource;
use wasmtime_wasi::p2::bindings::io::error::{Error, HostError as _};
use wasmtime_wasi::p2::bindings::io::poll::{Host as _, HostPollable as _};
use wasmtime_wasi::p2::bindings::io::streams::{HostInputStream as _, HostOutputStream as _};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};

use super::Host;
use super::snapshot::io::{poll, streams};

/// Bytes [`streams::HostOutputStream::forward`] moves at once: as many as a blocking write takes.
const FORWARD_BYTES: u64 = 4096;

/// The same for another call.
fn borrowed<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

impl poll::Host for Host<'_> {
    async fn poll_list(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.0.table.poll(pollables).await
    }

    async fn poll_one(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.0.table.block(pollable).await
    }
}

impl poll::HostPollable for Host<'_> {
    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::bindings::io::poll::HostPollable::drop(self.0.table, pollable)
    }
}

impl Host<'_> {
    /// The error as the guest is to get it: one of its own, or a trap.
    fn told<T>(&mut self, result: StreamResult<T>) -> wasmtime::Result<Result<T, streams::StreamError>> {
        match result {
            Ok(value) => Ok(Ok(value)),
            Err(StreamError::Closed) => Ok(Err(streams::StreamError::Closed)),
            Err(StreamError::LastOperationFailed(error)) => {
                Ok(Err(streams::StreamError::LastOperationFailed(self.0.table.push(error)?)))
            }
            Err(StreamError::Trap(error)) => Err(error),
        }
    }
}

type Told<T> = wasmtime::Result<Result<T, streams::StreamError>>;
type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;

impl streams::Host for Host<'_> {}

impl streams::HostError for Host<'_> {
    fn to_debug_string(&mut self, error: Resource<Error>) -> wasmtime::Result<String> {
        self.0.table.to_debug_string(error)
    }

    fn drop(&mut self, error: Resource<Error>) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::bindings::io::error::HostError::drop(self.0.table, error)
    }
}

impl streams::HostInputStream for Host<'_> {
    fn read(&mut self, stream: Input, bytes: u64) -> Told<Vec<u8>> {
        let read = self.0.table.read(stream, bytes);
        self.told(read)
    }

    async fn blocking_read(&mut self, stream: Input, bytes: u64) -> Told<Vec<u8>> {
        let read = self.0.table.blocking_read(stream, bytes).await;
        self.told(read)
    }

    fn skip(&mut self, stream: Input, bytes: u64) -> Told<u64> {
        let skipped = self.0.table.skip(stream, bytes);
        self.told(skipped)
    }

    async fn blocking_skip(&mut self, stream: Input, bytes: u64) -> Told<u64> {
        let skipped = self.0.table.blocking_skip(stream, bytes).await;
        self.told(skipped)
    }

    fn subscribe(&mut self, stream: Input) -> wasmtime::Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::bindings::io::streams::HostInputStream::subscribe(self.0.table, stream)
    }

    async fn drop(&mut self, stream: Input) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::bindings::io::streams::HostInputStream::drop(self.0.table, stream).await
    }
}

impl streams::HostOutputStream for Host<'_> {
    fn check_write(&mut self, stream: Output) -> Told<u64> {
        let permit = self.0.table.check_write(stream);
        self.told(permit)
    }

    fn write(&mut self, stream: Output, bytes: Vec<u8>) -> Told<()> {
        let written = self.0.table.write(stream, bytes);
        self.told(written)
    }

    async fn blocking_write_and_flush(&mut self, stream: Output, bytes: Vec<u8>) -> Told<()> {
        let written = self.0.table.blocking_write_and_flush(stream, bytes).await;
        self.told(written)
    }

    fn flush(&mut self, stream: Output) -> Told<()> {
        let flushed = self.0.table.flush(stream);
        self.told(flushed)
    }

    async fn blocking_flush(&mut self, stream: Output) -> Told<()> {
        let flushed = self.0.table.blocking_flush(stream).await;
        self.told(flushed)
    }

    fn subscribe(&mut self, stream: Output) -> wasmtime::Result<Resource<DynPollable>> {
        wasmtime_wasi::p2::bindings::io::streams::HostOutputStream::subscribe(self.0.table, stream)
    }

    fn write_zeroes(&mut self, stream: Output, bytes: u64) -> Told<()> {
        let written = self.0.table.write_zeroes(stream, bytes);
        self.told(written)
    }

    async fn blocking_write_zeroes_and_flush(&mut self, stream: Output, bytes: u64) -> Told<()> {
        let written = self.0.table.blocking_write_zeroes_and_flush(stream, bytes).await;
        self.told(written)
    }

    fn splice(&mut self, stream: Output, source: Input, bytes: u64) -> Told<u64> {
        let moved = self.0.table.splice(stream, source, bytes);
        self.told(moved)
    }

    async fn blocking_splice(&mut self, stream: Output, source: Input, bytes: u64) -> Told<u64> {
        let moved = self.0.table.blocking_splice(stream, source, bytes).await;
        self.told(moved)
    }

    /// All of `source`, to its end. What ends the other is told apart from that, so bytes go by way of here.
    async fn forward(&mut self, stream: Output, source: Input) -> Told<u64> {
        let mut all = 0;
        loop {
            let bytes = match self.0.table.blocking_read(borrowed(&source), FORWARD_BYTES).await {
                Ok(bytes) => bytes,
                Err(StreamError::Closed) => return Ok(Ok(all)),
                Err(error) => return self.told(Err(error)),
            };
            all += bytes.len() as u64;
            let written = self.0.table.blocking_write_and_flush(borrowed(&stream), bytes).await;
            if let Err(error) = written {
                return self.told(Err(error));
            }
        }
    }

    async fn drop(&mut self, stream: Output) -> wasmtime::Result<()> {
        wasmtime_wasi::p2::bindings::io::streams::HostOutputStream::drop(self.0.table, stream).await
    }
}
