//! `wasi:keyvalue@0.2.0-draft2`: store, atomics and batch.

use tombolo_model::Digest;
use tombolo_store::key_value::{KEY_BYTES_MAX, Swap};
use wasmtime::component::Resource;

use crate::view::{Host, OpenStore, Page, Refusal};

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

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Bucket = Resource<OpenStore>;

impl store::Host for Host<'_> {
    async fn open(&mut self, identifier: String) -> Answer<Bucket> {
        Ok(Host::open(self, &identifier).map_err(Error::from))
    }
}

impl store::HostBucket for Host<'_> {
    async fn get(&mut self, bucket: Bucket, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.store(&bucket)?.get(&key).await.map_err(Error::from))
    }

    async fn set(&mut self, bucket: Bucket, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.store(&bucket)?.set(key, value).await.map_err(Error::from))
    }

    async fn delete(&mut self, bucket: Bucket, key: String) -> Answer<()> {
        Ok(self.store(&bucket)?.delete(key).await.map_err(Error::from))
    }

    async fn exists(&mut self, bucket: Bucket, key: String) -> Answer<bool> {
        Ok(self.store(&bucket)?.exists(&key).await.map_err(Error::from))
    }

    async fn list_keys(&mut self, bucket: Bucket, cursor: Option<String>) -> Answer<KeyResponse> {
        let page = self.store(&bucket)?.page(cursor.as_deref()).await;
        Ok(page.map(|Page { keys, next }| KeyResponse { keys, cursor: next }).map_err(Error::from))
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
        let values = self.store(&bucket)?.get_many(&keys).await;
        Ok(values.map(|values| keys.into_iter().zip(values).collect()).map_err(Error::from))
    }

    async fn set_many(&mut self, bucket: Bucket, entries: Vec<(String, Vec<u8>)>) -> Answer<()> {
        Ok(self.store(&bucket)?.set_many(entries).await.map_err(Error::from))
    }

    async fn delete_many(&mut self, bucket: Bucket, keys: Vec<String>) -> Answer<()> {
        Ok(self.store(&bucket)?.delete_many(keys).await.map_err(Error::from))
    }
}

impl atomics::Host for Host<'_> {
    async fn increment(&mut self, bucket: Bucket, key: String, delta: i64) -> Answer<i64> {
        Ok(self.store(&bucket)?.increment(key, delta).await.map_err(Error::from))
    }

    async fn swap(&mut self, cas: Resource<Cas>, value: Vec<u8>) -> wasmtime::Result<Result<(), CasError>> {
        let Cas { bucket, key, seen } = self.table.delete(cas)?;
        match bucket.swap(&key, seen, value).await {
            Ok(Swap::Done) => Ok(Ok(())),
            Ok(Swap::Changed) => match bucket.get(&key).await {
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
        if key.len() > KEY_BYTES_MAX {
            // It is kept for as long as the guest keeps this.
            let reason = format!("a key has {} bytes, at most {KEY_BYTES_MAX} are allowed", key.len());
            return Ok(Err(Error::Other(reason)));
        }
        match bucket.get(&key).await {
            Ok(now) => Ok(Ok(self.table.push(Cas { bucket, key, seen: digest(now.as_deref()) })?)),
            Err(refusal) => Ok(Err(refusal.into())),
        }
    }

    async fn current(&mut self, cas: Resource<Cas>) -> Answer<Option<Vec<u8>>> {
        let cas = self.table.get_mut(&cas)?;
        match cas.bucket.get(&cas.key).await {
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
