//! From an app to a table of what answers.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::files::{self, FilesError, Originals};
use crate::limiters::Limiters;
use crate::load_error::LoadError;
use crate::messages::{self, Wanted};
use crate::parts::{self, PartError};
use crate::trust::Trust;
use crate::well_known;
use tombolo_cap_wasi::network::Names;
use tombolo_cap_wasi::{Access, Input, LogBudget, LogSender, Network, Outbound, Output, World};
use tombolo_capability::{AnyCapability, Grants};
use tombolo_egress::{Common, Egress, EgressConfig};
use tombolo_gateway::{
    Answerer, AppInside, Assets, Counts, Gateway, Name, Part, Policies, RouteTable, SpinRoute, Target,
};
use tombolo_model::route::{Conflict, Pattern, Route};
use tombolo_model::{
    App, Component, ComponentId, Executor, HttpTrigger, Isolation, Limits, Middleware, RedisTrigger, Source,
    StaticAssets, StaticResponse,
};
use tombolo_redis::Address;
use tombolo_runtime::{Allowance, Load, Runtime, Service, ServiceConfig, Trigger};

/// Time on a core of one request of a tenant's component, whatever its manifest says.
const TENANT_CPU_TIME_MAX: Duration = Duration::from_secs(60);
/// Time of one, with all that it waits for.
const TENANT_REQUEST_TIME_MAX: Duration = Duration::from_secs(15 * 60);
/// Bytes that it prints in a second, over time: all of a node's go through one queue.
const TENANT_LOG_BYTES_PER_S_MAX: u32 = 16 << 20;

/// What loading needs besides the app.
pub(crate) struct Loader<'a> {
    /// What requests, messages and lines of the app are recorded under, before a `/` and the component for the
    /// lines; `None` is the name it has itself, and lines under the component alone.
    pub(crate) place: Option<&'a str>,
    pub(crate) runtime: &'a Runtime,
    pub(crate) capabilities: &'a [Arc<dyn AnyCapability>],
    /// Where the app is to be published.
    pub(crate) gateway: &'a Gateway,
    /// What relative paths of the app are relative to.
    pub(crate) root: &'a Path,
    /// Where files are copied to that components read.
    pub(crate) state: &'a Path,
    /// Given to every component, over its own.
    pub(crate) environment: &'a BTreeMap<String, String>,
    /// What components may do to copies of the files they read.
    pub(crate) files: Access,
    /// Whether these files can change.
    pub(crate) originals: Originals,
    /// Over what every component says.
    pub(crate) isolation: Option<Isolation>,
    /// What holds for connections of all components, and how they are encrypted.
    pub(crate) common: &'a Arc<Common>,
    pub(crate) trust: &'a Trust,
    /// What its components have together with others.
    pub(crate) allowance: Option<Arc<Allowance>>,
    pub(crate) logs: LogSender,
    /// Where its requests are counted.
    pub(crate) counts: Arc<Counts>,
    /// Where its clients' requests are counted against their rate.
    pub(crate) limiters: &'a Limiters,
    /// When code comes into memory.
    pub(crate) load: Load,
}

/// What a component is called by, and how.
enum Call<'a> {
    Http(&'a Executor),
    Redis,
}

/// An app that can be served.
pub(crate) struct Loaded {
    pub(crate) routes: Arc<RouteTable>,
    /// Every component there is, each once.
    pub(crate) services: Vec<Arc<Service>>,
    /// What it subscribes to.
    pub(crate) wanted: Wanted,
    /// Where requests for it are counted.
    pub(crate) counts: Arc<Counts>,
}

impl Loader<'_> {
    /// Prepares every component and directory that a trigger leads to, and tables routes and subscriptions.
    pub(crate) fn load(&self, app: &App) -> Result<Loaded, LoadError> {
        let mut services = self.services(app)?;
        let by_id = by_id(app, &services);
        let inside = AppInside::new(self.gateway, self.name(app), &self.counts, &by_id, app.spin_headers);
        let mut routes = self.routes(app, &services, &inside)?;
        let wanted = self.subscriptions(app, &inside)?;
        services.extend(wanted.values().map(|(_, taker)| Arc::clone(&taker.service)));
        // A component may be subscribed at more than one server.
        services.sort_unstable_by_key(Arc::as_ptr);
        services.dedup_by(|a, b| Arc::ptr_eq(a, b));
        for assets in &app.assets {
            routes.push(self.assets(app, assets)?);
        }
        routes.extend(app.responses.iter().map(|response| self.response(app, response.clone())));
        if routes.is_empty() && wanted.is_empty() {
            return Err(LoadError::NoRoutes);
        }
        if app.spin_headers && !routes.is_empty() {
            for response in well_known::responses(app) {
                if routes.iter().all(|route| route.pattern != response.route) {
                    routes.push(self.response(app, response));
                }
            }
        }
        let answerers: Vec<String> = routes.iter().map(|route| describe(&route.target)).collect();
        let policies = Policies::new(&app.edge, |limit| self.limiters.of(self.name(app), limit));
        let table = RouteTable::new(routes, policies, Arc::clone(&self.counts));
        let table = table.map_err(|Conflict { route, first, second }| LoadError::Conflict {
            route: route.to_string(),
            first: answerers[first].clone(),
            second: answerers[second].clone(),
        })?;
        let routes = Arc::new(table);
        inside.has_routes(&routes);
        Ok(Loaded { routes, services, wanted, counts: Arc::clone(&self.counts) })
    }

    /// The channels of each component at each server, and who takes their messages.
    fn subscriptions(&self, app: &App, inside: &Arc<AppInside>) -> Result<Wanted, LoadError> {
        let mut channels = BTreeMap::<(&ComponentId, &str), BTreeSet<&str>>::new();
        for RedisTrigger { address, channel, component } in &app.redis_triggers {
            channels.entry((component, address)).or_default().insert(channel);
        }
        let mut services = BTreeMap::<&ComponentId, Arc<Service>>::new();
        let mut wanted = Wanted::new();
        for ((id, address), channels) in channels {
            let parsed = Address::parse(address)
                .map_err(|reason| LoadError::Address { component: id.clone(), reason })?;
            let service = match services.get(id) {
                Some(service) => Arc::clone(service),
                None => Arc::new(self.service(app, &app.components[id], &[], Call::Redis)?),
            };
            services.insert(id, Arc::clone(&service));
            let source = messages::Source {
                app: self.name(app).to_owned(),
                component: id.to_string(),
                address: address.to_owned(),
                channels: channels.into_iter().map(str::to_owned).collect(),
                blocked: Arc::clone(&self.common.blocked),
            };
            let tls = self.trust.to(id.as_str(), parsed.destination().host);
            wanted.insert(source, (parsed, messages::Taker { service, inside: Arc::clone(inside), tls }));
        }
        Ok(wanted)
    }

    /// Who answers each HTTP trigger. Triggers of one component share one if they have the same middleware and call it
    /// in the same way.
    fn services(&self, app: &App) -> Result<Vec<Arc<Service>>, LoadError> {
        let mut services = Vec::<Option<Arc<Service>>>::new();
        let mut errors = Vec::new();
        for (index, trigger) in app.triggers.iter().enumerate() {
            let HttpTrigger { component, middleware, executor, .. } = trigger;
            let same = |it: &HttpTrigger| {
                it.component == *component && it.middleware == *middleware && it.executor == *executor
            };
            services.push(match app.triggers[..index].iter().position(same) {
                Some(first) => services[first].clone(),
                None => {
                    let call = Call::Http(executor);
                    let service = self.service(app, &app.components[component], middleware, call);
                    service.map(Arc::new).map_err(|error| errors.push(error)).ok()
                }
            });
        }
        for component in app.components.values() {
            let named = component.allowed_outbound_hosts.components();
            // In a host, case is nothing.
            let answers = |callee: &str| {
                app.triggers.iter().any(|it| it.component.as_str().eq_ignore_ascii_case(callee))
            };
            errors.extend(named.filter(|(_, callee)| !answers(callee)).map(|(entry, callee)| {
                let (component, callee, entry) = (component.id.clone(), callee.to_owned(), entry.to_owned());
                LoadError::Callee { component, callee, entry }
            }));
        }
        if errors.is_empty() {
            Ok(services.into_iter().flatten().collect())
        } else {
            Err(LoadError::of(errors))
        }
    }

    /// The routes that components answer.
    fn routes(
        &self,
        app: &App,
        services: &[Arc<Service>],
        inside: &Arc<AppInside>,
    ) -> Result<Vec<Route<Target>>, LoadError> {
        let mut routes = Vec::new();
        for (trigger, service) in app.triggers.iter().zip(services) {
            let HttpTrigger { route: Some(pattern), raw_route, component: id, .. } = trigger else {
                continue;
            };
            let refuse = |_| LoadError::Route { route: raw_route.clone() };
            let spin = app.spin_headers.then(|| SpinRoute::new(raw_route, &app.base, pattern)).transpose();
            let spin = spin.map_err(refuse)?.map(Arc::new);
            // Who may send no requests pays nothing for those it does not send.
            let sends = !app.components[id].allowed_outbound_hosts.is_empty();
            let inside = sends.then(|| Arc::clone(inside));
            let answerer = Answerer::Component { service: Arc::clone(service), spin, inside };
            routes.push(self.route(app, pattern, Part::Component(id.as_str().into()), answerer));
        }
        Ok(routes)
    }

    fn response(&self, app: &App, response: StaticResponse) -> Route<Target> {
        let (pattern, part) = (response.route.clone(), Part::Response(response.route.to_string().into()));
        self.route(app, &pattern, part, Answerer::Response(Arc::new(response)))
    }

    fn assets(&self, app: &App, assets: &StaticAssets) -> Result<Route<Target>, LoadError> {
        let opened = Assets::open(self.root, assets.clone()).map_err(|source| LoadError::Assets {
            route: assets.raw_route.clone(),
            path: self.root.join(&assets.directory),
            source,
        })?;
        let part = Part::Assets(assets.route.to_string().into());
        Ok(self.route(app, &assets.route, part, Answerer::Assets(Arc::new(opened))))
    }

    fn service(
        &self,
        app: &App,
        component: &Component,
        middleware: &[Middleware],
        call: Call<'_>,
    ) -> Result<Service, LoadError> {
        let (trigger, arguments) = match call {
            Call::Http(Executor::Http) => (Trigger::Http, Vec::new()),
            Call::Http(Executor::Wagi { arguments }) => (Trigger::Wagi, arguments.clone()),
            Call::Redis => (Trigger::Redis, Vec::new()),
        };
        let id = || component.id.clone();
        let failed = |error| match error {
            PartError::Read { path, source } => LoadError::Read { component: id(), path, source },
            PartError::Remote => LoadError::Remote { component: id() },
            PartError::TooLarge => LoadError::TooLarge { component: id(), reason: parts::TOO_LARGE },
        };
        let read = parts::read(self.root, component, middleware).map_err(failed)?;
        let Source::Path(path) = &component.source else {
            return Err(LoadError::Remote { component: id() });
        };
        let path = self.root.join(path);
        let outbound = Arc::new(component.allowed_outbound_hosts.clone());
        let egress = Egress::new(EgressConfig {
            allowed: Arc::clone(&outbound),
            common: Arc::clone(self.common),
            connections_max: component.limits.outbound_connections_max,
            tls: Arc::clone(self.trust.usual()),
            tls_to: self.trust.of(component.id.as_str()),
        });
        let grants = Grants::of(self.capabilities, &app.name, component, &egress);
        let failed = |source| LoadError::Prepare { component: id(), path: path.clone(), source };
        let (root, again, before) = (self.root.to_owned(), component.clone(), middleware.to_owned());
        let origin = Box::new(move || Ok(parts::read(&root, &again, &before)?));
        let (grants, prepared) = match (grants, self.runtime.prepare(&read, origin, self.load)) {
            (Ok(grants), Ok(prepared)) => (grants, prepared),
            (grants, prepared) => {
                let errors = grants.err().map(LoadError::from).into_iter().chain(prepared.err().map(failed));
                return Err(LoadError::of(errors.collect()));
            }
        };
        let names = if outbound.sockets_by_name() { Names::Resolved } else { Names::Refused };
        let failed = |FilesError { path, source }| LoadError::Read { component: id(), path, source };
        let (directories, copies) =
            files::mount(self.root, self.state, component, self.files, self.originals).map_err(failed)?;
        let config = ServiceConfig {
            world: World {
                arguments,
                environment: self.environment(component),
                directories,
                keeper: copies.map(|copies| copies as Arc<dyn Any + Send + Sync>),
                network: Arc::new(Network {
                    allowed: outbound,
                    names,
                    blocked: Arc::clone(&self.common.blocked),
                    ..Network::default()
                }),
                input: Input::Empty,
                printer: None,
                output: Output::Logged {
                    component: match self.place {
                        Some(place) => format!("{place}/{}", component.id).into(),
                        None => component.id.as_str().into(),
                    },
                    sender: self.logs.clone(),
                    budget: Arc::new(LogBudget::new(self.limits(component).log_bytes_per_s_max)),
                },
            },
            outbound: Outbound::new(egress, component.limits.outbound_bytes_max),
            grants: Arc::new(grants),
            limits: self.limits(component),
            isolation: self.isolation.unwrap_or(component.isolation),
            allowance: self.allowance.clone(),
        };
        let service = Service::new(prepared, config, trigger);
        service.map_err(|reason| LoadError::NotCalled { component: id(), path, reason })
    }

    fn name<'n>(&'n self, app: &'n App) -> &'n str {
        self.place.unwrap_or(app.name.as_str())
    }

    fn route(&self, app: &App, pattern: &Pattern, part: Part, answerer: Answerer) -> Route<Target> {
        let counts = Arc::clone(&self.counts);
        let name = Arc::new(Name { app: self.name(app).into(), part, counts });
        Route { pattern: pattern.clone(), target: Target { name, answerer } }
    }

    /// What a component may use: as it says, but where a tenant says it, nothing that others would notice.
    fn limits(&self, component: &Component) -> Limits {
        let mut limits = component.limits.clone();
        if self.allowance.is_some() {
            limits.cpu_time_max = limits.cpu_time_max.min(TENANT_CPU_TIME_MAX);
            limits.request_time_max = limits.request_time_max.min(TENANT_REQUEST_TIME_MAX);
            limits.log_bytes_per_s_max = limits.log_bytes_per_s_max.min(TENANT_LOG_BYTES_PER_S_MAX);
        }
        limits
    }

    fn environment(&self, component: &Component) -> Vec<(String, String)> {
        let mut environment = component.environment.clone();
        environment.extend(self.environment.clone());
        environment.into_iter().collect()
    }
}

/// Who answers a request to each component from within the app: it as its private trigger has it, or else its first.
fn by_id<'a>(app: &'a App, services: &[Arc<Service>]) -> BTreeMap<&'a str, Arc<Service>> {
    let mut by_id = BTreeMap::new();
    let triggers = || app.triggers.iter().zip(services);
    let (private, routed) = (triggers().filter(|it| it.0.route.is_none()), triggers());
    for (trigger, service) in private.chain(routed) {
        by_id.entry(trigger.component.as_str()).or_insert_with(|| Arc::clone(service));
    }
    by_id
}

/// What an error calls it.
fn describe(target: &Target) -> String {
    match (&target.answerer, &target.name.part) {
        (Answerer::Assets(assets), _) => format!("the static assets in `{}`", assets.directory().display()),
        (Answerer::Response(_), Part::Response(route)) => format!("the static response of `{route}`"),
        (_, Part::Component(name) | Part::Assets(name) | Part::Response(name)) => {
            format!("component `{name}`")
        }
    }
}
