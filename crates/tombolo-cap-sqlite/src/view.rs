//! What one instance sees of its databases, and the operations all interfaces share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Mutex, oneshot};
use tombolo_capability::{HostMemory, Meter};
use wasmtime::component::{Resource, ResourceTable};

use crate::Granted;
use crate::pool::{Lease, Share};
use crate::refusal::Refusal;
use crate::statement::{Answer, Changes, Delivery, Statement};
use crate::value::Value;

/// Connections one instance may have open at once, as in Spin.
const OPEN_MAX: usize = 256;

/// The databases of one instance.
pub struct View {
    granted: Arc<Granted>,
    /// Its parts of the granted databases, in the same order; made when one is first opened.
    shares: Vec<Option<Arc<Share>>>,
    open: usize,
}

impl View {
    pub(crate) fn new(granted: Arc<Granted>) -> Self {
        let shares = vec![None; granted.databases.len()];
        Self { granted, shares, open: 0 }
    }
}

/// An open connection, as a resource of the guest.
#[expect(unreachable_pub, reason = "bindgen re-exports it, and only a public type can be")]
#[derive(Clone)]
pub struct OpenConnection(Arc<Session>);

/// A connection as its guest knows it. The file's own is taken with the first statement: a handle that is
/// not used costs nothing.
struct Session {
    share: Arc<Share>,
    lease: Mutex<Option<Lease>>,
    changes: Arc<Changes>,
}

/// An instance's view and its resources, borrowed for one call.
pub(crate) struct Host<'a> {
    pub(crate) view: &'a mut View,
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) account: Account,
}

/// Whom a statement is charged to.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: HostMemory,
}

impl Host<'_> {
    /// Opens the database `label`.
    pub(crate) fn open(&mut self, label: &str) -> Result<Resource<OpenConnection>, Refusal> {
        let granted = &self.view.granted;
        let Some(index) = granted.databases.iter().position(|(name, _)| name == label) else {
            let known = granted.labels.iter().any(|known| known == label);
            return Err(if known { Refusal::AccessDenied } else { Refusal::NoSuchDatabase });
        };
        if self.view.open == OPEN_MAX {
            return Err(Refusal::Io(format!("too many connections are open: at most {OPEN_MAX}")));
        }
        let database = &granted.databases[index].1;
        let share = self.view.shares[index].get_or_insert_with(|| Share::of(Arc::clone(database)));
        let session = Session { share: Arc::clone(share), lease: Mutex::default(), changes: Arc::default() };
        let resource = self.table.push(OpenConnection(Arc::new(session)));
        let resource = resource.map_err(|error| Refusal::Io(error.to_string()))?;
        self.view.open += 1;
        Ok(resource)
    }

    /// The connection behind a resource. The guest cannot have made one up: an error is a trap.
    pub(crate) fn connection(&self, resource: &Resource<OpenConnection>) -> wasmtime::Result<OpenConnection> {
        Ok(self.table.get(resource)?.clone())
    }

    pub(crate) fn close(&mut self, resource: Resource<OpenConnection>) -> wasmtime::Result<()> {
        self.table.delete(resource)?;
        self.view.open -= 1;
        Ok(())
    }
}

/// Ends a statement once nobody waits for it.
pub(crate) struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl OpenConnection {
    /// Executes a statement. What ends it is to be kept until the last of its rows has come.
    pub(crate) async fn execute(
        &self,
        account: Account,
        sql: String,
        parameters: Vec<Value>,
        delivery: Delivery,
    ) -> Result<(Answer, StopWhenDropped), Refusal> {
        let Account { meter, memory } = account;
        let bytes = sql.len() as u64 + parameters.iter().map(Value::bytes).sum::<u64>();
        let held = memory
            .take(bytes)
            .map_err(|error| Refusal::Io(format!("the statement is too large: {error}")))?;
        let stop = Arc::new(AtomicBool::new(false));
        let guard = StopWhenDropped(Arc::clone(&stop));
        let (answer, answered) = oneshot::channel();
        let changes = Arc::clone(&self.0.changes);
        let statement = Statement { sql, parameters, delivery, meter, memory, held, stop, changes, answer };
        let worker = {
            let mut lease = self.0.lease.lock().await;
            match &*lease {
                Some(lease) => lease.worker()?,
                None => lease.insert(self.0.share.connection().await?).worker()?,
            }
        };
        let sent = worker.execute(Box::new(statement)).await;
        let answer = match sent {
            Ok(()) => answered.await.unwrap_or(Err(Refusal::InvalidConnection)),
            Err(refusal) => Err(refusal),
        };
        if matches!(answer, Err(Refusal::InvalidConnection)) {
            // Its thread is gone, and with it a transaction. The guest may go on with another.
            self.0.lease.lock().await.take();
        }
        Ok((answer?, guard))
    }

    /// What its last changing statement did.
    pub(crate) fn changes(&self) -> &Changes {
        &self.0.changes
    }
}
