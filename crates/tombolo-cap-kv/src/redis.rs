//! Stores in a Redis database, as Spin keeps them: each key is a key of the database, so data that Spin wrote is
//! found. The database is the store: nothing else should be in it, and apps that use it share its keys.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tombolo_capability::{HeldMemory, HostMemory};
use tombolo_model::Digest;
use tombolo_redis::{Address, Budget, Command, Lease, Pool, RedisError, Reply, ReplyError, TooLarge};
use tombolo_store::key_value::Swap;

use crate::view::{KEYS_BYTES_MAX, KEYS_MAX, Page, Refusal};

/// Keys that the server looks at for one part of a page.
const SCANNED: &str = "1000";

/// A store that one instance has open.
#[derive(Clone)]
pub(crate) struct RedisStore {
    pub(crate) pool: Arc<Pool>,
    pub(crate) address: Arc<Address>,
    /// What answers are charged to.
    pub(crate) memory: HostMemory,
}

/// What an answer takes of its instance's memory.
struct Held(HeldMemory);

impl Budget for Held {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.0.grow(bytes).map_err(|error| TooLarge(format!("{error} (`memory_mib_max`)")))
    }
}

impl From<RedisError> for Refusal {
    fn from(error: RedisError) -> Self {
        match &error {
            // The guest learns what it can act on: a value of another kind, or one too large.
            RedisError::Server(reason)
                if reason.starts_with("WRONGTYPE ") || reason.starts_with("ERR value is not an integer") =>
            {
                Self::Other(reason.clone())
            }
            RedisError::Reply(ReplyError::TooLarge(_)) => Self::Other(error.to_string()),
            _ => {
                tracing::warn!("a key-value store in Redis failed: {error}");
                Self::Other("the key-value store failed".to_owned())
            }
        }
    }
}

/// Does `work` on a task of its own, ended with this future: a guest that nobody polls, as its client takes
/// nothing or it computes, must not keep a connection that all apps share.
async fn apart<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only the end of the runtime ends it before it is done.
        _ => Err(RedisError::Lost.into()),
    }
}

fn unexpected() -> Refusal {
    RedisError::Reply(ReplyError::Protocol).into()
}

impl RedisStore {
    fn held(&self, command: &Command) -> Result<Held, Refusal> {
        let held = self.memory.take(command.bytes());
        held.map(Held).map_err(|error| Refusal::Other(format!("the value is too large: {error}")))
    }

    async fn call(&self, command: Command) -> Result<Reply, Refusal> {
        let mut held = self.held(&command)?;
        let (pool, address) = (Arc::clone(&self.pool), Arc::clone(&self.address));
        apart(async move {
            let mut lease = pool.lease(&address).await?;
            Ok(lease.call(&command, &mut held).await?)
        })
        .await
    }

    async fn call_on(&self, lease: &mut Lease, command: Command) -> Result<Reply, Refusal> {
        let mut held = self.held(&command)?;
        Ok(lease.call(&command, &mut held).await?)
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Refusal> {
        value(self.call(Command::new("GET").arg(key)).await?)
    }

    pub(crate) async fn exists(&self, key: &str) -> Result<bool, Refusal> {
        Ok(self.call(Command::new("EXISTS").arg(key)).await? != Reply::Integer(0))
    }

    pub(crate) async fn get_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Refusal> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        match self.call(Command::new("MGET").args(keys)).await? {
            Reply::Array(values) if values.len() == keys.len() => values.into_iter().map(value).collect(),
            _ => Err(unexpected()),
        }
    }

    pub(crate) async fn set_many(&self, entries: &[(String, Vec<u8>)]) -> Result<(), Refusal> {
        let command = match entries.len() {
            0 => return Ok(()),
            1 => Command::new("SET"),
            _ => Command::new("MSET"),
        };
        let add = |command: Command, (key, value): &(String, Vec<u8>)| command.arg(key).arg(value);
        self.call(entries.iter().fold(command, add)).await.map(drop)
    }

    pub(crate) async fn delete_many(&self, keys: &[String]) -> Result<(), Refusal> {
        if keys.is_empty() {
            return Ok(());
        }
        self.call(Command::new("DEL").args(keys)).await.map(drop)
    }

    /// Numbers are kept as Redis keeps them, in decimal.
    pub(crate) async fn increment(&self, key: &str, delta: i64) -> Result<i64, Refusal> {
        match self.call(Command::new("INCRBY").arg(key).arg(delta.to_string())).await? {
            Reply::Integer(sum) => Ok(sum),
            _ => Err(unexpected()),
        }
    }

    /// Sets `key` if its value has the digest `expected`; what others do to it meanwhile makes it fail.
    pub(crate) async fn swap(
        &self,
        key: &str,
        expected: Option<&Digest>,
        new: &[u8],
    ) -> Result<Swap, Refusal> {
        let (store, key, expected, new) = (self.clone(), key.to_owned(), expected.copied(), new.to_owned());
        apart(async move { store.swap_alone(&key, expected.as_ref(), &new).await }).await
    }

    async fn swap_alone(&self, key: &str, expected: Option<&Digest>, new: &[u8]) -> Result<Swap, Refusal> {
        let mut lease = self.pool.lease(&self.address).await?;
        lease.begin();
        self.call_on(&mut lease, Command::new("WATCH").arg(key)).await?;
        let now = value(self.call_on(&mut lease, Command::new("GET").arg(key)).await?)?;
        if now.map(|now| Digest::of(&now)).as_ref() != expected {
            self.call_on(&mut lease, Command::new("UNWATCH")).await?;
            lease.end();
            return Ok(Swap::Changed);
        }
        self.call_on(&mut lease, Command::new("MULTI")).await?;
        self.call_on(&mut lease, Command::new("SET").arg(key).arg(new)).await?;
        let executed = self.call_on(&mut lease, Command::new("EXEC")).await?;
        lease.end();
        match executed {
            Reply::Nil => Ok(Swap::Changed),
            Reply::Array(answers) => match answers.into_iter().next() {
                Some(Reply::Error(reason)) => Err(RedisError::Server(reason).into()),
                _ => Ok(Swap::Done),
            },
            _ => Err(unexpected()),
        }
    }

    /// The keys from the cursor `after` on. A key that was there all the time is on one of the pages, and may
    /// be on two: so Redis walks through a database.
    pub(crate) async fn page(&self, after: Option<&str>) -> Result<Page, Refusal> {
        let mut cursor = match after {
            None => "0".to_owned(),
            Some(after) if after.parse::<u64>().is_ok() => after.to_owned(),
            Some(_) => return Err(Refusal::Other("not a cursor of this store".to_owned())),
        };
        let (mut keys, mut bytes) = (Vec::new(), 0);
        let mut seen = HashSet::new();
        loop {
            let reply = self.call(Command::new("SCAN").arg(&cursor).arg("COUNT").arg(SCANNED)).await?;
            let Reply::Array(parts) = reply else { return Err(unexpected()) };
            let Ok([Reply::Bytes(next), Reply::Array(found)]) = <[Reply; 2]>::try_from(parts) else {
                return Err(unexpected());
            };
            for key in found {
                let Reply::Bytes(key) = key else { return Err(unexpected()) };
                // The interface has no way to name a key that is not text.
                let Ok(key) = String::from_utf8(key) else { continue };
                if seen.insert(key.clone()) {
                    bytes += key.len();
                    keys.push(key);
                }
            }
            cursor = String::from_utf8(next).map_err(|_| unexpected())?;
            if cursor == "0" {
                return Ok(Page { keys, next: None });
            }
            if keys.len() > KEYS_MAX || bytes > KEYS_BYTES_MAX {
                return Ok(Page { keys, next: Some(cursor) });
            }
        }
    }
}

fn value(reply: Reply) -> Result<Option<Vec<u8>>, Refusal> {
    match reply {
        Reply::Nil => Ok(None),
        Reply::Bytes(bytes) => Ok(Some(bytes)),
        _ => Err(unexpected()),
    }
}
