//! Packages of a registry, as a manifest names them.

use std::fmt;

use semver::{Version, VersionReq};

/// A package that is code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// The host of the registry, with a port if it is not the usual one.
    pub registry: String,
    /// `namespace:name`.
    pub name: String,
    /// Which of its versions.
    pub version: PackageVersion,
}

/// Which version of a package is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PackageVersion {
    /// This one.
    Exact(Version),
    /// The newest of those that fit.
    Newest(VersionReq),
}

/// Why a package is not named well.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The name.
    #[error("`{0}` is not the name of a package: expected `namespace:name` of small letters, digits and `-`")]
    Name(String),
    /// The version.
    #[error("`{text}` is not a version: {reason}")]
    Version {
        /// What is written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The registry.
    #[error("`{0}` is not the host of a registry: expected `example.com` or `example.com:5000`")]
    Registry(String),
}

impl Package {
    /// The package of these texts; `version` is one version, as the source of a component has it.
    ///
    /// # Errors
    ///
    /// If one of them is something else.
    pub fn exact(registry: &str, name: &str, version: &str) -> Result<Self, PackageError> {
        Self::new(registry, name, PackageVersion::Exact(parsed(version)?))
    }

    /// The package of these texts; `version` is a requirement, as a dependency has it: `1.2.3` is met by what is
    /// compatible with it, `=1.2.3` by itself.
    ///
    /// # Errors
    ///
    /// If one of them is something else.
    pub fn newest(registry: &str, name: &str, version: &str) -> Result<Self, PackageError> {
        let version = match version.strip_prefix('=').map(parsed::<Version>) {
            Some(Ok(exact)) => PackageVersion::Exact(exact),
            _ => PackageVersion::Newest(parsed(version)?),
        };
        Self::new(registry, name, version)
    }

    fn new(registry: &str, name: &str, version: PackageVersion) -> Result<Self, PackageError> {
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
        if registry.is_empty() || !registry.bytes().all(is_host) {
            return Err(PackageError::Registry(registry.to_owned()));
        }
        let is_word = |word: &str| {
            let kept = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            word.starts_with(|first: char| first.is_ascii_lowercase()) && word.bytes().all(kept)
        };
        match name.split_once(':') {
            Some((namespace, rest)) if is_word(namespace) && is_word(rest) => {
                Ok(Self { registry: registry.to_owned(), name: name.to_owned(), version })
            }
            _ => Err(PackageError::Name(name.to_owned())),
        }
    }

    /// The newest of these versions that is meant; what is none is passed over.
    pub fn newest_of<'a>(&self, versions: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let fits = |version: &Version| match &self.version {
            PackageVersion::Exact(exact) => exact == version,
            PackageVersion::Newest(requirement) => requirement.matches(version),
        };
        let versions = versions.into_iter().filter_map(|text| Some((Version::parse(text).ok()?, text)));
        let newest = versions.filter(|(version, _)| fits(version)).max_by(|a, b| a.0.cmp(&b.0));
        newest.map(|(_, text)| text.to_owned())
    }
}

fn parsed<V: std::str::FromStr<Err = semver::Error>>(text: &str) -> Result<V, PackageError> {
    text.parse().map_err(|error: semver::Error| PackageError::Version {
        text: text.to_owned(),
        reason: error.to_string(),
    })
}

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(version) => write!(f, "{version}"),
            Self::Newest(requirement) => write!(f, "{requirement}"),
        }
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, name, version } = self;
        write!(f, "{name}@{version} of {registry}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_that_fits_is_meant() {
        let newest = |version: &str| {
            let package = Package::newest("example.com", "a:b", version).unwrap();
            package.newest_of(["latest", "0.9.0", "1.10.0", "1.9.0", "2.0.0-rc.1", "2.0.0"])
        };
        assert_eq!(newest("1.2.3").as_deref(), Some("1.10.0"));
        assert_eq!(newest("=1.9.0").as_deref(), Some("1.9.0"));
        assert_eq!(newest(">= 0.1.0").as_deref(), Some("2.0.0"));
        assert_eq!(newest("3.0.0"), None);
    }

    #[test]
    fn what_is_no_package_is_refused() {
        for name in ["", "a", "a:", ":b", "a:b:c", "A:b", "a:b/c", "../a:b"] {
            assert!(Package::exact("example.com", name, "1.0.0").is_err(), "{name}");
        }
        for registry in ["", "https://example.com", "example.com/x", "a b"] {
            assert!(Package::exact(registry, "a:b", "1.0.0").is_err(), "{registry}");
        }
        assert!(Package::exact("example.com", "a:b", "1.0").is_err());
        assert!(Package::newest("example.com", "a:b", "one").is_err());
    }
}
