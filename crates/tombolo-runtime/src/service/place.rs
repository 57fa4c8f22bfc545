//! What a request takes of what all share, for as long as its guest is there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tombolo_capability::Meter;
use tombolo_model::Limits;

use super::{Service, ServiceError};
use crate::at_work::Charged;
use crate::lane::{Lane, Party};

/// How long to wait before a place in the pool is looked for again, by what is not refused for want of one.
const PLACE_WAIT: Duration = Duration::from_millis(5);

/// What one instance takes of the pool that all components share, while it is there.
pub(crate) struct Place {
    service: Arc<Service>,
    /// As many as were taken: what a component needs is known exactly only once it was loaded.
    places: u32,
}

impl Place {
    /// A place, if the component may have one more.
    pub(super) fn take(service: &Arc<Service>) -> Option<Self> {
        let places = service.cold.places();
        let taken = service.cold.shares().take(&service.share, places);
        taken.then(|| Self { service: Arc::clone(service), places })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Self { service, places } = self;
        service.cold.shares().give_back(&service.share, *places);
    }
}

/// One of the requests a component works on at once, while its guest is there.
pub(crate) struct Slot {
    place: Place,
    meter: Arc<Meter>,
}

impl Slot {
    /// A slot, if the component may work on one more request.
    pub(super) fn take(service: &Arc<Service>, meter: &Arc<Meter>) -> Result<Self, ServiceError> {
        let permit = service.slots.try_acquire().map_err(|_| ServiceError::Busy)?;
        let place = Place::take(service).ok_or(ServiceError::Busy)?;
        service.config.allowance.as_ref().map_or(Ok(()), |allowance| allowance.begin())?;
        // Given back by hand, when the slot is dropped: a permit that owns its semaphore would be one
        // more count to keep.
        permit.forget();
        Ok(Self { place, meter: Arc::clone(meter) })
    }

    /// A slot, once the component may work on one call more. What is used is charged from then on.
    pub(crate) async fn wait(service: &Arc<Service>) -> Self {
        // Never closed.
        let permit = service.slots.acquire().await.ok();
        let place = loop {
            let place = Place::take(service).filter(|_| {
                service.config.allowance.as_ref().is_none_or(|allowance| allowance.begin().is_ok())
            });
            match place {
                Some(place) => break place,
                // All components together, or those of its tenant, have as many instances as there may be.
                None => tokio::time::sleep(PLACE_WAIT).await,
            }
        };
        permit.into_iter().for_each(SemaphorePermit::forget);
        Self { place, meter: Arc::new(Meter::new(service.config.limits.cpu_time_max)) }
    }

    pub(crate) fn service(&self) -> &Arc<Service> {
        &self.place.service
    }

    /// Whether its guest is to begin where those are that compute: as those of its component mostly do, or as its
    /// tenant has much of the cores while others are there too.
    pub(crate) fn begins_in_lane(&self) -> bool {
        let Service { habit, cold, config, .. } = &*self.place.service;
        let now = self.meter.started();
        let is_shared = || cold.company().begins(self.party(), now);
        let is_busy =
            config.allowance.as_ref().is_some_and(|allowance| is_shared() && allowance.is_busy(now));
        is_busy || habit.is_heavy()
    }

    /// Its guest is about to go on, and interrupted should it compute.
    pub(crate) fn goes_on(&self) {
        self.place.service.cold.goes_on();
    }

    /// Where its guest goes on while it computes.
    pub(crate) fn lane(&self) -> Arc<Lane<Charged>> {
        self.place.service.cold.lane()
    }

    /// With whom its guest shares what that lane has: all of its tenant, or else all of its component.
    pub(crate) fn party(&self) -> Party {
        let service = &self.place.service;
        let component = Arc::as_ptr(service).addr();
        Party(service.config.allowance.as_ref().map_or(component, |allowance| Arc::as_ptr(allowance).addr()))
    }

    pub(crate) fn shared_meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    pub(crate) fn meter(&self) -> &Meter {
        &self.meter
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.place.service.config.limits
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let service = &self.place.service;
        service.totals.add(&self.meter.usage());
        service.habit.ended(self.meter.is_heavy());
        if let Some(allowance) = &service.config.allowance {
            // It has ended: nothing is left to refuse.
            let _ = allowance.spend(self.meter.charged());
            allowance.end();
        }
        service.slots.add_permits(1);
    }
}
