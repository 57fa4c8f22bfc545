//! Why an app cannot be served.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use tombolo_capability::GrantError;
use tombolo_model::ComponentId;
use tombolo_redis::AddressError;
use tombolo_runtime::{NotCalled, PrepareError};

/// Why an app cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to serve.
    #[error(
        "the app has no HTTP trigger with a route, no Redis trigger and no static assets, so there is nothing to \
         serve"
    )]
    NoRoutes,
    /// A component's file is not there or cannot be read.
    #[error("component `{component}`: cannot read `{}`", path.display())]
    Read {
        /// Whose file.
        component: ComponentId,
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A component's code is somewhere this version does not go.
    #[error("component `{component}`: its code is not in a file, and a node reads files only")]
    Remote {
        /// Whose code.
        component: ComponentId,
    },
    /// A component cannot run here.
    #[error("component `{component}`: `{}`", path.display())]
    Prepare {
        /// Which.
        component: ComponentId,
        /// Its file.
        path: PathBuf,
        /// Why.
        source: PrepareError,
    },
    /// A component does not export what its trigger calls.
    #[error("component `{component}`: `{}` {reason}", path.display())]
    NotCalled {
        /// Which.
        component: ComponentId,
        /// Its file.
        path: PathBuf,
        /// What it should export.
        reason: NotCalled,
    },
    /// A Redis trigger has no address that can be connected to.
    #[error("component `{component}`: the `address` of its Redis trigger is {reason}")]
    Address {
        /// Whose trigger.
        component: ComponentId,
        /// What is expected. It does not repeat the address, which may hold a password.
        reason: AddressError,
    },
    /// There is a route now, and no port was opened when there was none.
    #[error("the app had no routes when it was started, so no port is open: start it again to serve HTTP")]
    NoPort,
    /// A component asks for what there is not.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A component may call another one that answers nothing.
    #[error(
        "component `{component}`: allowed_outbound_hosts: `{entry}` is for component `{callee}`, which has no \
         HTTP trigger: give it one, with `route = {{ private = true }}` if only components may call it"
    )]
    Callee {
        /// Who may call.
        component: ComponentId,
        /// Whom.
        callee: String,
        /// The grant.
        entry: String,
    },
    /// The directory of static assets is not there or cannot be read.
    #[error("static assets of `{route}`: cannot read `directory`, which is `{}`", path.display())]
    Assets {
        /// Their route.
        route: String,
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Two of those that answer have one route.
    #[error("the route `{route}` is that of {first} and of {second}")]
    Conflict {
        /// The route.
        route: String,
        /// Who is first in the manifest, components before static assets.
        first: String,
        /// Who is second.
        second: String,
    },
    /// A component is composed of too much.
    #[error("component `{component}`: {reason}")]
    TooLarge {
        /// Which one.
        component: ComponentId,
        /// How much it may be.
        reason: &'static str,
    },
    /// More than one thing is wrong.
    #[error("{}", each_line(self))]
    Several(Vec<Self>),
    /// A route has characters that no header can carry.
    #[error("the route `{route}` has characters that cannot be told to a component, expected ASCII")]
    Route {
        /// The route.
        route: String,
    },
}

fn each_line(error: &LoadError) -> String {
    error.each().into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n")
}

impl LoadError {
    /// What is wrong, which is something.
    pub(crate) fn of(mut errors: Vec<Self>) -> Self {
        if errors.len() == 1 { errors.remove(0) } else { Self::Several(errors) }
    }

    /// Each thing that is wrong, with what led to it.
    pub fn each(&self) -> Vec<(&Self, String)> {
        if let Self::Several(errors) = self {
            return errors.iter().flat_map(Self::each).collect();
        }
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        vec![(self, text)]
    }

    /// Whether this one of [`Self::each`] may be so only for the values that variables have.
    pub(crate) fn is_of_values(&self) -> bool {
        matches!(self, Self::Address { .. } | Self::Callee { .. })
    }
}
