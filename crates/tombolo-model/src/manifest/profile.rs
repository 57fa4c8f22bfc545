//! `[component.<id>.profile.<name>]`: what a component is instead where the operator chose that profile.
//!
//! Source: Spin, `crates/manifest/src/schema/v2.rs`, `ComponentProfileOverride`.

use std::collections::BTreeSet;

use super::ManifestError;
use super::dependencies::{self, Written};
use super::fields::Fields;
use super::read;
use super::variables::Values;
use crate::Inherited;
use crate::app::{Build, Component, Source};

/// What a profile says of a component, in place of what the component says.
#[derive(Debug)]
struct Override {
    source: Option<Source>,
    /// Over the component's own.
    environment: Values,
    commands: Option<Vec<String>>,
    /// In place of those of the same name.
    dependencies: Vec<Written>,
}

/// The profile that was chosen, and those there are.
#[derive(Debug, Default)]
pub(super) struct Profiles<'a> {
    pub(super) chosen: Option<&'a str>,
    known: BTreeSet<String>,
}

impl<'a> Profiles<'a> {
    pub(super) fn new(chosen: Option<&'a str>) -> Self {
        Self { chosen, known: BTreeSet::new() }
    }

    /// Changes `component` to what the chosen profile says of it. The others are read as well, so that what is
    /// misspelt is found whichever is chosen.
    pub(super) fn apply(
        &mut self,
        fields: &Fields<'_>,
        inherited: &Inherited,
        component: &mut Component,
        written: &mut Vec<Written>,
    ) -> Result<(), ManifestError> {
        let Some(profiles) = fields.table("profile")? else { return Ok(()) };
        for (name, value) in profiles.entries() {
            let table = profiles.entry_table(name.value, value)?;
            let over = read_one(&table, inherited)?;
            self.known.insert(name.value.to_owned());
            if self.chosen != Some(name.value) {
                continue;
            }
            component.environment.extend(over.environment);
            written.retain(|own| over.dependencies.iter().all(|other| own.name() != other.name()));
            written.extend(over.dependencies);
            if let Some(source) = over.source {
                component.source = source;
            }
            if let Some(commands) = over.commands {
                let own = component.build.take().unwrap_or_default();
                component.build = Some(Build { commands, ..own });
            }
        }
        Ok(())
    }

    /// Refuses a profile that no component has: it is misspelt.
    pub(super) fn check(&self, root: &Fields<'_>) -> Result<(), ManifestError> {
        let Some(chosen) = self.chosen.filter(|chosen| !self.known.contains(*chosen)) else { return Ok(()) };
        let known: Vec<String> = self.known.iter().map(|name| format!("`{name}`")).collect();
        let hint = match known.is_empty() {
            true => "no component has a `profile`".to_owned(),
            false => format!("there are {}", known.join(", ")),
        };
        let error = root.error(0..0, format!("no component has the profile `{chosen}`"));
        Err(ManifestError { place: None, hint: Some(hint), ..error })
    }
}

fn read_one(table: &Fields<'_>, inherited: &Inherited) -> Result<Override, ManifestError> {
    let source = table.get("source").is_some().then(|| read::source(table)).transpose()?;
    let environment = read::environment(table)?;
    let commands = match table.table("build")? {
        Some(build) => {
            let commands = read::commands(&build)?;
            build.done()?;
            Some(commands)
        }
        None => None,
    };
    let dependencies = dependencies::read(table, inherited)?;
    table.done()?;
    Ok(Override { source, environment, commands, dependencies })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::{Given, parse_given};

    const APP: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "a"
        [component.a]
        source = "a.wasm"
        environment = { LEVEL = "info", REGION = "eu" }
        [component.a.build]
        command = "make"
        watch = ["src/**"]
        [component.a.profile.debug]
        source = "debug/a.wasm"
        environment = { LEVEL = "debug" }
        build.command = ["make debug"]
        [component.a.profile.small]
        build.command = "make small"
        [component.b]
        source = "b.wasm"
    "#;

    fn component(id: &str, profile: Option<&str>) -> Component {
        let app = parse_given("spin.toml", APP, &Given::default(), profile).unwrap();
        app.components[&id.parse().unwrap()].clone()
    }

    fn path(component: &Component) -> String {
        match &component.source {
            Source::Path(path) => path.display().to_string(),
            Source::Url { .. } | Source::Package(_) => unreachable!("it is a path"),
        }
    }

    #[test]
    fn a_profile_changes_what_it_names_and_leaves_the_rest() {
        let usual = component("a", None);
        assert_eq!((path(&usual), usual.build.unwrap().commands), ("a.wasm".into(), vec!["make".to_owned()]));
        let debug = component("a", Some("debug"));
        assert_eq!(path(&debug), "debug/a.wasm");
        assert_eq!((&*debug.environment["LEVEL"], &*debug.environment["REGION"]), ("debug", "eu"));
        let build = debug.build.unwrap();
        assert_eq!((build.commands, build.watch), (vec!["make debug".to_owned()], vec!["src/**".to_owned()]));
        let small = component("a", Some("small"));
        assert_eq!((path(&small), &*small.environment["LEVEL"]), ("a.wasm".into(), "info"));
        assert_eq!(path(&component("b", Some("debug"))), "b.wasm");
    }

    /// A component says once what all its dependencies inherit, those of its profiles too.
    #[test]
    fn dependencies_of_a_profile_inherit_what_the_component_says() {
        let text = "spin_manifest_version = 2\n[application]\nname = \"a\"\n[component.a]\nsource = \"a.wasm\"\n\
            dependencies_inherit_configuration = true\n[component.a.profile.debug.dependencies]\n\
            one = { component = \"b\" }\n[component.b]\nsource = \"b.wasm\"\n";
        let read = |text: &str| parse_given("spin.toml", text, &Given::default(), Some("debug"));
        let app = read(text).unwrap();
        let dependencies = &app.components[&"a".parse().unwrap()].dependencies;
        assert_eq!(dependencies[0].inherited, Inherited::all());
        let of_profile = text.replace("dependencies_inherit_configuration = true\n", "").replace(
            "[component.a.profile.debug.dependencies]",
            "[component.a.profile.debug]\ndependencies_inherit_configuration = true\n\
             [component.a.profile.debug.dependencies]",
        );
        let refused = read(&of_profile).unwrap_err().to_string();
        assert!(refused.contains("dependencies_inherit_configuration"), "{refused}");
    }

    #[test]
    fn a_profile_that_is_not_there_or_misspelt_is_refused() {
        let refused = |text: &str, profile| {
            parse_given("spin.toml", text, &Given::default(), profile).unwrap_err().to_string()
        };
        let error = parse_given("spin.toml", APP, &Given::default(), Some("debgu")).unwrap_err();
        assert_eq!(error.to_string(), "spin.toml: no component has the profile `debgu`");
        assert_eq!(error.hint.as_deref(), Some("there are `debug`, `small`"));
        // Also if another is chosen.
        let misspelt = APP.replace("source = \"debug/", "sorce = \"debug/");
        assert!(refused(&misspelt, None).contains("unknown field"), "{}", refused(&misspelt, None));
    }
}
