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

const NAME_BYTES_MAX: usize = 63;

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

            /// A name made from any text, with `-` in place of what a name may not have.
            pub fn from_text(text: &str) -> Self {
                let keep = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
                let text: String = text.chars().map(keep).take(NAME_BYTES_MAX).collect();
                let text = text.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
                Self(if text.is_empty() { "app".to_owned() } else { text.to_owned() })
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
    )*};
}
text_like!(AppName, ComponentId);

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
