//! What is composed into a component: others that answer its imports, or stand before its exports.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::app::Source;
use crate::name::ComponentId;

/// A field of a component that grants something, as far as what is composed into it may inherit it.
///
/// Source: Spin, SIP 023, "Granular capability inheritance for dependencies".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Configuration {
    /// `ai_models`
    AiModels,
    /// `allowed_outbound_hosts`
    AllowedOutboundHosts,
    /// `environment`
    Environment,
    /// `files`
    Files,
    /// `key_value_stores`
    KeyValueStores,
    /// `sqlite_databases`
    SqliteDatabases,
    /// `variables`
    Variables,
}

impl Configuration {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::AiModels,
        Self::AllowedOutboundHosts,
        Self::Environment,
        Self::Files,
        Self::KeyValueStores,
        Self::SqliteDatabases,
        Self::Variables,
    ];

    /// The name of the field.
    pub fn field(self) -> &'static str {
        match self {
            Self::AiModels => "ai_models",
            Self::AllowedOutboundHosts => "allowed_outbound_hosts",
            Self::Environment => "environment",
            Self::Files => "files",
            Self::KeyValueStores => "key_value_stores",
            Self::SqliteDatabases => "sqlite_databases",
            Self::Variables => "variables",
        }
    }

    /// The one of that name.
    pub fn of(field: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|configuration| configuration.field() == field)
    }
}

/// What a dependency has of what the component was granted that it is composed into. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited(BTreeSet<Configuration>);

impl Inherited {
    /// Everything.
    pub fn all() -> Self {
        Self(Configuration::ALL.into())
    }

    /// Whether that is part of it.
    pub fn has(&self, configuration: Configuration) -> bool {
        self.0.contains(&configuration)
    }

    /// What both have.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).copied().collect())
    }

    /// What it is, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = Configuration> {
        self.0.iter().copied()
    }
}

impl FromIterator<Configuration> for Inherited {
    fn from_iter<I: IntoIterator<Item = Configuration>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

/// A component as it is composed into another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which component of the app it is, if it is one.
    pub component: Option<ComponentId>,
    /// Where its code is.
    pub source: Source,
    /// What is composed into it.
    pub dependencies: Vec<Dependency>,
}

/// One of `[component.X.dependencies]`: who answers some of its imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// Which imports it answers.
    pub name: DependencyName,
    /// With which of its exports; with one of the import's own name unless this says so.
    pub export: Option<String>,
    /// What it has of the component's grants.
    pub inherited: Inherited,
    /// Who answers.
    pub part: Part,
}

/// One of a trigger's `dependencies.middleware`: who gets a request before its component does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Middleware {
    /// What it has of the grants of the trigger's component.
    pub inherited: Inherited,
    /// Who that is.
    pub part: Part,
}

/// Which imports a dependency answers: `name`, `ns:package`, `ns:package/interface`, each but the first with or
/// without `@version`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DependencyName(Form);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// An import with a name of its own.
    Plain(String),
    /// Interfaces of a package.
    Package { package: String, interface: Option<String>, version: Option<String> },
}

/// Why a text names no imports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` names no imports: expected `ns:package/interface@1.0.0`, `ns:package@1.0.0`, either without its version, \
     or a plain `name`"
)]
pub struct DependencyNameError {
    text: String,
}

impl DependencyName {
    /// Whether an import of this name is meant.
    pub fn matches(&self, import: &str) -> bool {
        match &self.0 {
            Form::Plain(name) => name == import,
            Form::Package { package, interface, version } => {
                let Some((own, rest)) = import.split_once('/') else { return false };
                let (named, versioned) = match rest.split_once('@') {
                    Some((named, versioned)) => (named, Some(versioned)),
                    None => (rest, None),
                };
                let is_interface = interface.as_deref().is_none_or(|interface| interface == named);
                let is_version = version.as_deref().is_none_or(|version| Some(version) == versioned);
                own == package && is_interface && is_version
            }
        }
    }

    /// Whether some import may be meant by both.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same = |one: &Option<String>, two: &Option<String>| match (one, two) {
            (Some(one), Some(two)) => one == two,
            _ => true,
        };
        match (&self.0, &other.0) {
            (Form::Plain(one), Form::Plain(two)) => one == two,
            (
                Form::Package { package, interface, version },
                Form::Package { package: package2, interface: interface2, version: version2 },
            ) => package == package2 && same(interface, interface2) && same(version, version2),
            _ => false,
        }
    }

    /// Whether every interface of a package is meant, not one of them.
    pub fn is_package(&self) -> bool {
        matches!(&self.0, Form::Package { interface: None, .. })
    }

    /// The package whose interfaces are meant, without a version; `None` for a plain name.
    pub fn package(&self) -> Option<&str> {
        match &self.0 {
            Form::Plain(_) => None,
            Form::Package { package, .. } => Some(package),
        }
    }
}

impl FromStr for DependencyName {
    type Err = DependencyNameError;

    fn from_str(text: &str) -> Result<Self, DependencyNameError> {
        let refuse = || DependencyNameError { text: text.to_owned() };
        let Some((namespace, rest)) = text.split_once(':') else {
            return if is_kebab(text) { Ok(Self(Form::Plain(text.to_owned()))) } else { Err(refuse()) };
        };
        let (path, version) = match rest.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (rest, None),
        };
        let (package, interface) = match path.split_once('/') {
            Some((package, interface)) => (package, Some(interface)),
            None => (path, None),
        };
        let named = is_kebab(namespace) && is_kebab(package) && interface.is_none_or(is_kebab);
        if !named || !version.is_none_or(is_version) {
            return Err(refuse());
        }
        Ok(Self(Form::Package {
            package: format!("{namespace}:{package}"),
            interface: interface.map(str::to_owned),
            version: version.map(str::to_owned),
        }))
    }
}

impl fmt::Display for DependencyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Plain(name) => f.write_str(name),
            Form::Package { package, interface, version } => {
                f.write_str(package)?;
                interface.iter().try_for_each(|interface| write!(f, "/{interface}"))?;
                version.iter().try_for_each(|version| write!(f, "@{version}"))
            }
        }
    }
}

/// Words of letters and digits with single `-` between, as names in WIT are.
fn is_kebab(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_alphabetic())
            && word.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    text.split('-').all(is_word)
}

/// `1.2.3`, with what may stand behind it.
fn is_version(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || b".-+".contains(&byte);
    let core = text.split(['-', '+']).next().unwrap_or_default();
    text.bytes().all(kept) && core.split('.').count() == 3 && core.split('.').all(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> DependencyName {
        text.parse().unwrap()
    }

    #[test]
    fn a_name_means_the_imports_it_says() {
        for (text, imports) in [
            ("a:b/c@1.0.0", &["a:b/c@1.0.0"][..]),
            ("a:b/c", &["a:b/c@1.0.0", "a:b/c"]),
            ("a:b", &["a:b/c@1.0.0", "a:b/d"]),
            ("a:b@1.0.0-rc.1", &["a:b/c@1.0.0-rc.1"]),
            ("one-two", &["one-two"]),
        ] {
            assert!(imports.iter().all(|import| name(text).matches(import)), "{text}");
            assert_eq!(name(text).to_string(), text);
        }
        for (text, import) in [
            ("a:b/c@1.0.0", "a:b/c@1.0.1"),
            ("a:b/c@1.0.0", "a:b/c"),
            ("a:b/c", "a:b/cc"),
            ("a:b", "a:bb/c"),
            ("a:b", "a:b"),
            ("one", "a:one/one"),
        ] {
            assert!(!name(text).matches(import), "{text} {import}");
        }
    }

    #[test]
    fn names_that_may_mean_one_import_overlap() {
        for (one, two) in
            [("a:b", "a:b/c"), ("a:b@1.0.0", "a:b/c"), ("a:b/c", "a:b/c@1.0.0"), ("a:b/c", "a:b/c")]
        {
            assert!(name(one).overlaps(&name(two)) && name(two).overlaps(&name(one)), "{one} {two}");
        }
        for (one, two) in [("a:b/c", "a:b/d"), ("a:b@1.0.0", "a:b@2.0.0"), ("a:b", "a:c"), ("one", "a:one")] {
            assert!(!name(one).overlaps(&name(two)), "{one} {two}");
        }
    }

    #[test]
    fn other_texts_name_nothing() {
        for text in [
            "",
            "a:",
            ":b",
            "a:b/",
            "a:b@",
            "a:b@1",
            "a:b@1.0",
            "a:b/c/d",
            "a b",
            "1a",
            "a--b",
            "a:b/c@x.y.z",
        ] {
            assert!(text.parse::<DependencyName>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_written_the_same(text in "[a-z0-9:/@.-]{0,24}") {
            if let Ok(name) = text.parse::<DependencyName>() {
                prop_assert_eq!(name.to_string(), text);
            }
        }
    }
}
