//! `fermyon:spin/key-value@2.0.0`.

use wasmtime::component::Resource;

use crate::view::{Host, OpenStore, Refusal};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:spin2; world imports { import fermyon:spin/key-value@2.0.0; }",
        path: ["../../wit/fermyon-spin@2.0.0"],
        world: "tombolo:spin2/imports",
        imports: { default: async | trappable },
        with: { "fermyon:spin/key-value.store": crate::view::OpenStore },
    });
}

pub(crate) use generated::fermyon::spin::key_value;
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

impl key_value::Host for Host<'_> {}

impl key_value::HostStore for Host<'_> {
    async fn open(&mut self, label: String) -> Answer<Handle> {
        Ok(Host::open(self, &label).map_err(Error::from))
    }

    async fn get(&mut self, store: Handle, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.store(&store)?.get(&key).await.map_err(Error::from))
    }

    async fn set(&mut self, store: Handle, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.store(&store)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(&mut self, store: Handle, key: String) -> Answer<()> {
        Ok(self.store(&store)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(&mut self, store: Handle, key: String) -> Answer<bool> {
        Ok(self.store(&store)?.exists(&key).await.map_err(Error::from))
    }

    async fn get_keys(&mut self, store: Handle) -> Answer<Vec<String>> {
        Ok(self.store(&store)?.keys().await.map_err(Error::from))
    }

    async fn drop(&mut self, store: Handle) -> wasmtime::Result<()> {
        self.close(store)
    }
}
