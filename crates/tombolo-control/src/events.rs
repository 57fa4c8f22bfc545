//! What happened, for those who follow it: of the audit log that which changed what is served or who may change it,
//! or was to.

use bytes::Bytes;
use tombolo_api as api;
use tombolo_api::Problem;
use tombolo_model::{SiteName, TenantName};
use tombolo_store::records::{AuditRecord, EventKind, EventRecord};

use crate::control::Answer;
use crate::feed::{Feed, Feeder, feed};
use crate::{http, refuse};

/// Lines on their way to one client.
const FEED_LINES_MAX: usize = 256;
/// Clients that follow what happens. Places for those of admins are kept.
const FEEDS_MAX: usize = 64;
/// Those of one tenant, and those of admins.
const TENANT_FEEDS_MAX: usize = 8;

/// Those who follow what happens. Locked while an event is written down, so that none is told twice, or not at all.
#[derive(Default)]
pub(crate) struct Followers {
    /// Whose events, or those of all.
    followers: Vec<(Option<TenantName>, Feeder)>,
    /// Whether nobody may follow any more.
    is_closed: bool,
}

impl Followers {
    /// Tells what was written down under this number.
    pub(crate) fn tell(&self, number: u64, record: &AuditRecord) {
        let Some(line) = line(number, record) else { return };
        let theirs = self.followers.iter().filter(|(of, _)| is_of(record, of.as_ref()));
        theirs.for_each(|(_, feeder)| feeder.tell(&line));
    }

    /// One more who follows.
    pub(crate) fn follow(&mut self, of: Option<TenantName>) -> Answer<Feed> {
        self.followers.retain(|(_, feeder)| !feeder.is_abandoned());
        let same = self.followers.iter().filter(|(other, _)| *other == of).count();
        let most = if of.is_some() { FEEDS_MAX - TENANT_FEEDS_MAX } else { FEEDS_MAX };
        if self.followers.len() >= most || same >= TENANT_FEEDS_MAX {
            return Err(refuse::busy());
        }
        let (feeder, feed) = feed(FEED_LINES_MAX);
        if !self.is_closed {
            self.followers.push((of, feeder));
        }
        Ok(feed)
    }

    /// Lets everyone go.
    pub(crate) fn close(&mut self) {
        (self.followers, self.is_closed) = (Vec::new(), true);
    }
}

/// Whether a record is an event of this tenant, or one at all.
pub(crate) fn is_of(record: &AuditRecord, tenant: Option<&TenantName>) -> bool {
    record
        .event
        .as_ref()
        .is_some_and(|event| tenant.is_none_or(|tenant| event.tenant.as_ref() == Some(tenant)))
}

/// An event as it is told; `None` if the record is none.
pub(crate) fn line(number: u64, record: &AuditRecord) -> Option<Bytes> {
    let EventRecord { kind, tenant, app, release, detail } = record.event.clone()?;
    let kind = match kind {
        EventKind::Activated => api::EventKind::Activated,
        EventKind::RolledBack => api::EventKind::RolledBack,
        EventKind::DeploymentRefused => api::EventKind::DeploymentRefused,
        EventKind::AppRemoved => api::EventKind::AppRemoved,
        EventKind::AppFailed => api::EventKind::AppFailed,
        EventKind::TokenMade => api::EventKind::TokenMade,
        EventKind::TokenRevoked => api::EventKind::TokenRevoked,
    };
    let who = record.who.clone();
    Some(http::line(&api::Event { number, at: record.at, kind, tenant, app, release, who, detail }))
}

/// The event of an order that was refused with a problem, if it was a deployment.
pub(crate) fn refused_deployment(record: &AuditRecord, problem: &Problem) -> Option<EventRecord> {
    // As in the router: `PUT /v1/apps/{app}/active` and `PUT /v1/apps/{app}/releases/{digest}`.
    let path = record.what.strip_prefix("PUT /v1/apps/")?;
    let (app, order) = path.split_once('/')?;
    let release = order.strip_prefix("releases/").and_then(|digest| digest.parse().ok());
    (order == "active" || release.is_some()).then(|| EventRecord {
        kind: EventKind::DeploymentRefused,
        tenant: record.tenant.clone(),
        app: app.parse::<SiteName>().ok(),
        release,
        detail: cut(problem.to_string()),
    })
}

/// Bytes of a detail that are kept: a refusal may have as many reasons as a release has files.
const DETAIL_BYTES_MAX: usize = 2 << 10;

fn cut(mut text: String) -> String {
    if text.len() > DETAIL_BYTES_MAX {
        text.truncate(text.floor_char_boundary(DETAIL_BYTES_MAX));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(what: &str, tenant: &str) -> AuditRecord {
        AuditRecord {
            at: 7,
            who: "robot".to_owned(),
            from: "-".to_owned(),
            what: what.to_owned(),
            outcome: 422,
            tenant: tenant.parse().ok(),
            event: None,
        }
    }

    #[tokio::test]
    async fn each_tenant_is_told_its_own_events_and_an_admin_all() {
        let mut followers = Followers::default();
        let [mut ada, mut bob, mut all] = [Some("ada"), Some("bob"), None]
            .map(|of| followers.follow(of.map(|of| of.parse().unwrap())).unwrap());
        let mut refused = record("PUT /v1/apps/shop/active", "ada");
        followers.tell(1, &refused);
        refused.event = refused_deployment(&refused, &refuse::draining());
        followers.tell(2, &refused);
        followers.close();
        let told = all.next().await.unwrap();
        assert_eq!(ada.next().await, Some(told.clone()));
        assert_eq!((ada.next().await, bob.next().await, all.next().await), (None, None, None));
        let crate::feed::Told::Line(line) = told else { panic!("a line") };
        let event: api::Event = serde_json::from_slice(&line).unwrap();
        assert_eq!((event.number, event.kind, event.at), (2, api::EventKind::DeploymentRefused, 7));
        assert_eq!(event.app.unwrap().as_str(), "shop");
        assert!(followers.follow(None).unwrap().next().await.is_none(), "who comes late is let go");
    }

    #[test]
    fn what_is_refused_is_a_deployment_or_not() {
        let is_one = |what: &str| refused_deployment(&record(what, "ada"), &refuse::draining()).is_some();
        let digest = format!("sha256:{}", "0".repeat(64));
        assert!(
            is_one("PUT /v1/apps/shop/active") && is_one(&format!("PUT /v1/apps/shop/releases/{digest}"))
        );
        for other in
            ["DELETE /v1/apps/shop", "PUT /v1/apps/shop/variables/active", "GET /v1/apps/shop/active"]
        {
            assert!(!is_one(other), "{other}");
        }
    }

    #[test]
    fn one_tenant_does_not_take_all_places() {
        let mut followers = Followers::default();
        let follow = |followers: &mut Followers, of: &str| followers.follow(Some(of.parse().unwrap()));
        let held: Vec<_> = (0..TENANT_FEEDS_MAX).map(|_| follow(&mut followers, "ada").unwrap()).collect();
        assert_eq!(follow(&mut followers, "ada").err().map(|problem| problem.status), Some(429));
        assert!(follow(&mut followers, "bob").is_ok());
        drop(held);
        assert!(follow(&mut followers, "ada").is_ok(), "who left makes room");
    }

    #[test]
    fn tenants_together_leave_places_for_admins() {
        let mut followers = Followers::default();
        let of = |number: usize| Some(format!("t{}", number / TENANT_FEEDS_MAX).parse().unwrap());
        let held: Vec<_> = (0..FEEDS_MAX).map_while(|number| followers.follow(of(number)).ok()).collect();
        assert_eq!(held.len(), FEEDS_MAX - TENANT_FEEDS_MAX);
        let admins: Vec<_> = (0..=TENANT_FEEDS_MAX).map_while(|_| followers.follow(None).ok()).collect();
        assert_eq!(admins.len(), TENANT_FEEDS_MAX);
    }
}
