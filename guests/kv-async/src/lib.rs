//! Every operation of `spin:key-value@3.0.0`, checked from the inside; answers `ok`.

use spin_sdk::http::Request;
use spin_sdk::http_service;
use spin_sdk::key_value::{Error, Store};

#[http_service]
async fn handle(_request: Request) -> String {
    check().await.map_or_else(|error| format!("{error:?}"), |()| "ok".to_owned())
}

async fn check() -> Result<(), Error> {
    let store = Store::open_default().await?;
    for key in store.get_keys().await.collect().await? {
        store.delete(key).await?;
    }
    assert_eq!(store.get("a").await?, None);
    assert!(!store.exists("a").await?);
    for number in 0..300 {
        store.set(format!("key-{number:03}"), number.to_string()).await?;
    }
    assert_eq!(store.get("key-007").await?.as_deref(), Some(b"7".as_slice()));
    assert!(store.exists("key-299").await?);
    let keys = store.get_keys().await.collect().await?;
    assert_eq!(keys.len(), 300);
    store.delete("key-000").await?;
    store.delete("key-000").await?;
    assert_eq!(store.get_keys().await.collect().await?.len(), 299);
    assert!(matches!(Store::open("other").await, Err(Error::NoSuchStore)));
    Ok(())
}
