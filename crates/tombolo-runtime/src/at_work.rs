//! A guest at work: where it is, and what it is charged.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::lane::{Away, Work};
use crate::service::Slot;

/// What a guest does; it is done when this is.
pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;

/// A guest at work, and the slot it takes while it is there. Dropping it ends the guest.
///
/// It begins where it is polled, unless guests of its component mostly compute. Once it has used up a slice it goes on
/// in the lane of those that compute, and who polls this waits for it.
pub(crate) struct AtWork {
    place: Whereabouts,
    /// Whether it was not polled yet.
    is_new: bool,
}

enum Whereabouts {
    Here(Charged),
    Away(Away<Charged>),
    /// Between the two, and after its end.
    Nowhere,
}

/// A guest that is charged for what it uses. Its memory goes before its slot is given to the next.
pub(crate) struct Charged {
    guest: GuestFuture,
    slot: Slot,
}

impl AtWork {
    pub(crate) fn new(guest: GuestFuture, slot: Slot) -> Self {
        Self { place: Whereabouts::Here(Charged { guest, slot }), is_new: true }
    }

    /// Lets it go on. When it is done its memory is given back at once.
    ///
    /// # Errors
    ///
    /// How it ended otherwise than by returning: for having used all its time, too.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        if std::mem::take(&mut self.is_new)
            && let Whereabouts::Here(charged) = &self.place
            && charged.slot.is_heavy()
        {
            self.leave(context);
        }
        let polled = match &mut self.place {
            Whereabouts::Here(charged) => charged.poll(context),
            Whereabouts::Away(away) => away.poll(context),
            Whereabouts::Nowhere => Poll::Pending,
        };
        match (polled, &self.place) {
            (Poll::Ready(result), _) => {
                self.place = Whereabouts::Nowhere;
                Poll::Ready(result)
            }
            (Poll::Pending, Whereabouts::Here(charged)) if charged.slot.meter().is_heavy() => {
                self.leave(context);
                Poll::Pending
            }
            (Poll::Pending, _) => Poll::Pending,
        }
    }

    /// Whether nothing of what it does is to be looked at: it goes on elsewhere at this moment, and who looked would see
    /// an answer of which nobody knows yet whether the guest gives it, or traps.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(&self.place, Whereabouts::Away(away) if away.is_busy())
    }

    fn leave(&mut self, context: &Context<'_>) {
        let Whereabouts::Here(charged) = std::mem::replace(&mut self.place, Whereabouts::Nowhere) else {
            return;
        };
        let lane = charged.slot.lane();
        let party = charged.slot.party();
        self.place = match lane.take(charged, party, context.waker()) {
            Ok(away) => Whereabouts::Away(away),
            Err(charged) => Whereabouts::Here(charged),
        };
    }
}

impl Work for Charged {
    type Output = wasmtime::Result<()>;

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        let slice = self.slot.meter().slice();
        let polled = self.guest.as_mut().poll(context);
        match (polled, slice.end()) {
            (Poll::Pending, Err(exceeded)) => Poll::Ready(Err(exceeded.into())),
            (polled, _) => polled,
        }
    }
}
