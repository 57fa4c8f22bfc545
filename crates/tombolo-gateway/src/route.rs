//! What answers: one table, published as a whole.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use tombolo_model::StaticResponse;
use tombolo_model::route::{Conflict, Pattern, Route, Table};
use tombolo_model::site::Sites;
use tombolo_runtime::Service;

use crate::assets::Assets;
use crate::counts::Counts;
use crate::edge::Policies;
use crate::inside::AppInside;

/// What answers which path of one app, in one release.
pub struct RouteTable {
    table: Table<Target>,
    /// What is done for the app's clients beside.
    policies: Option<Arc<Policies>>,
    /// Of those that no route is for.
    counts: Arc<Counts>,
}

impl RouteTable {
    /// The table of these routes, with the policies of their app; what no route is for is counted in `counts`.
    ///
    /// # Errors
    ///
    /// If two of them are one.
    pub fn new(
        routes: Vec<Route<Target>>,
        policies: Option<Arc<Policies>>,
        counts: Arc<Counts>,
    ) -> Result<Self, Conflict> {
        Ok(Self { table: Table::new(routes)?, policies, counts })
    }

    /// Its routes.
    pub fn routes(&self) -> impl Iterator<Item = (&Pattern, &Target)> {
        self.table.routes()
    }

    pub(crate) fn find(&self, path: &str) -> Option<(&Pattern, &Target)> {
        self.table.find(path)
    }

    pub(crate) fn policies(&self) -> Option<&Arc<Policies>> {
        self.policies.as_ref()
    }

    pub(crate) fn counts(&self) -> &Arc<Counts> {
        &self.counts
    }
}

/// What is served, as of one publication.
#[derive(Default)]
pub struct Published {
    /// What answers clients, by host.
    pub sites: Sites<Arc<RouteTable>>,
    /// Every component there is, each once: also those that only others of their app call, or messages.
    pub services: Vec<Arc<Service>>,
}

/// What answers a route.
#[derive(Clone)]
pub struct Target {
    /// What it is called. Behind one pointer, as each request under way keeps it.
    pub name: Arc<Name>,
    /// Who answers.
    pub answerer: Answerer,
}

/// What events and errors call that which answers.
#[derive(Debug)]
pub struct Name {
    /// Whose it is.
    pub app: Box<str>,
    /// Which part of the app.
    pub part: Part,
    /// What becomes of requests for this release of it.
    pub counts: Arc<Counts>,
}

/// A part of an app that answers.
#[derive(Debug)]
pub enum Part {
    /// A component, by its id.
    Component(Box<str>),
    /// Static assets, by their route.
    Assets(Box<str>),
    /// A static response, by its route.
    Response(Box<str>),
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.part {
            Part::Component(id) => write!(f, "{}/{id}", self.app),
            Part::Assets(route) => write!(f, "{}: static assets of {route}", self.app),
            Part::Response(route) => write!(f, "{}: static response of {route}", self.app),
        }
    }
}

/// Who answers a request.
#[derive(Clone)]
pub enum Answerer {
    /// A component.
    Component {
        /// It.
        service: Arc<Service>,
        /// How the route is told to a Spin app; `None` for a component that expects none of it.
        spin: Option<Arc<SpinRoute>>,
        /// The app whose other parts it may call; `None` if it may call none.
        inside: Option<Arc<AppInside>>,
    },
    /// The files of a directory.
    Assets(Arc<Assets>),
    /// What the manifest wrote.
    Response(Arc<StaticResponse>),
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(&self.name, f)
    }
}

/// The parts of a route that Spin tells its components in request headers.
#[derive(Debug)]
pub struct SpinRoute {
    /// `spin-base-path`.
    pub base: HeaderValue,
    /// `spin-raw-component-route`: the route as in the manifest.
    pub raw: HeaderValue,
    /// `spin-component-route`: the same without its wildcard.
    pub component: HeaderValue,
    /// `spin-matched-route`: the route with its base.
    pub matched: HeaderValue,
}

impl SpinRoute {
    /// The parts of a route that the manifest wrote as `raw`, and that is `pattern` behind `base`.
    ///
    /// # Errors
    ///
    /// If it has characters no header can have; a manifest's text may.
    pub fn new(raw: &str, base: &str, pattern: &Pattern) -> Result<Self, http::header::InvalidHeaderValue> {
        let matched = pattern.to_string();
        let component = raw.strip_suffix("/...").or_else(|| raw.strip_suffix("/*")).unwrap_or(raw);
        Ok(Self {
            base: HeaderValue::from_str(base)?,
            raw: HeaderValue::from_str(raw)?,
            component: HeaderValue::from_str(component)?,
            matched: HeaderValue::from_str(&matched)?,
        })
    }

    /// Tells a component by which route its request came, over whatever the client claims.
    ///
    /// Source: Spin, `crates/trigger-http`, and its HTTP trigger's documentation.
    pub(crate) fn tell(
        &self,
        headers: &mut HeaderMap,
        pattern: &Pattern,
        uri: &Uri,
        authority: &str,
        client: SocketAddr,
    ) {
        let path = uri.path();
        // Built of a parsed URI, header and address, these are always values a header can have.
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        let scheme = uri.scheme_str().unwrap_or("http");
        headers.insert("spin-full-url", value(&format!("{scheme}://{authority}{path}{query}")));
        let info = if pattern.has_rest() { pattern.rest_of(path) } else { "" };
        headers.insert("spin-path-info", value(info));
        headers.insert("spin-base-path", self.base.clone());
        headers.insert("spin-raw-component-route", self.raw.clone());
        headers.insert("spin-component-route", self.component.clone());
        headers.insert("spin-matched-route", self.matched.clone());
        headers.insert("spin-client-addr", value(&client.to_string()));
        // The client's claims about parts of the path, whichever they are.
        let claims = |name: &&HeaderName| name.as_str().starts_with("spin-path-match-");
        let claimed: Vec<HeaderName> = headers.keys().filter(claims).cloned().collect();
        for name in claimed {
            headers.remove(name);
        }
        for (name, part) in pattern.captures(path) {
            if let Ok(name) = HeaderName::from_bytes(format!("spin-path-match-{name}").as_bytes()) {
                headers.insert(name, value(part));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spin_component_is_told_its_route() {
        let base: Pattern = "/base".parse().unwrap();
        let raw = "/u/:id/...";
        let pattern = raw.parse::<Pattern>().unwrap().below(&base);
        let route = SpinRoute::new(raw, "/base", &pattern).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("spin-client-addr", HeaderValue::from_static("forged"));
        headers.insert("spin-path-match-other", HeaderValue::from_static("forged"));
        let uri = "https://h:1/base/u/7/a/b?q=1".parse().unwrap();
        route.tell(&mut headers, &pattern, &uri, "h:1", "1.2.3.4:5".parse().unwrap());
        let expected = [
            ("spin-full-url", "https://h:1/base/u/7/a/b?q=1"),
            ("spin-path-info", "/a/b"),
            ("spin-base-path", "/base"),
            ("spin-raw-component-route", "/u/:id/..."),
            ("spin-component-route", "/u/:id"),
            ("spin-matched-route", "/base/u/:id/..."),
            ("spin-client-addr", "1.2.3.4:5"),
            ("spin-path-match-id", "7"),
        ];
        for (name, value) in expected {
            assert_eq!(headers[name], value, "{name}");
        }
        assert_eq!(headers.len(), expected.len());
    }
}
