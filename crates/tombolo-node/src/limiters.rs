//! What counts clients' requests, by app: a release that is published anew, or beside another, goes on counting.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tombolo_gateway::RateLimiter;
use tombolo_model::edge::RateLimit;

/// The limiters there are.
#[derive(Debug, Default)]
pub(crate) struct Limiters(Mutex<HashMap<Box<str>, Weak<RateLimiter>>>);

impl Limiters {
    /// The limiter of the app `app` for these rates: that which it has, if it has these already.
    pub(crate) fn of(&self, app: &str, limit: RateLimit) -> Arc<RateLimiter> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = known.get(app).and_then(Weak::upgrade).filter(|limiter| limiter.limit() == limit);
        own.unwrap_or_else(|| {
            known.retain(|_, limiter| limiter.strong_count() > 0);
            let new = Arc::new(RateLimiter::new(limit));
            known.insert(app.into(), Arc::downgrade(&new));
            new
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tombolo_model::edge::Rate;

    use super::*;

    fn limit(requests: u32) -> RateLimit {
        let rate = Rate { requests, per: Duration::from_secs(1), burst: 1 };
        RateLimit { client: Some(rate), app: None }
    }

    #[test]
    fn an_app_keeps_its_limiter_while_its_rates_stay() {
        let limiters = Limiters::default();
        let first = limiters.of("shop", limit(1));
        assert!(Arc::ptr_eq(&first, &limiters.of("shop", limit(1))));
        assert!(!Arc::ptr_eq(&first, &limiters.of("other", limit(1))));
        let changed = limiters.of("shop", limit(2));
        assert!(!Arc::ptr_eq(&first, &changed) && Arc::ptr_eq(&changed, &limiters.of("shop", limit(2))));
        drop((first, changed));
        limiters.of("third", limit(1));
        assert_eq!(limiters.0.lock().unwrap().len(), 1, "those that nobody has are forgotten");
    }
}
