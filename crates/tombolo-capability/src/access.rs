//! Which parts of a composed component an interface is for.
//!
//! A component may be composed of several, of which some inherit only a part of what it was granted. What such a part
//! imports without having it is renamed before the component is compiled, and found under that name: the same
//! interface, as a component finds it that was granted nothing. So what it refuses, it refuses in its own words.

use std::borrow::Cow;

use wasmtime::component::{HasData, Linker, LinkerInstance};

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

    /// How the functions of an interface get what they need of the guest that calls one. Linkers take a function, which
    /// has no room for the access: so there is one for each.
    pub fn host<H: FromGuest>(self) -> fn(&mut Guest) -> H::Data<'_> {
        match self {
            Self::Granted => |guest| H::from_guest(guest, Self::Granted),
            Self::Denied => |guest| H::from_guest(guest, Self::Denied),
        }
    }
}

/// What the interfaces of a capability borrow from a guest for one call.
pub trait FromGuest: HasData {
    /// Borrows it: the views of a guest are its own for each access.
    fn from_guest(guest: &mut Guest, access: Access) -> Self::Data<'_>;
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
