//! `wasi:keyvalue@0.2.0-draft2`: store, atomics and batch.

use tombolo_model::Digest;
use tombolo_store::key_value::{Swap, VALUE_BYTES_MAX};
use wasmtime::component::Resource;

use crate::view::{Host, OpenStore, Refusal};

mod generated {
    wasmtime::component::bindgen!({
        inline: "package tombolo:keyvalue; world imports { include wasi:keyvalue/imports@0.2.0-draft2; }",
        path: ["../../wit/wasi-keyvalue@0.2.0-draft2"],
        world: "tombolo:keyvalue/imports",
        imports: { default: async | trappable },
        with: {
            "wasi:keyvalue/store.bucket": crate::view::OpenStore,
            "wasi:keyvalue/atomics.cas": super::Cas,
        },
    });
}

use atomics::CasError;
pub(crate) use generated::wasi::keyvalue::{atomics, batch, store};
use store::{Error, KeyResponse};

/// A value as it was seen, to be replaced if it is still the same.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
pub struct Cas {
    bucket: OpenStore,
    key: String,
    /// Its digest: a value can be large, and a guest can hold many of these.
    seen: Option<Digest>,
}

fn digest(value: Option<&[u8]>) -> Option<Digest> {
    value.map(Digest::of)
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoSuchStore => Self::NoSuchStore,
            Refusal::AccessDenied => Self::AccessDenied,
            Refusal::TableFull => Self::Other("too many stores are open".to_owned()),
            Refusal::Other(reason) => Self::Other(reason),
        }
    }
}

impl From<tombolo_store::StoreError> for Error {
    fn from(error: tombolo_store::StoreError) -> Self {
        Refusal::from(error).into()
    }
}

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Bucket = Resource<OpenStore>;

impl store::Host for Host<'_> {
    async fn open(&mut self, identifier: String) -> Answer<Bucket> {
        Ok(Host::open(self, &identifier).map_err(Error::from))
    }
}

impl store::HostBucket for Host<'_> {
    async fn get(&mut self, bucket: Bucket, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.store(&bucket)?.get(&key).map_err(Error::from))
    }

    async fn set(&mut self, bucket: Bucket, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.store(&bucket)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(&mut self, bucket: Bucket, key: String) -> Answer<()> {
        Ok(self.store(&bucket)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(&mut self, bucket: Bucket, key: String) -> Answer<bool> {
        Ok(self.store(&bucket)?.exists(&key).map_err(Error::from))
    }

    /// The cursor is the last key of the page before.
    async fn list_keys(&mut self, bucket: Bucket, cursor: Option<String>) -> Answer<KeyResponse> {
        let page = self.store(&bucket)?.page(cursor.as_deref()).map(|(keys, more)| {
            let cursor = keys.last().filter(|_| more).cloned();
            KeyResponse { keys, cursor }
        });
        Ok(page.map_err(Error::from))
    }

    async fn drop(&mut self, bucket: Bucket) -> wasmtime::Result<()> {
        self.close(bucket)
    }
}

impl batch::Host for Host<'_> {
    async fn get_many(
        &mut self,
        bucket: Bucket,
        keys: Vec<String>,
    ) -> Answer<Vec<(String, Option<Vec<u8>>)>> {
        let bucket = self.store(&bucket)?;
        let mut bytes = 0;
        let get = |key: String| {
            let value = bucket.get(&key)?;
            bytes += key.len() + value.as_ref().map_or(0, Vec::len);
            if bytes > VALUE_BYTES_MAX {
                let reason = format!("more than {VALUE_BYTES_MAX} bytes in one answer: ask for fewer keys");
                return Err(Refusal::Other(reason));
            }
            Ok((key, value))
        };
        Ok(keys.into_iter().map(get).collect::<Result<_, Refusal>>().map_err(Error::from))
    }

    async fn set_many(&mut self, bucket: Bucket, entries: Vec<(String, Vec<u8>)>) -> Answer<()> {
        let OpenStore { store, namespace } = self.store(&bucket)?;
        Ok(store.set_many(&namespace, entries).await.map_err(Error::from))
    }

    async fn delete_many(&mut self, bucket: Bucket, keys: Vec<String>) -> Answer<()> {
        let OpenStore { store, namespace } = self.store(&bucket)?;
        Ok(store.delete_many(&namespace, keys).await.map_err(Error::from))
    }
}

impl atomics::Host for Host<'_> {
    async fn increment(&mut self, bucket: Bucket, key: String, delta: i64) -> Answer<i64> {
        let OpenStore { store, namespace } = self.store(&bucket)?;
        Ok(store.increment(&namespace, key, delta).await.map_err(Error::from))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { bucket, key, seen } = self.table.delete(cas)?;
        let OpenStore { store, namespace } = &bucket;
        match store.swap(namespace, key.clone(), seen, value).await {
            Ok(Swap::Done) => Ok(Ok(())),
            Ok(Swap::Changed) => match bucket.get(&key) {
                // The guest gets the value of now, to try again with.
                Ok(now) => {
                    let seen = digest(now.as_deref());
                    Ok(Err(CasError::CasFailed(self.table.push(Cas { bucket, key, seen })?)))
                }
                Err(refusal) => Ok(Err(CasError::StoreError(refusal.into()))),
            },
            Err(error) => Ok(Err(CasError::StoreError(error.into()))),
        }
    }
}

impl atomics::HostCas for Host<'_> {
    async fn new(&mut self, bucket: Bucket, key: String) -> Answer<Resource<Cas>> {
        let bucket = self.store(&bucket)?;
        match bucket.get(&key) {
            Ok(now) => Ok(Ok(self.table.push(Cas { bucket, key, seen: digest(now.as_deref()) })?)),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Answer<Option<Vec<u8>>> {
        let cas = self.table.get_mut(&cas)?;
        match cas.bucket.get(&cas.key) {
            Ok(now) => {
                cas.seen = digest(now.as_deref());
                Ok(Ok(now))
            }
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn drop(&mut self, cas: Resource<Cas>) -> wasmtime::Result<()> {
        self.table.delete(cas)?;
        Ok(())
    }
}
