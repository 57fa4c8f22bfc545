//! `spin:key-value@3.0.0`: every call may return a promise, and keys come as a stream.

use std::pin::Pin;
use std::task::{Context, Poll};

use tombolo_capability::{Guest, HeldMemory, HostMemory};
use wasmtime::StoreContextMut;
use wasmtime::component::{
    Access, Accessor, Destination, FutureReader, Resource, StreamProducer, StreamReader, StreamResult,
    VecBuffer,
};

use crate::HasKv;
use crate::view::{Host, OpenStore, Page, Refusal};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:spin3; world imports { import spin:key-value/key-value@3.0.0; }",
        path: ["../../wit/spin-key-value@3.0.0"],
        world: "tombolo:spin3/imports",
        imports: { default: store | trappable },
        with: { "spin:key-value/key-value.store": crate::view::OpenStore },
    });
}

pub(crate) use generated::spin::key_value::key_value;
use key_value::Error;

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::TableFull => Self::StoreTableFull,
            Refusal::NoSuchStore => Self::NoSuchStore,
            Refusal::AccessDenied => Self::AccessDenied,
            Refusal::Other(reason) => Self::Other(reason),
        }
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Handle = Resource<OpenStore>;

/// The store behind a handle: taken out, so that waiting for the disk holds nothing of the guest.
fn store(accessor: &Accessor<Guest, HasKv>, handle: &Handle) -> wasmtime::Result<OpenStore> {
    accessor.with(|mut access| access.get().store(handle))
}

impl key_value::Host for Host<'_> {}

impl key_value::HostStore for Host<'_> {}

impl key_value::HostStoreWithStore<Guest> for HasKv {
    async fn open(accessor: &Accessor<Guest, Self>, label: String) -> Answer<Handle> {
        Ok(accessor.with(|mut access| access.get().open(&label)).map_err(Error::from))
    }

    async fn get(accessor: &Accessor<Guest, Self>, handle: Handle, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(store(accessor, &handle)?.get(&key).await.map_err(Error::from))
    }

    async fn set(
        accessor: &Accessor<Guest, Self>,
        handle: Handle,
        key: String,
        value: Vec<u8>,
    ) -> Answer<()> {
        Ok(store(accessor, &handle)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(accessor: &Accessor<Guest, Self>, handle: Handle, key: String) -> Answer<()> {
        Ok(store(accessor, &handle)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(accessor: &Accessor<Guest, Self>, handle: Handle, key: String) -> Answer<bool> {
        Ok(store(accessor, &handle)?.exists(&key).await.map_err(Error::from))
    }

    async fn get_keys(
        accessor: &Accessor<Guest, Self>,
        handle: Handle,
    ) -> wasmtime::Result<(StreamReader<String>, FutureReader<Result<(), Error>>)> {
        let store = store(accessor, &handle)?;
        let (ended, end) = tokio::sync::oneshot::channel();
        accessor.with(|mut access| {
            let memory = access.get().memory;
            let producer = KeyProducer {
                store,
                pending: None,
                after: None,
                memory: memory.clone(),
                held: None,
                ended: Some(ended),
            };
            let keys = StreamReader::new(&mut access, producer)?;
            // The producer was dropped before its end: who stopped reading has nothing to learn.
            let end =
                FutureReader::new(&mut access, async { wasmtime::error::Ok(end.await.unwrap_or(Ok(()))) })?;
            Ok((keys, end))
        })
    }

    fn drop(mut access: Access<'_, Guest, Self>, handle: Handle) -> wasmtime::Result<()> {
        access.get().close(handle)
    }
}

/// What a key takes besides its text.
const KEY_BYTES: u64 = size_of::<String>() as u64;

type NextPage = Pin<Box<dyn Future<Output = Result<Page, Refusal>> + Send>>;

/// Keys, a page at a time as the guest reads them.
struct KeyProducer {
    store: OpenStore,
    /// The next page, while it is waited for.
    pending: Option<NextPage>,
    after: Option<String>,
    memory: HostMemory,
    /// The keys of the last page, until the guest has asked for the next.
    held: Option<HeldMemory>,
    /// Taken when the end is told.
    ended: Option<tokio::sync::oneshot::Sender<Result<(), Error>>>,
}

impl KeyProducer {
    fn end(&mut self, result: Result<(), Error>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result);
        }
    }
}

impl<D> StreamProducer<D> for KeyProducer {
    type Item = String;
    type Buffer = VecBuffer<String>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, String, VecBuffer<String>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        if destination.remaining(&mut store) == Some(0) {
            // A read of nothing asks whether there is something: the read behind it waits for that.
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        if self.ended.is_none() {
            // Asked again behind the last page, while what was read is still taken.
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        let Self { store, pending, after, .. } = &mut *self;
        let page = pending.get_or_insert_with(|| {
            let (store, after) = (store.clone(), after.clone());
            Box::pin(async move { store.page(after.as_deref()).await })
        });
        let page = match page.as_mut().poll(context) {
            Poll::Ready(page) => page,
            Poll::Pending if finish => {
                // Begun anew by the next read, if there is one.
                self.pending = None;
                return Poll::Ready(Ok(StreamResult::Cancelled));
            }
            Poll::Pending => return Poll::Pending,
        };
        self.pending = None;
        self.held = None;
        let page = page.and_then(|page| {
            let bytes = page.keys.iter().map(|key| KEY_BYTES + key.len() as u64).sum();
            let held = self.memory.take(bytes);
            self.held = Some(held.map_err(|error| Refusal::Other(format!("too many keys: {error}")))?);
            Ok(page)
        });
        match page {
            Ok(Page { keys, next }) => {
                destination.set_buffer(keys.into());
                if next.is_some() {
                    self.after = next;
                    return Poll::Ready(Ok(StreamResult::Completed));
                }
                self.end(Ok(()));
            }
            Err(refusal) => self.end(Err(refusal.into())),
        }
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}
