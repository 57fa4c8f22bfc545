//! What whoever deploys an app writes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use tombolo_model::file_glob::{FileGlob, Star};
use tombolo_model::outbound::{AllowedHosts, Destination};
use tombolo_model::reach::PrivateNetworks;
use tombolo_model::{
    AppKey, AppName, ComponentId, DependencyName, Digest, Endpoint, Package, SiteName, TenantName,
    manifest as spin, release,
};

use crate::{lines, text};

/// Whatever a manifest says, it is an app, which can be released, or a message with its place.
pub fn manifest(bytes: &[u8]) {
    match spin::parse("spin.toml", &text(bytes), &BTreeMap::new()) {
        Ok(mut app) => {
            release::settle(&mut app);
            release::capabilities(&app);
        }
        Err(error) => assert!(error.to_string().starts_with("spin.toml"), "{error}"),
    }
}

/// Whatever stands between the braces of a variable, it is a template or a message: the text of the variable on the
/// first line, the value of the one it may name behind it.
pub fn template(bytes: &[u8]) {
    let text = text(bytes);
    let [written, value] = lines(&text);
    let values = BTreeMap::from([("given".to_owned(), value.to_owned())]);
    // As a string of TOML: JSON's are, without the control characters.
    let quoted = serde_json::Value::from(written.replace(char::is_control, " "));
    let manifest = format!(
        "spin_manifest_version = 2\n[application]\nname = \"a\"\n[variables]\ngiven = {{ required = true }}\n\
         other = {{ default = \"{{{{ x }}}}\" }}\n[[trigger.http]]\nroute = \"/\"\ncomponent = \"c\"\n\
         [component.c]\nsource = \"c.wasm\"\nvariables.v = {quoted}\n\
         allowed_outbound_hosts = [{quoted}]\n"
    );
    if let Err(error) = spin::parse("spin.toml", &manifest, &values) {
        let error = error.to_string();
        assert!(error.starts_with("spin.toml"), "{error}");
    }
}

/// Whatever `allowed_outbound_hosts` says, it is rules or a message, and rules can be asked. Lines: entry, scheme, host,
/// port, address.
pub fn outbound(bytes: &[u8]) {
    let text = text(bytes);
    let [entry, scheme, host, port, address] = lines(&text);
    let port = port.parse().unwrap_or(443);
    let address = address.parse().unwrap_or(IpAddr::from([192, 0, 2, 1]));
    if let Ok(hosts) = AllowedHosts::parse([entry]) {
        hosts.allows(scheme, host, port);
        let to = Destination { scheme, host, port };
        for private in [PrivateNetworks::ByName, PrivateNetworks::Refused] {
            hosts.reaches(&to, address, private);
        }
    }
}

/// Whatever is given for a name, a digest, a pattern of files, a package or a URL, it is one or a message; and what was
/// read is written as it was. Lines: the text, a second for what takes two, a third for what takes three.
pub fn names(bytes: &[u8]) {
    let text = text(bytes);
    let [first, second, third] = lines(&text);
    fn same<T: std::str::FromStr + std::fmt::Display>(text: &str) {
        if let Ok(name) = text.parse::<T>() {
            assert_eq!(name.to_string(), text);
        }
    }
    same::<AppName>(first);
    same::<TenantName>(first);
    same::<SiteName>(first);
    same::<AppKey>(first);
    same::<ComponentId>(first);
    same::<Digest>(first);
    same::<release::ReleasePath>(first);
    let _ = first.parse::<DependencyName>();
    let _ = first.parse::<Endpoint>();
    for star in [Star::WithinFolder, Star::Beyond] {
        if let Ok(glob) = FileGlob::new(first, star) {
            glob.names(Path::new(second));
            glob.folder();
        }
    }
    let _ = Package::exact(first, second, third);
    if let Ok(package) = Package::newest(first, second, third) {
        package.newest_of([third, "1.0.0", "2.0.0-rc.1"]);
    }
}
