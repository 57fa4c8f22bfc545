use super::*;
use crate::records::{AuditRecord, SplitRecord};
use proptest::prelude::*;

fn open() -> (tempfile::TempDir, Registry) {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.redb")).unwrap();
    (folder, registry)
}

fn key(text: &str) -> AppKey {
    text.parse().unwrap()
}

fn digest(number: u64) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn release(blob: u64) -> ReleaseRecord {
    ReleaseRecord {
        number: 0,
        created: 1,
        by: "ada".to_owned(),
        version: None,
        blobs: vec![digest(blob)],
        bytes: 8,
        folders: 1,
        capabilities: Default::default(),
    }
}

fn only(release: u64) -> Activation {
    Activation { release: digest(release), split: None }
}

#[test]
fn a_release_is_numbered_once() {
    let (_folder, registry) = open();
    let shop = key("default/shop");
    for (blob, number) in [(1, 1), (2, 2), (1, 1), (3, 3)] {
        assert_eq!(registry.add_release(&shop, &digest(blob), release(blob)).unwrap().number, number);
    }
    let numbers: Vec<u64> =
        registry.releases(&shop).unwrap().iter().map(|(_, record)| record.number).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(registry.releases(&key("default/shop2")).unwrap().len(), 0, "an app with a longer name");
    assert_eq!(registry.releases(&key("default/sho")).unwrap().len(), 0, "an app with a shorter name");
}

#[test]
fn two_activations_of_one_generation_are_one() {
    let (_folder, registry) = open();
    let shop = key("ada/shop");
    assert_eq!(registry.activate(&shop, 0, &only(1)).unwrap(), Activated::NoRelease);
    for blob in [1, 2] {
        registry.add_release(&shop, &digest(blob), release(blob)).unwrap();
    }
    assert_eq!(registry.activate(&shop, 0, &only(3)).unwrap(), Activated::NoRelease);
    let Activated::Done(first) = registry.activate(&shop, 0, &only(1)).unwrap() else { panic!() };
    assert_eq!((first.generation, first.previous), (1, None));
    assert_eq!(registry.activate(&shop, 0, &only(2)).unwrap(), Activated::Overtaken(1));
    let split = Some(SplitRecord { release: digest(2), percent: 10 });
    let canary = Activation { release: digest(1), split };
    let Activated::Done(second) = registry.activate(&shop, 1, &canary).unwrap() else { panic!() };
    assert_eq!(second.previous, None, "a split is no other release");
    let Activated::Done(third) = registry.activate(&shop, 2, &only(2)).unwrap() else { panic!() };
    assert_eq!((third.generation, third.previous), (3, Some(digest(1))));
    assert_eq!(registry.app(&shop).unwrap(), Some(third));
}

#[test]
fn a_tenant_s_apps_are_its_own() {
    let (_folder, registry) = open();
    for app in ["a/x", "a/y", "b/x", "a-b/x"] {
        registry.add_release(&key(app), &digest(1), release(1)).unwrap();
    }
    let of = |tenant: Option<&str>| -> Vec<String> {
        let tenant = tenant.map(|tenant| tenant.parse().unwrap());
        registry.apps(tenant.as_ref()).unwrap().iter().map(|(key, _)| key.to_string()).collect()
    };
    assert_eq!(of(Some("a")), ["a/x", "a/y"]);
    assert_eq!(of(None).len(), 4);
    assert!(registry.remove_app(&key("a/x")).unwrap() && !registry.remove_app(&key("a/x")).unwrap());
    assert_eq!(of(Some("a")), ["a/y"]);
    assert!(registry.releases(&key("a/x")).unwrap().is_empty());
    assert_eq!(registry.releases(&key("a-b/x")).unwrap().len(), 1);
}

#[test]
fn what_is_served_and_where_a_rollback_leads_outlive_retention() {
    let (_folder, registry) = open();
    let shop = key("default/shop");
    for blob in 1..=10 {
        registry.add_release(&shop, &digest(blob), release(blob)).unwrap();
    }
    registry.activate(&shop, 0, &only(1)).unwrap();
    let split = Some(SplitRecord { release: digest(3), percent: 5 });
    registry.activate(&shop, 1, &Activation { release: digest(2), split }).unwrap();
    registry.retain_releases(&shop, 4).unwrap();
    let left: Vec<u64> = registry.releases(&shop).unwrap().iter().map(|(_, record)| record.number).collect();
    assert_eq!(left, [10, 9, 8, 7, 3, 2, 1]);
    let holding = &registry.holdings().unwrap()[&shop.tenant];
    assert_eq!((holding.needed.len(), holding.releases.len(), holding.folders), (7, 7, 7));
}

#[test]
fn a_token_is_found_by_its_digest_until_it_is_revoked_or_expires() {
    let (_folder, registry) = open();
    assert!(!registry.has_tokens().unwrap());
    let scope = Scope::Deploy { tenant: "ada".parse().unwrap(), app: "shop".parse().unwrap() };
    let token = TokenRecord { name: "ci".to_owned(), scope, created: 1, expires: Some(10) };
    registry.add_token(&digest(1), &token).unwrap();
    assert!(registry.has_tokens().unwrap());
    assert_eq!(registry.token(&digest(1)).unwrap(), Some(token.clone()));
    assert!(token.is_good(9) && !token.is_good(10));
    assert!(registry.remove_token(&digest(1).hex()).unwrap());
    assert_eq!(registry.token(&digest(1)).unwrap(), None);
}

#[test]
fn variables_are_an_app_s_own() {
    let (_folder, registry) = open();
    let (shop, other) = (key("a/shop"), key("a/shop-2"));
    registry.set_variable(&shop, "colour", Some(b"sealed")).unwrap();
    assert_eq!(registry.variables(&shop).unwrap(), [("colour".to_owned(), b"sealed".to_vec())]);
    assert!(registry.variables(&other).unwrap().is_empty());
    let bytes = |tenant: &str| registry.variables_bytes(&tenant.parse().unwrap()).unwrap();
    assert_eq!((bytes("a"), bytes("b")), (("a/shop/colour".len() + "sealed".len()) as u64, 0));
    assert!(registry.set_variable(&shop, "colour", None).unwrap());
    assert!(!registry.set_variable(&shop, "colour", None).unwrap());
}

#[test]
fn a_blob_is_the_tenants_who_sent_it() {
    let (_folder, registry) = open();
    let (ada, bob): (TenantName, TenantName) = ("ada".parse().unwrap(), "bob".parse().unwrap());
    assert!(registry.sent(&ada, &digest(1), 8).unwrap() && !registry.sent(&ada, &digest(1), 8).unwrap());
    assert_eq!(registry.not_sent(&ada, &[digest(1), digest(2)]).unwrap(), [digest(2)]);
    assert_eq!(registry.not_sent(&bob, &[digest(1)]).unwrap(), [digest(1)]);

    registry.add_release(&key("bob/shop"), &digest(3), release(3)).unwrap();
    // As an earlier version wrote it.
    registry
        .writing(SENT, |_, sent| {
            sent.insert(format!("bob/{}", digest(4).hex()).as_str(), [].as_slice()).unwrap();
            Ok(())
        })
        .unwrap();
    let holdings = registry.holdings().unwrap();
    assert_eq!(holdings[&ada].blobs().collect::<Vec<_>>(), [(&digest(1), Some(8))]);
    let theirs: std::collections::HashMap<_, _> = holdings[&bob].blobs().collect();
    assert_eq!(theirs, [(&digest(3), None), (&digest(4), None)].into());
    registry.forget_sent(&[(ada.clone(), digest(1)), (ada.clone(), digest(9))]).unwrap();
    assert_eq!(registry.not_sent(&ada, &[digest(1)]).unwrap(), [digest(1)]);
    assert!(!registry.holdings().unwrap().contains_key(&ada));
}

#[test]
fn a_registry_of_a_later_version_is_refused_untouched() {
    let (folder, registry) = open();
    let path = folder.path().join("registry.redb");
    registry
        .changing(|transaction| {
            transaction.open_table(META).unwrap().insert("format", FORMAT + 1).unwrap();
            Ok(())
        })
        .unwrap();
    drop(registry);
    let before = std::fs::read(&path).unwrap();
    let reason = Registry::open(&path).err().unwrap().to_string();
    assert!(reason.contains("a later version wrote it"), "{reason}");
    assert!(std::fs::read(&path).unwrap() == before, "untouched");
}

#[test]
fn the_audit_log_tells_the_last_lines_first() {
    let (_folder, registry) = open();
    let line = |at, who: &str| AuditRecord {
        event: None,
        at,
        who: who.to_owned(),
        from: "127.0.0.1".to_owned(),
        what: "PUT /v1/apps/a/active".to_owned(),
        outcome: 200,
        tenant: None,
    };
    for at in 0..5 {
        // By a clock that is set back: numbers say which came first.
        registry.audit(&line(10 - at, if at % 2 == 0 { "ada" } else { "bob" })).unwrap();
    }
    let found = registry.audited(0, 2, |line| line.who == "ada").unwrap();
    assert_eq!(found.iter().map(|(number, line)| (*number, line.at)).collect::<Vec<_>>(), [(5, 6), (3, 8)]);
    let found = registry.audited(3, 9, |_| true).unwrap();
    assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [5, 4]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever says the generation that is there changes it by one; nobody else changes anything.
    #[test]
    fn a_generation_counts_the_activations_that_were_told_so(
        tries in prop::collection::vec((0u64..6, 1u64..4), 1..20),
    ) {
        let (_folder, registry) = open();
        let app = key("default/app");
        for blob in 1..4 {
            registry.add_release(&app, &digest(blob), release(blob)).unwrap();
        }
        let (mut generation, mut active) = (0, None);
        for (expected, blob) in tries {
            let activated = registry.activate(&app, expected, &only(blob)).unwrap();
            if expected == generation {
                generation += 1;
                active = Some(only(blob));
                prop_assert!(matches!(activated, Activated::Done(_)));
            } else {
                prop_assert_eq!(activated, Activated::Overtaken(generation));
            }
            let record = registry.app(&app).unwrap().unwrap();
            prop_assert_eq!((record.generation, record.active), (generation, active.clone()));
        }
    }
}
