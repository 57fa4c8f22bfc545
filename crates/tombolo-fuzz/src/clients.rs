//! What clients of an app send, besides what hyper reads.

use std::path::{Component, Path};

use http::{HeaderMap, HeaderName, HeaderValue, Request, header};
use tombolo_gateway::assets::range::Asked;
use tombolo_gateway::fuzzed;
use tombolo_model::file_path::FilePath;
use tombolo_model::route::{Pattern, Route, Table};
use tombolo_model::site::{Site, Sites};

use crate::{lines, text};

/// Whatever a request says it is for, it is one host, found however it is written, or refused. Lines: the target of the
/// request, and a `host` header each.
pub fn authority(bytes: &[u8]) {
    let mut parts = bytes.split(|byte| *byte == b'\n');
    let target = text(parts.next().unwrap_or_default());
    let Ok(mut request) = Request::builder().uri(&*target).body(()) else { return };
    for host in parts.filter_map(|part| HeaderValue::from_bytes(part).ok()) {
        request.headers_mut().append(header::HOST, host);
    }
    let local = "127.0.0.1:80".parse().expect("an address");
    let Ok(host) = fuzzed::host(&mut request, local) else { return };
    assert!(!host.contains(['@', '/', ' ']), "`{host}` leads elsewhere than it seems to");
    let site = |target| Site { main: target, split: None };
    let sites = Sites::new([(host.as_str().into(), site(1)), ("other.example".into(), site(2))]);
    let found = sites.find(&host.to_ascii_uppercase(), || 0);
    assert!(found == Some(&1) || host.eq_ignore_ascii_case("other.example"), "{host}: {found:?}");
}

/// Whatever a client accepts, and of whatever state it knows a file, what is sent of the file is there. Lines: a header
/// each, as in a request; `length` stands for the file's.
pub fn negotiation(bytes: &[u8]) {
    let (mut headers, mut length) = (HeaderMap::new(), 100);
    for line in bytes.split(|byte| *byte == b'\n') {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        if name == b"length" {
            length = text(value).trim().parse().unwrap_or(length);
        } else if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii()))
        {
            headers.append(name, value);
        }
    }
    fuzzed::negotiated(&headers);
    if let Some(Asked::Part(part)) = fuzzed::conditions(&headers, length) {
        assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
    }
}

/// Whatever a `range` header says, what is sent of a file is there. Lines: the header, the file's length.
pub fn range(bytes: &[u8]) {
    let text = text(bytes);
    let [value, length] = lines(&text);
    let length = length.parse().unwrap_or(100);
    if let Asked::Part(part) = Asked::of(value, length) {
        assert!(part.start < part.end && part.end <= length, "{part:?} of {length}");
    }
}

/// Whatever path a client asks for, it names a file below the directory or nothing.
pub fn file_path(bytes: &[u8]) {
    let Ok(path) = FilePath::from_url(&text(bytes)) else { return };
    let names = Path::new(path.as_str()).components();
    assert!(names.clone().all(|name| matches!(name, Component::Normal(_))), "{path:?}");
    assert_eq!(names.as_path().to_str(), Some(path.as_str()), "written in one way only");
    assert!(!path.as_str().contains(['\0', '\\']));
    if !path.as_str().is_empty() {
        assert_eq!(FilePath::from_text(path.as_str()).as_ref().map(FilePath::as_str), Ok(path.as_str()));
    }
}

/// Whatever a route and a path are, the route is a pattern or a message, and a pattern can be asked. Lines: the route,
/// the path.
pub fn route(bytes: &[u8]) {
    let text = text(bytes);
    let [written, path] = lines(&text);
    let Ok(pattern) = written.parse::<Pattern>() else { return };
    assert_eq!(pattern.to_string().parse().as_ref(), Ok(&pattern));
    let table = Table::new([Route { pattern, target: () }]).expect("one route conflicts with none");
    if let Some((pattern, ())) = table.find(path) {
        pattern.captures(path).count();
        assert!(path.ends_with(pattern.rest_of(path)));
    }
}
