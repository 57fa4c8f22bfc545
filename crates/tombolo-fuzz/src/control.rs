//! What the control interface is sent.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tombolo_api::{
    Activate, Blobs, LogLine, Lost, NewToken, Preview, Problem, SetQuotas, Split, VariableValue,
};
use tombolo_model::{Quotas, Release, manifest, release};

use crate::text;

/// Whatever a body is, it is what its path takes or a message; what was read is written and read again as the same.
pub fn bodies(bytes: &[u8]) {
    fn same<T: DeserializeOwned + Serialize>(bytes: &[u8]) {
        let Ok(read) = serde_json::from_slice::<T>(bytes) else { return };
        let written = serde_json::to_vec(&read).expect("what was read from JSON can be written as it");
        let again = serde_json::from_slice::<T>(&written).expect("what was written can be read");
        assert_eq!(serde_json::to_vec(&again).expect("as before"), written);
    }
    // Of a client to a node.
    same::<Activate>(bytes);
    same::<Blobs>(bytes);
    same::<NewToken>(bytes);
    same::<Preview>(bytes);
    same::<Quotas>(bytes);
    same::<SetQuotas>(bytes);
    same::<Split>(bytes);
    same::<VariableValue>(bytes);
    // Of a node to a client, lines of logs among them.
    same::<LogLine>(bytes);
    same::<Lost>(bytes);
    same::<Problem>(bytes);
}

/// Whatever a document of a release is, it is one whose files lie below its folder, or a message.
pub fn release(bytes: &[u8]) {
    let Ok(read) = Release::parse(bytes) else { return };
    for path in read.files.keys() {
        assert!(path.as_str().split('/').all(|part| !matches!(part, "" | "." | "..")), "{path}");
    }
    same(&Release::parse(&read.document()).expect("what was written can be read"), &read);
    let values = std::collections::BTreeMap::new();
    if let Ok(mut app) = manifest::parse("spin.toml", &read.manifest, &values) {
        release::settle(&mut app);
    }
}

fn same<T: PartialEq + Debug>(left: &T, right: &T) {
    assert_eq!(left, right);
}

/// Whatever `authorization` says, a token is in it or not.
pub fn token(bytes: &[u8]) {
    let text = text(bytes);
    if let Some(token) = tombolo_control::bearer(&text) {
        assert!(text.ends_with(token) || text.trim_end().ends_with(token));
        assert_eq!(token.trim(), token);
    }
}
