//! Which parts of a composed component an interface is for.
//!
//! A component may be composed of several, of which some inherit only a part of what it was granted. What such a part
//! imports without having it is renamed before the component is compiled, and found under that name: the same
//! interface, as a component finds it that was granted nothing. So what it refuses, it refuses in its own words.

use std::borrow::Cow;

use wasmtime::component::{Linker, LinkerInstance};

use crate::guest::Guest;

/// Whether whoever imports an interface has what its component was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// It has.
    Granted,
    /// It has nothing.
    Denied,
}

/// What stands before the name of an interface whose importer has nothing.
const DENIED: &str = "denied-";

impl Access {
    /// What an interface is imported as.
    pub fn name(self, interface: &str) -> Cow<'_, str> {
        match self {
            Self::Granted => Cow::Borrowed(interface),
            Self::Denied => Cow::Owned(format!("{DENIED}{interface}")),
        }
    }

    /// The interface behind what it is imported as, and the access that says.
    pub fn of(name: &str) -> (Self, &str) {
        match name.strip_prefix(DENIED) {
            Some(interface) => (Self::Denied, interface),
            None => (Self::Granted, name),
        }
    }

    /// Where the functions of an interface are to be added.
    ///
    /// # Errors
    ///
    /// If the linker has something else by that name.
    pub fn instance<'a>(
        self,
        linker: &'a mut Linker<Guest>,
        interface: &str,
    ) -> wasmtime::Result<LinkerInstance<'a, Guest>> {
        linker.instance(&self.name(interface))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_its_access() {
        for access in [Access::Granted, Access::Denied] {
            let name = access.name("wasi:http/client@0.3.0");
            assert_eq!(Access::of(&name), (access, "wasi:http/client@0.3.0"));
        }
    }
}
