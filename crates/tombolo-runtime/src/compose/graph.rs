//! Puts parts together.
//!
//! Source: `wac-graph`, whose graph has an instance for each part and an edge for each import that is answered. What
//! nobody answers becomes an import of the whole; where two parts import one interface in two versions that are
//! compatible, the later of them.

use std::collections::BTreeMap;

use tombolo_model::DependencyName;
use wac_graph::types::{Package, are_semver_compatible};
use wac_graph::{CompositionGraph, EncodeOptions, InstantiationArgumentError, NodeId, PackageId};

use super::bundle::{Bundle, Dependency, Node};
use super::rename::renamed;
use super::{ComposeError, HANDLER};
use crate::inspect;
use crate::prepare::PrepareError;

impl Bundle {
    /// The one component that the parts come to.
    pub(crate) fn compose(&self) -> Result<Vec<u8>, PrepareError> {
        self.component(self.head())
    }

    fn component(&self, node: &Node) -> Result<Vec<u8>, PrepareError> {
        let given = self.bytes(node);
        let mut component = inspect::component(given, &inspect::inspect(given)?)?.into_owned();
        if !node.denied.is_empty() {
            let failed = |reason| ComposeError::Graph { reason };
            component = renamed(&component, &node.denied).map_err(failed)?;
        }
        if !node.dependencies.is_empty() {
            component = self.plugged(component, &node.dependencies)?;
        }
        if !node.middleware.is_empty() {
            component = self.layered(component, &node.middleware)?;
        }
        Ok(component)
    }

    /// `component` with its imports answered.
    fn plugged(&self, component: Vec<u8>, dependencies: &[Dependency]) -> Result<Vec<u8>, ComposeError> {
        let mut graph = Graph::default();
        let main = graph.add("it", component)?;
        let imports = graph.imports(main);
        let mut answered = BTreeMap::<&str, DependencyName>::new();
        for dependency in dependencies {
            let part = format!("dependency `{}`", dependency.name);
            let name: DependencyName = dependency
                .name
                .parse()
                .map_err(|error: tombolo_model::dependency::DependencyNameError| graph_error(&error))?;
            let meant: Vec<&String> = imports.iter().filter(|import| name.matches(import)).collect();
            if meant.is_empty() {
                let foreign = |import: &&String| !import.starts_with("wasi:");
                return Err(ComposeError::NoImport {
                    name,
                    imports: imports.iter().filter(foreign).cloned().collect(),
                });
            }
            let component = self.component(&dependency.node);
            let component = component
                .map_err(|source| ComposeError::Part { part: part.clone(), source: Box::new(source) })?;
            let plug = graph.add(&part, component)?;
            for import in meant {
                if let Some(first) = answered.insert(import, name.clone()) {
                    let (import, first, second) = (import.clone(), first.to_string(), name.to_string());
                    return Err(ComposeError::Twice { import, first, second });
                }
                let export = dependency.export.as_ref().unwrap_or(import);
                graph.answer(main, import, plug, export, &part)?;
            }
        }
        for export in graph.exports(main) {
            graph.export(main, &export)?;
        }
        graph.encode()
    }

    /// `component` with middleware before it.
    fn layered(&self, component: Vec<u8>, middleware: &[Node]) -> Result<Vec<u8>, ComposeError> {
        let mut graph = Graph::default();
        let mut next = graph.add("the component", component)?;
        let mut whose = "the component behind the middleware".to_owned();
        for (index, node) in middleware.iter().enumerate().rev() {
            let part = format!("middleware {}", index + 1);
            let component = self.component(node);
            let component = component
                .map_err(|source| ComposeError::Part { part: part.clone(), source: Box::new(source) })?;
            let layer = graph.add(&part, component)?;
            if !graph.imports(layer).iter().any(|import| import == HANDLER) {
                return Err(ComposeError::NoNext { part });
            }
            graph.answer(layer, HANDLER, next, HANDLER, &whose)?;
            (next, whose) = (layer, part);
        }
        graph.exported(next, HANDLER, &whose)?;
        graph.export(next, HANDLER)?;
        graph.encode()
    }
}

fn graph_error(error: &dyn std::error::Error) -> ComposeError {
    ComposeError::Graph { reason: crate::prepare::chain(error) }
}

#[derive(Default)]
struct Graph {
    graph: CompositionGraph,
    parts: usize,
}

/// A part within the graph.
#[derive(Clone, Copy)]
struct Instance {
    package: PackageId,
    node: NodeId,
}

impl Graph {
    fn add(&mut self, part: &str, component: Vec<u8>) -> Result<Instance, ComposeError> {
        // What packages are called is nobody's but the graph's, and each is called otherwise.
        self.parts += 1;
        let name = format!("tombolo:part-{}", self.parts);
        let package = Package::from_bytes(&name, None, component, self.graph.types_mut());
        let package =
            package.map_err(|error| ComposeError::Graph { reason: format!("{part}: {error:#}") })?;
        let package = self.graph.register_package(package).map_err(|error| graph_error(&error))?;
        Ok(Instance { package, node: self.graph.instantiate(package) })
    }

    fn imports(&self, part: Instance) -> Vec<String> {
        self.graph.types()[self.graph[part.package].ty()].imports.keys().cloned().collect()
    }

    fn exports(&self, part: Instance) -> Vec<String> {
        self.graph.types()[self.graph[part.package].ty()].exports.keys().cloned().collect()
    }

    /// What `whose` exports as `name`, or as a version that is compatible with it.
    fn exported(&self, part: Instance, name: &str, whose: &str) -> Result<String, ComposeError> {
        let exports = self.exports(part);
        let found = exports.iter().find(|export| *export == name);
        let found = found.or_else(|| exports.iter().find(|export| are_semver_compatible(export, name)));
        found.cloned().ok_or_else(|| ComposeError::NoExport {
            part: whose.to_owned(),
            export: name.to_owned(),
            exports: exports.clone(),
        })
    }

    /// Has the import of one part answered by the export of another, which is called `whose`.
    fn answer(
        &mut self,
        part: Instance,
        import: &str,
        by: Instance,
        export: &str,
        whose: &str,
    ) -> Result<(), ComposeError> {
        let export = self.exported(by, export, whose)?;
        let alias = self.graph.alias_instance_export(by.node, &export);
        let alias = alias.map_err(|error| graph_error(&error))?;
        let answered = self.graph.set_instantiation_argument(part.node, import, alias);
        answered.map_err(|error| match error {
            InstantiationArgumentError::ArgumentTypeMismatch { source, .. } => ComposeError::Unfit {
                part: whose.to_owned(),
                export,
                import: import.to_owned(),
                reason: format!("{source:#}"),
            },
            error => graph_error(&error),
        })
    }

    fn export(&mut self, part: Instance, export: &str) -> Result<(), ComposeError> {
        let alias = self.graph.alias_instance_export(part.node, export);
        let alias = alias.map_err(|error| graph_error(&error))?;
        self.graph.export(alias, export).map_err(|error| graph_error(&error))
    }

    fn encode(&self) -> Result<Vec<u8>, ComposeError> {
        let encoded = self.graph.encode(EncodeOptions::default());
        encoded.map_err(|error| graph_error(&error))
    }
}

#[cfg(test)]
mod tests;
