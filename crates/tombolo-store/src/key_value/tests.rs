use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn namespace(store: &KeyValue, label: &str) -> Namespace {
    store.namespace(&"app".parse().unwrap(), label)
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn open(folder: &tempfile::TempDir) -> KeyValue {
    KeyValue::open(&folder.path().join("state/key_value.redb")).unwrap()
}

#[test]
fn two_namespaces_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (one, other) = (namespace(&store, "a"), namespace(&store, "ab"));
    run(store.set(&one, "k".into(), b"1".to_vec())).unwrap();
    assert_eq!(store.get(&other, "k").unwrap(), None);
    assert!(store.keys(&other, None, 10).unwrap().is_empty());
    assert_eq!(store.keys(&one, None, 10).unwrap(), ["k"]);
}

/// Names that begin alike are other apps'.
#[test]
fn of_an_app_that_is_forgotten_nothing_is_left_and_of_others_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let app = |name: &str| name.parse::<AppName>().unwrap();
    let all = [("shop", "a"), ("shop", "b"), ("shop-2", "a"), ("sho", "a"), ("shop0", "a"), ("shop.x", "a")];
    for (name, label) in all {
        run(store.set(&store.namespace(&app(name), label), "k".into(), b"1".to_vec())).unwrap();
    }
    assert!(store.has_keys(&app("shop")).unwrap() && !store.has_keys(&app("sh")).unwrap());
    run(store.forget(&app("shop"))).unwrap();
    assert!(!store.has_keys(&app("shop")).unwrap());
    for (name, label) in all {
        let left = store.keys(&store.namespace(&app(name), label), None, 10).unwrap().len();
        assert_eq!(left, usize::from(name != "shop"), "{name}/{label}");
    }
}

/// A request may still run when its app is removed, and the next app of this name gets none of what it writes.
#[test]
fn who_knew_an_app_before_it_was_forgotten_writes_nothing_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let before = namespace(&store, "default");
    run(store.set(&before, "k".into(), b"1".to_vec())).unwrap();
    run(store.forget(&"app".parse().unwrap())).unwrap();
    let refused = run(store.set(&before, "k".into(), b"2".to_vec())).unwrap_err();
    assert_eq!(refused.to_string(), "its app was removed");
    let after = namespace(&store, "default");
    assert_eq!(store.get(&after, "k").unwrap(), None);
    run(store.set(&after, "k".into(), b"3".to_vec())).unwrap();
    run(store.increment(&before, "n".into(), 1)).unwrap_err();
    assert_eq!(store.keys(&after, None, 10).unwrap(), ["k"]);
}

#[test]
fn keys_come_in_pages() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let space = namespace(&store, "default");
    let entries = ["c", "a", "", "b"].map(|key| (key.to_owned(), vec![]));
    run(store.set_many(&space, entries.to_vec())).unwrap();
    assert_eq!(store.keys(&space, None, 2).unwrap(), ["", "a"]);
    assert_eq!(store.keys(&space, Some("a"), 2).unwrap(), ["b", "c"]);
    assert!(store.keys(&space, Some("c"), 2).unwrap().is_empty());
}

#[test]
fn an_increment_needs_a_number_with_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let space = namespace(&store, "default");
    assert_eq!(run(store.increment(&space, "n".into(), 5)).unwrap(), 5);
    assert_eq!(run(store.increment(&space, "n".into(), -7)).unwrap(), -2);
    assert_eq!(store.get(&space, "n").unwrap().unwrap(), (-2i64).to_le_bytes());
    run(store.increment(&space, "n".into(), i64::MIN)).unwrap_err();
    run(store.set(&space, "t".into(), b"text".to_vec())).unwrap();
    run(store.increment(&space, "t".into(), 1)).unwrap_err();
    assert_eq!(store.get(&space, "t").unwrap().unwrap(), b"text");
}

#[test]
fn a_swap_needs_the_value_it_expects() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let space = namespace(&store, "default");
    let swap = |expected: Option<&[u8]>, value: &[u8]| {
        run(store.swap(&space, "k".into(), expected.map(Digest::of), value.to_vec())).unwrap()
    };
    assert_eq!(swap(None, b"1"), Swap::Done);
    assert_eq!(swap(None, b"2"), Swap::Changed);
    assert_eq!(swap(Some(b"1"), b"2"), Swap::Done);
    assert_eq!(store.get(&space, "k").unwrap().unwrap(), b"2");
}

/// All increments count, whatever batches they fall into.
#[test]
fn concurrent_increments_all_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let space = namespace(&store, "default");
    run(async {
        let adds = (0..200).map(|_| store.increment(&space, "n".into(), 1));
        let sums = futures::future::join_all(adds).await;
        let sums: std::collections::BTreeSet<i64> = sums.into_iter().map(Result::unwrap).collect();
        assert_eq!(sums.len(), 200, "no two increments saw the same number");
    });
    assert_eq!(store.get(&space, "n").unwrap().unwrap(), 200i64.to_le_bytes());
}

#[test]
fn a_second_process_is_told_that_the_store_is_in_use() {
    let folder = tempfile::tempdir().unwrap();
    let _store = open(&folder);
    let again = KeyValue::open(&folder.path().join("state/key_value.redb"));
    assert!(matches!(again.err(), Some(StoreError::InUse { .. })));
}

#[test]
fn a_key_too_long_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let key = "k".repeat(KEY_BYTES_MAX + 1);
    assert!(matches!(run(store.set(&namespace(&store, "d"), key, vec![])), Err(StoreError::TooLong { .. })));
}

#[derive(Clone, Debug)]
enum Step {
    Set(String, u8),
    Delete(String),
    Increment(String, i64),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = "[ab]{0,2}";
    let step = prop_oneof![
        (key, any::<u8>()).prop_map(|(key, value)| Step::Set(key, value)),
        key.prop_map(Step::Delete),
        (key, any::<i64>()).prop_map(|(key, delta)| Step::Increment(key, delta)),
        Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// The store against a map, with closing and opening again as one of the steps.
    #[test]
    fn the_store_agrees_with_a_map(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Some(open(&folder));
        let space = namespace(store.as_ref().expect("just opened"), "default");
        let mut map = BTreeMap::<String, Vec<u8>>::new();
        for step in steps {
            let open_store = store.as_ref().expect("reopened at once");
            match step {
                Step::Set(key, value) => {
                    run(open_store.set(&space, key.clone(), vec![value])).unwrap();
                    map.insert(key, vec![value]);
                }
                Step::Delete(key) => {
                    run(open_store.delete_many(&space, vec![key.clone()])).unwrap();
                    map.remove(&key);
                }
                Step::Increment(key, delta) => {
                    let before = map.get(&key).map_or(Some(0), |bytes| {
                        bytes.as_slice().try_into().ok().map(i64::from_le_bytes)
                    });
                    let expected = before.and_then(|before| before.checked_add(delta));
                    let sum = run(open_store.increment(&space, key.clone(), delta)).ok();
                    prop_assert_eq!(sum, expected);
                    if let Some(sum) = sum {
                        map.insert(key, sum.to_le_bytes().to_vec());
                    }
                }
                Step::Reopen => {
                    drop(store.take());
                    store = Some(open(&folder));
                }
            }
            let open_store = store.as_ref().expect("reopened at once");
            let keys = open_store.keys(&space, None, 100).unwrap();
            prop_assert_eq!(&keys, &map.keys().cloned().collect::<Vec<_>>());
            for key in keys {
                prop_assert_eq!(open_store.get(&space, &key).unwrap(), map.get(&key).cloned());
            }
        }
    }
}

#[tokio::test]
async fn a_file_that_is_as_large_as_it_may_be_takes_no_more_and_lets_go() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let space = namespace(&store, "default");
    let bytes_max = Arc::new(AtomicU64::new(4 << 20));
    let store = store.bounded(Arc::clone(&bytes_max));
    let mut number = 0;
    let refused = loop {
        match store.set(&space, number.to_string(), vec![7; 1 << 20]).await {
            Ok(()) => number += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, StoreError::Full) && (1..=8).contains(&number), "{refused}: {number}");
    assert!(matches!(store.increment(&space, "n".to_owned(), 1).await, Err(StoreError::Full)));
    store.delete_many(&space, vec!["0".to_owned()]).await.unwrap();
    bytes_max.store(u64::MAX, Ordering::Relaxed);
    store.set(&space, "n".to_owned(), Vec::new()).await.unwrap();
}
