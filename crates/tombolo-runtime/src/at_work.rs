//! A guest at work: where it is, and what it is charged.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::lane::{Away, Step, Work};
use crate::service::Slot;

/// A guest that has been on a core for so long is not about to be done.
const LONG: Duration = Duration::from_millis(10);

/// What a guest does; it is done when this is.
pub(crate) type GuestFuture = Pin<Box<dyn Future<Output = wasmtime::Result<()>> + Send>>;

/// A guest at work, and the slot it takes while it is there. Dropping it ends the guest.
///
/// It begins where it is polled, unless guests of its component mostly compute, or its tenant's have much of the cores
/// beside others. Once it gave way to others, its slices are in the lane of those that compute, each asked for by a poll,
/// until it waits for something else than its turn.
pub(crate) struct AtWork(Whereabouts);

enum Whereabouts {
    Here(Charged),
    /// Here, and its next slice is to be in the lane.
    Leaves(Charged),
    Away(Away<Charged>),
    /// Between two of these, and after its end.
    Nowhere,
}

/// A guest that is charged for what it uses. Its memory goes before its slot is given to the next.
pub(crate) struct Charged {
    guest: GuestFuture,
    slot: Slot,
}

impl AtWork {
    pub(crate) fn new(guest: GuestFuture, slot: Slot) -> Self {
        let begins_in_lane = slot.begins_in_lane();
        let charged = Charged { guest, slot };
        Self(if begins_in_lane { Whereabouts::Leaves(charged) } else { Whereabouts::Here(charged) })
    }

    /// Lets it go on. When it is done its memory is given back at once.
    ///
    /// # Errors
    ///
    /// How it ended otherwise than by returning: for having used all its time, too.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        if let Whereabouts::Leaves(_) = self.0 {
            self.leave(context);
        }
        if let Whereabouts::Away(away) = &mut self.0 {
            match ready!(away.poll(context)) {
                Step::Over(result) => {
                    self.0 = Whereabouts::Nowhere;
                    return Poll::Ready(result);
                }
                Step::Back(charged) if charged.gave_way() => {
                    // What it wrote is looked at first.
                    self.0 = Whereabouts::Leaves(charged);
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Step::Back(charged) => self.0 = Whereabouts::Here(charged),
            }
        }
        let Whereabouts::Here(charged) = &mut self.0 else { return Poll::Pending };
        let polled = charged.poll(context);
        match std::mem::replace(&mut self.0, Whereabouts::Nowhere) {
            Whereabouts::Here(charged) if polled.is_pending() && charged.gave_way() => {
                self.0 = Whereabouts::Leaves(charged);
            }
            same if polled.is_pending() => self.0 = same,
            over => drop(over),
        }
        polled
    }

    /// Whether nothing of what it does is to be looked at: it has a slice elsewhere at this moment, and who looked would
    /// see an answer of which nobody knows yet whether the guest gives it, or traps. Who polls is woken at its end.
    pub(crate) fn is_busy(&self) -> bool {
        matches!(self.0, Whereabouts::Away(_))
    }

    /// Whether it only gave way, and has not computed for long so far: what it is writing may be whole in a moment.
    pub(crate) fn goes_on_soon(&self) -> bool {
        match &self.0 {
            Whereabouts::Leaves(charged) => charged.slot.meter().usage().cpu < LONG,
            _ => false,
        }
    }

    fn leave(&mut self, context: &Context<'_>) {
        let Whereabouts::Leaves(charged) = std::mem::replace(&mut self.0, Whereabouts::Nowhere) else {
            return;
        };
        let lane = charged.slot.lane();
        let party = charged.slot.party();
        self.0 = match lane.take(charged, party, context.waker()) {
            Ok(away) => Whereabouts::Away(away),
            Err(charged) => Whereabouts::Here(charged),
        };
    }
}

impl Charged {
    /// Whether its pause is for others' sake.
    fn gave_way(&self) -> bool {
        self.slot.meter().gave_way()
    }
}

impl Work for Charged {
    type Output = wasmtime::Result<()>;

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<wasmtime::Result<()>> {
        self.slot.goes_on();
        let slice = self.slot.meter().slice();
        let polled = self.guest.as_mut().poll(context);
        match (polled, slice.end()) {
            (Poll::Pending, Err(exceeded)) => Poll::Ready(Err(exceeded.into())),
            (polled, _) => polled,
        }
    }
}
