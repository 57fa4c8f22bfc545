//! From an app to a table of what answers.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tombolo_cap_wasi::network::Names;
use tombolo_cap_wasi::{
    Access, Directory, Input, LogBudget, LogSender, Network, Outbound, OutboundConfig, Output, World,
};
use tombolo_capability::{AnyCapability, GrantError, Grants};
use tombolo_gateway::{RouteTable, SpinRoute, Target};
use tombolo_model::route::{Conflict, Route};
use tombolo_model::{App, Component, ComponentId, Isolation, Source};
use tombolo_runtime::{Load, PrepareError, Runtime, Service, ServiceConfig};

/// Why an app cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is nothing to serve.
    #[error("the app has no HTTP trigger with a route, so there is nothing to serve")]
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
    #[error("component `{component}`: `source` is a URL, and this version of tombolo reads files only")]
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
    /// A component answers no HTTP.
    #[error(
        "component `{component}`: `{}` answers no HTTP: expected an export of \
         `wasi:http/incoming-handler@0.2.x` or `wasi:http/handler@0.3.0`",
        path.display()
    )]
    NotHttp {
        /// Which.
        component: ComponentId,
        /// Its file.
        path: PathBuf,
    },
    /// A component asks for what there is not.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Two triggers have one route.
    #[error("the route `{route}` is that of component `{first}` and of component `{second}`")]
    Conflict {
        /// The route.
        route: String,
        /// The component of the first trigger.
        first: ComponentId,
        /// The component of the second.
        second: ComponentId,
    },
    /// A route has characters that no header can carry.
    #[error("the route `{route}` has characters that cannot be told to a component, expected ASCII")]
    Route {
        /// The route.
        route: String,
    },
}

/// What loading needs besides the app.
pub(crate) struct Loader<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) capabilities: &'a [Arc<dyn AnyCapability>],
    /// What relative paths of the app are relative to.
    pub(crate) root: &'a Path,
    /// Given to every component, over its own.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// Over what every component says.
    pub(crate) isolation: Option<Isolation>,
    pub(crate) logs: LogSender,
    /// When code comes into memory.
    pub(crate) load: Load,
}

impl Loader<'_> {
    /// Prepares every component that a route leads to, and tables the routes.
    pub(crate) fn load(&self, app: &App) -> Result<RouteTable, LoadError> {
        let mut services = BTreeMap::<&ComponentId, Arc<Service>>::new();
        let mut routes = Vec::new();
        let name: Arc<str> = app.name.as_str().into();
        let served = || app.triggers.iter().filter_map(|trigger| Some((trigger.route.as_ref()?, trigger)));
        for (pattern, trigger) in served() {
            let component = &app.components[&trigger.component];
            let service = match services.get(&trigger.component) {
                Some(service) => Arc::clone(service),
                None => Arc::new(self.service(app, component)?),
            };
            services.insert(&trigger.component, Arc::clone(&service));
            let refuse = |_| LoadError::Route { route: trigger.raw_route.clone() };
            let spin =
                app.spin_headers.then(|| SpinRoute::new(&trigger.raw_route, &app.base, pattern)).transpose();
            let target = Target {
                app: Arc::clone(&name),
                component: trigger.component.as_str().into(),
                service,
                spin: spin.map_err(refuse)?.map(Arc::new),
            };
            routes.push(Route { host: None, pattern: pattern.clone(), target });
        }
        if routes.is_empty() {
            return Err(LoadError::NoRoutes);
        }
        RouteTable::new(routes).map_err(|Conflict { route, first, second }| {
            let component = |place| served().nth(place).map(|(_, trigger)| trigger.component.clone());
            let known = "a conflict names two of the routes it was given";
            LoadError::Conflict {
                route: route.to_string(),
                first: component(first).expect(known),
                second: component(second).expect(known),
            }
        })
    }

    fn service(&self, app: &App, component: &Component) -> Result<Service, LoadError> {
        let id = || component.id.clone();
        let Source::Path(path) = &component.source else {
            return Err(LoadError::Remote { component: id() });
        };
        let path = self.root.join(path);
        let failed = |source| LoadError::Read { component: id(), path: path.clone(), source };
        let bytes = fs::read(&path).map_err(failed)?;
        let grants = Grants::of(self.capabilities, &app.name, component)?;
        let failed = |source| LoadError::Prepare { component: id(), path: path.clone(), source };
        let again = path.clone();
        let origin = Box::new(move || fs::read(&again));
        let prepared = self.runtime.prepare(&bytes, origin, self.load).map_err(failed)?;
        let outbound = Arc::new(component.allowed_outbound_hosts.clone());
        let names = if outbound.sockets_by_name() { Names::Resolved } else { Names::Refused };
        let config = ServiceConfig {
            world: World {
                arguments: Vec::new(),
                environment: self.environment(component),
                directories: self.directories(component)?,
                network: Arc::new(Network { allowed: Arc::clone(&outbound), names, ..Network::default() }),
                input: Input::Empty,
                output: Output::Logged {
                    component: component.id.as_str().into(),
                    sender: self.logs.clone(),
                    budget: Arc::new(LogBudget::new(component.limits.log_bytes_per_s_max)),
                },
            },
            outbound: Outbound::new(OutboundConfig {
                connections_max: component.limits.outbound_connections_max,
                bytes_max: component.limits.outbound_bytes_max,
                ..OutboundConfig::to(outbound)
            }),
            grants: Arc::new(grants),
            limits: component.limits.clone(),
            isolation: self.isolation.unwrap_or(component.isolation),
        };
        Service::new(prepared, config).map_err(|_| LoadError::NotHttp { component: id(), path })
    }

    fn environment(&self, component: &Component) -> Vec<(String, String)> {
        let mut environment = component.environment.clone();
        environment.extend(self.environment.clone());
        environment.into_iter().collect()
    }

    /// The directories a component reads; they must be there before it is served.
    fn directories(&self, component: &Component) -> Result<Vec<Directory>, LoadError> {
        let mount = |mount: &tombolo_model::FileMount| {
            let host = self.root.join(&mount.source);
            match fs::read_dir(&host) {
                Ok(_) => Ok(Directory { host, guest: mount.destination.clone(), access: Access::Read }),
                Err(source) => Err(LoadError::Read { component: component.id.clone(), path: host, source }),
            }
        };
        component.files.iter().map(mount).collect()
    }
}
