//! Streams of a guest whose items come in parts: the rows of a result.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};
use wasmtime::component::{
    Destination, FutureReader, Lift, Lower, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut, StoreContextMut};

use crate::memory::HeldMemory;

/// Some items, and what they take of their guest's memory.
#[derive(Debug)]
pub struct Part<T, R> {
    /// The items.
    pub items: Vec<T>,
    /// How the stream ended, with its last part.
    pub end: Option<Result<(), R>>,
    /// What they take.
    pub held: Vec<HeldMemory>,
}

/// Where the parts of a stream come from, and what it is made of.
pub struct Parts<T, R, I, K> {
    /// The first, if it is there; without an end, more come from `rest`.
    pub first: Option<Part<T, R>>,
    /// The others, in their order; `None` if the first was all.
    pub rest: Option<mpsc::Receiver<Part<T, R>>>,
    /// How the stream ends if what sends them is gone before the last.
    pub lost: R,
    /// What the guest gets for an item.
    pub item: fn(T) -> I,
    /// Kept for as long as the guest reads.
    pub keeper: K,
}

/// A stream, and a promise of how it ends.
pub type Opened<I, E> = (StreamReader<I>, FutureReader<Result<(), E>>);

impl<T, R, I, K> Parts<T, R, I, K>
where
    T: Send + 'static,
    R: Clone + Send + 'static,
    I: Lower + Lift + Send + Sync + 'static,
    K: Send + 'static,
{
    /// The stream, and a promise of how it ends.
    ///
    /// # Errors
    ///
    /// If the guest has as many streams as it may.
    pub fn open<E>(self, mut store: impl AsContextMut) -> wasmtime::Result<Opened<I, E>>
    where
        E: From<R> + Lower + Lift + Send + Sync + 'static,
    {
        let (ended, end) = oneshot::channel();
        // Who asks only how it ended reads no items.
        let known = self.first.as_ref().and_then(|first| first.end.clone());
        let mut producer = Producer { parts: self, lent: Vec::new(), ended: Some(ended) };
        if let Some(result) = known {
            producer.end(result);
        }
        let items = StreamReader::new(&mut store, producer)?;
        // Dropped before its end: who stopped reading has nothing to learn.
        let end = async { wasmtime::error::Ok(end.await.unwrap_or(Ok(()))) };
        Ok((items, FutureReader::new(&mut store, end)?))
    }
}

struct Producer<T, R, I, K, E> {
    parts: Parts<T, R, I, K>,
    /// What the items take that the guest has not read yet.
    lent: Vec<HeldMemory>,
    /// Taken when the end is told.
    ended: Option<oneshot::Sender<Result<(), E>>>,
}

// Nothing in it is pinned.
impl<T, R, I, K, E> Unpin for Producer<T, R, I, K, E> {}

impl<T, R, I, K, E: From<R>> Producer<T, R, I, K, E> {
    fn end(&mut self, result: Result<(), R>) {
        if let Some(ended) = self.ended.take() {
            let _ = ended.send(result.map_err(Into::into));
        }
    }

    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Part<T, R>>> {
        match (self.parts.first.take(), &mut self.parts.rest) {
            (Some(part), _) => Poll::Ready(Some(part)),
            (None, Some(rest)) => rest.poll_recv(context),
            (None, None) => Poll::Ready(None),
        }
    }
}

impl<D, T, R, I, K, E> StreamProducer<D> for Producer<T, R, I, K, E>
where
    T: Send + 'static,
    R: Clone + Send + 'static,
    I: Lower + Lift + Send + Sync + 'static,
    K: Send + 'static,
    E: From<R> + Send + 'static,
{
    type Item = I;
    type Buffer = VecBuffer<I>;

    /// Asked again after the end as well, while what was lent is still taken.
    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, I, VecBuffer<I>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let part = match self.poll_part(context) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            Poll::Ready(part) => part,
        };
        let Some(part) = part else {
            let lost = self.parts.lost.clone();
            self.end(Err(lost));
            return Poll::Ready(Ok(StreamResult::Dropped));
        };
        if destination.remaining(&mut store) == Some(0) && part.end.is_none() {
            // A read of nothing asks whether there is something.
            self.parts.first = Some(part);
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let Part { items, end, held } = part;
        // What was lent before was taken, or this part would not be asked for.
        self.lent = held;
        destination.set_buffer(items.into_iter().map(self.parts.item).collect::<Vec<I>>().into());
        match end {
            None => Poll::Ready(Ok(StreamResult::Completed)),
            Some(result) => {
                self.end(result);
                Poll::Ready(Ok(StreamResult::Dropped))
            }
        }
    }
}
