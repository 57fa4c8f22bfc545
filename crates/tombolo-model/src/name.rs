//! Names that are valid because they exist.

use std::fmt;
use std::str::FromStr;

/// Why a text is not a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a {what}: expected {expected}")]
pub struct NameError {
    what: &'static str,
    expected: &'static str,
    text: String,
}

/// The name of an application: 1 to 63 of letters, digits, `-`, `_` and `.`, from a letter or digit.
///
/// Spin accepts any text; this is what its templates and the apps in the field use.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(String);

/// The id of a component in a manifest: 1 to 63 of letters, digits, `-` and `_`, from a letter.
///
/// Spin asks for kebab-case with each word in one case; a superset is accepted because the id is
/// used only as a key, in logs and in `<id>.spin.internal`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ComponentId(String);

/// The name of a tenant, who owns apps of a node: 1 to 20 of small letters, digits and `-`, as in [`SiteName`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantName(String);

/// The name of an app on a node: 1 to 40 of small letters, digits and `-`, neither first nor last nor two in a row.
///
/// With the name of a tenant behind `--` it is one label of a host (RFC 1035 §2.3.1), which no other app has.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SiteName(String);

const NAME_BYTES_MAX: usize = 63;

/// Whether `text` is a label of a host that has no two `-` in a row.
fn is_label(text: &str, bytes_max: usize) -> bool {
    let kept = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let at_ends = text.starts_with('-') || text.ends_with('-');
    !text.is_empty() && text.len() <= bytes_max && text.bytes().all(kept) && !at_ends && !text.contains("--")
}

/// Whether `text`, in small letters, is the name of a host (RFC 1123 §2.1) and not an address.
pub fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let kept = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let at_ends = label.starts_with('-') || label.ends_with('-');
        !label.is_empty() && label.len() <= NAME_BYTES_MAX && label.bytes().all(kept) && !at_ends
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= 253 && text.split('.').all(is_label) && !is_address
}

impl FromStr for TenantName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text, 20) {
            return Ok(Self(text.to_owned()));
        }
        let expected = "1 to 20 of small letters, digits and single `-` between them";
        Err(NameError { what: "name of a tenant", expected, text: text.to_owned() })
    }
}

impl FromStr for SiteName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if is_label(text, 40) {
            return Ok(Self(text.to_owned()));
        }
        let expected = "1 to 40 of small letters, digits and single `-` between them";
        Err(NameError { what: "name for an app on a node", expected, text: text.to_owned() })
    }
}

impl TenantName {
    /// Whose apps are, unless a tenant is named.
    pub fn default_tenant() -> Self {
        Self("default".to_owned())
    }
}

impl SiteName {
    /// The same name, for where the name of an application is expected.
    pub fn as_app_name(&self) -> AppName {
        // What is a label is such a name, and shorter.
        AppName(self.0.clone())
    }
}

/// An app of a tenant, as a node knows it: `tenant/app`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppKey {
    /// Whose.
    pub tenant: TenantName,
    /// Which.
    pub app: SiteName,
}

impl AppKey {
    /// The label its host begins with: `app`, or `app--tenant` for one that is not the default tenant's.
    pub fn label(&self) -> String {
        match self.tenant == TenantName::default_tenant() {
            true => self.app.to_string(),
            false => format!("{}--{}", self.app, self.tenant),
        }
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.app)
    }
}

impl FromStr for AppKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (tenant, app) = text.split_once('/').unwrap_or(("", text));
        Ok(Self { tenant: tenant.parse()?, app: app.parse()? })
    }
}

impl FromStr for AppName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if first && rest && text.len() <= NAME_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        let expected = "1 to 63 of letters, digits, `-`, `_` and `.`, from a letter or digit";
        Err(NameError { what: "name of an application", expected, text: text.to_owned() })
    }
}

impl FromStr for ComponentId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        let rest = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if first && rest && text.len() <= NAME_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        let expected = "1 to 63 of letters, digits, `-` and `_`, from a letter";
        Err(NameError { what: "component id", expected, text: text.to_owned() })
    }
}

macro_rules! text_like {
    ($($name:ident),*) => {$(
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
text_like!(AppName, ComponentId, TenantName, SiteName);

macro_rules! from_any_text {
    ($($name:ident),*) => {$(
        impl $name {
            /// A name made from any text, with `-` in place of what a name may not have.
            pub fn from_text(text: &str) -> Self {
                let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
                let text: String = text.chars().map(keep).take(NAME_BYTES_MAX).collect();
                let text = text.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
                Self(if text.is_empty() { "app".to_owned() } else { text.to_owned() })
            }
        }
    )*};
}
from_any_text!(AppName, ComponentId);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_keep_to_their_alphabet() {
        for good in ["a", "my-api", "hello_2", "7up.example"] {
            assert!(good.parse::<AppName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "a/b", "é", &"a".repeat(64)] {
            assert!(bad.parse::<AppName>().is_err(), "{bad}");
            assert!(bad.parse::<ComponentId>().is_err(), "{bad}");
        }
        assert!("7up".parse::<ComponentId>().is_err());
    }

    #[test]
    fn a_host_has_a_name_or_an_address_and_not_both() {
        for good in ["localhost", "shop.example.com", "xn--bcher-kva.example", "1.example", "a-b.c"] {
            assert!(is_host_name(good), "{good}");
        }
        let long = format!("{}.example", "a".repeat(64));
        for bad in ["", "10.0.0.1", "a..b", ".a", "a.", "-a.b", "a_.b", "Shop.example", "[::1]", &long] {
            assert!(!is_host_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_app_has_one_label_on_its_node_and_no_other_app_has_it() {
        let key = |text: &str| text.parse::<AppKey>();
        assert_eq!(key("default/shop").unwrap().label(), "shop");
        assert_eq!(key("ada/shop").unwrap().label(), "shop--ada");
        assert_eq!(key("ada/shop").unwrap().to_string(), "ada/shop");
        for bad in ["shop", "ada/", "/shop", "ada/my--shop", "ada/-a", "ada/a-", "Ada/a", "ada/a.b", "a/b/c"]
        {
            assert!(key(bad).is_err(), "{bad}");
        }
        let longest =
            AppKey { tenant: "t".repeat(20).parse().unwrap(), app: "a".repeat(40).parse().unwrap() };
        assert!(longest.label().len() <= 63, "a label of a host");
        assert!("a".repeat(41).parse::<SiteName>().is_err() && "t".repeat(21).parse::<TenantName>().is_err());
    }

    proptest! {
        #[test]
        fn a_name_made_from_any_text_is_a_name(text in ".{0,80}") {
            let name = ComponentId::from_text(&text);
            prop_assert_eq!(name.as_str().parse::<ComponentId>(), Ok(name.clone()));
            let name = AppName::from_text(&text);
            prop_assert_eq!(name.as_str().parse::<AppName>(), Ok(name.clone()));
        }
    }
}
