//! What a release of an app consists of.
//!
//! A release is a manifest and the files that it names, each by its digest. It is immutable: its own digest is that
//! of this document, so another file or another word of the manifest is another release.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Component as Part, Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::app::{App, Source};
use crate::{ComponentId, Dependency, Digest, Inherited};

/// Bytes in a document. One of 20,000 files has 3 MB.
pub const DOCUMENT_BYTES_MAX: usize = 16 << 20;
/// Files of a release.
pub const FILES_MAX: usize = 20_000;
/// Folders that they are in. Files are links to what is there already; a folder takes a block of the disk, and a path
/// of 1024 bytes may name five hundred.
pub const FOLDERS_MAX: u64 = 20_000;
/// Bytes in one file.
pub const FILE_BYTES_MAX: u64 = 512 << 20;

/// The parts of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The text of its `spin.toml`.
    pub manifest: String,
    /// The build profile it was deployed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Its files, by where they are below the manifest's folder.
    pub files: BTreeMap<ReleasePath, ReleaseFile>,
}

/// One file of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFile {
    /// What it holds.
    pub digest: Digest,
    /// How many bytes that is.
    pub bytes: u64,
}

/// Why a document is not one of a release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// It is no such JSON.
    #[error("the release is not as expected: {0}")]
    Json(#[from] serde_json::Error),
    /// It is too large, or names too much.
    #[error("the release has {count} {what}, at most {count_max} are taken")]
    TooMuch {
        /// Of what.
        what: &'static str,
        /// How many.
        count: u64,
        /// The bound.
        count_max: u64,
    },
    /// A file stands where another needs a folder.
    #[error("the release has a file at `{file}` and another below it, at `{below}`")]
    BelowFile {
        /// The first.
        file: ReleasePath,
        /// The second.
        below: ReleasePath,
    },
}

impl Release {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// If it is none, or larger than a release may be.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReleaseError> {
        let too_much = |what, count, count_max| Err(ReleaseError::TooMuch { what, count, count_max });
        if bytes.len() > DOCUMENT_BYTES_MAX {
            return too_much("bytes", bytes.len() as u64, DOCUMENT_BYTES_MAX as u64);
        }
        let release: Self = serde_json::from_slice(bytes)?;
        if release.files.len() > FILES_MAX {
            return too_much("files", release.files.len() as u64, FILES_MAX as u64);
        }
        if let Some(file) = release.files.values().find(|file| file.bytes > FILE_BYTES_MAX) {
            return too_much("bytes in one file", file.bytes, FILE_BYTES_MAX);
        }
        let folders = release.folders();
        if folders > FOLDERS_MAX {
            return too_much("folders", folders, FOLDERS_MAX);
        }
        for below in release.files.keys() {
            let mut parents = below.as_str().match_indices('/').map(|(end, _)| &below.as_str()[..end]);
            if let Some(file) = parents.find_map(|parent| release.files.get_key_value(parent)) {
                return Err(ReleaseError::BelowFile { file: file.0.clone(), below: below.clone() });
            }
        }
        Ok(release)
    }

    /// The document, the same bytes for the same release.
    pub fn document(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts, numbers and a map with texts as keys are JSON")
    }

    /// How many folders its files are in, besides its own.
    pub fn folders(&self) -> u64 {
        let mut before = "";
        let mut folders = 0;
        for path in self.files.keys().map(ReleasePath::as_str) {
            // Paths that begin alike stand together: a folder is new if the path before is not in it.
            let alike = path.bytes().zip(before.bytes()).take_while(|(one, other)| one == other).count();
            folders += path.bytes().enumerate().filter(|(at, byte)| *byte == b'/' && *at >= alike).count();
            before = path;
        }
        folders as u64
    }

    /// What names it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.document())
    }
}

/// All code of an app, whose it is, and where it is in a release, wherever it was built: that of its components, and
/// of what is composed into them.
pub fn code(app: &mut App) -> Vec<(&ComponentId, PathBuf, &mut Source)> {
    let mut parts = BTreeMap::<&ComponentId, usize>::new();
    let place = |(id, source)| {
        // A component's own comes before its parts.
        let part = parts.entry(id).or_default();
        let path = if *part == 0 {
            format!(".components/{id}.wasm")
        } else {
            format!(".components/{id}/{part}.wasm")
        };
        *part += 1;
        (id, path.into(), source)
    };
    app.sources_mut().into_iter().map(place).collect()
}

/// Makes an app one of a release: its code is where [`code`] says. What it names outside of its folder no release
/// carries: each such thing is a reason against it.
pub fn settle(app: &mut App) -> Vec<String> {
    let mut reasons = Vec::new();
    for (_, path, source) in code(app) {
        *source = Source::Path(path);
    }
    let outside = |path: &Path| !path.components().all(|part| matches!(part, Part::Normal(_) | Part::CurDir));
    for (id, component) in &app.components {
        for mount in component.files.mounts.iter().filter(|mount| outside(&mount.source)) {
            let path = mount.source.display();
            reasons.push(format!("component `{id}`: files: `{path}` is outside of the app's folder"));
        }
        for glob in component.files.globs.iter().filter(|glob| outside(&glob.folder())) {
            reasons.push(format!("component `{id}`: files: `{glob}` is outside of the app's folder"));
        }
    }
    for assets in app.assets.iter().filter(|assets| outside(&assets.directory)) {
        let path = assets.directory.display();
        reasons.push(format!(
            "static assets of `{}`: `{path}` is outside of the app's folder",
            assets.raw_route
        ));
    }
    reasons
}

/// What the components of an app may do, in words that can be compared with those of another release.
pub fn capabilities(app: &App) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (id, component) in &app.components {
        let mut may = |what: String| all.insert(format!("component `{id}`: {what}"));
        for label in &component.key_value_stores {
            may(format!("key-value store `{label}`"));
        }
        for label in &component.sqlite_databases {
            may(format!("SQLite database `{label}`"));
        }
        for model in &component.ai_models {
            may(format!("language model `{model}`"));
        }
        for host in component.allowed_outbound_hosts.entries() {
            may(format!("connections to `{host}`"));
        }
        for name in component.variables.keys() {
            may(format!("variable `{name}`"));
        }
        // Each with what those above it have: it has no more.
        let all_of = Inherited::all();
        let mut parts: Vec<(Inherited, &Dependency)> =
            component.dependencies.iter().map(|dependency| (all_of.clone(), dependency)).collect();
        let before = app.triggers.iter().filter(|trigger| trigger.component == *id);
        for (number, layer) in before.flat_map(|trigger| trigger.middleware.iter().enumerate()) {
            for configuration in layer.inherited.iter() {
                may(format!("`{}` for its middleware {} too", configuration.field(), number + 1));
            }
            parts.extend(layer.part.dependencies.iter().map(|below| (layer.inherited.clone(), below)));
        }
        while let Some((above, Dependency { name, inherited, part, .. })) = parts.pop() {
            let inherited = above.and(inherited);
            for configuration in inherited.iter() {
                may(format!("`{}` for the dependency `{name}` too", configuration.field()));
            }
            parts.extend(part.dependencies.iter().map(|below| (inherited.clone(), below)));
        }
    }
    // The address may hold a password.
    for trigger in &app.redis_triggers {
        all.insert(format!(
            "component `{}`: messages of the channel `{}`",
            trigger.component, trigger.channel
        ));
    }
    all
}

/// Where a file of a release is: parts with `/` between, none of them empty, `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ReleasePath(String);

/// Why a text is not where a file can be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not the path of a file in a release: expected a relative path of at most 1024 bytes, without `..`"
)]
pub struct ReleasePathError {
    text: String,
}

impl ReleasePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ReleasePath {
    type Err = ReleasePathError;

    fn from_str(text: &str) -> Result<Self, ReleasePathError> {
        let named = |part: &str| !matches!(part, "" | "." | "..") && part.len() <= 255;
        let plain = !text.bytes().any(|byte| byte.is_ascii_control() || byte == b'\\');
        if plain && text.len() <= 1024 && text.split('/').all(named) {
            return Ok(Self(text.to_owned()));
        }
        Err(ReleasePathError { text: text.to_owned() })
    }
}

impl<'de> Deserialize<'de> for ReleasePath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::borrow::Borrow<str> for ReleasePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReleasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn release(paths: &[&str]) -> Release {
        let file = ReleaseFile { digest: Digest::of(b""), bytes: 0 };
        let files = paths.iter().map(|path| (path.parse().unwrap(), file)).collect();
        Release { manifest: "x".to_owned(), profile: None, files }
    }

    #[test]
    fn a_release_is_read_as_it_was_written_and_named_by_all_of_it() {
        let one = release(&["web.wasm", "assets/a.css"]);
        assert_eq!(Release::parse(&one.document()).unwrap(), one);
        let other = Release { manifest: "y".to_owned(), ..one.clone() };
        assert_ne!(other.digest(), one.digest());
        assert_ne!(release(&["web.wasm"]).digest(), one.digest());
    }

    /// A path is joined to a folder of the node: it must not lead out of it.
    #[test]
    fn no_path_leads_out_of_its_release() {
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "a/.", ".", "a\\b", "a\nb", &"a".repeat(256)] {
            assert!(bad.parse::<ReleasePath>().is_err(), "{bad}");
        }
        for good in ["a", ".well-known/x", "a/b c/ü", "..a/b..", "a/..."] {
            assert!(good.parse::<ReleasePath>().is_ok(), "{good}");
        }
        let text = r#"{"manifest":"","files":{"../a":{"digest":"sha256:00","bytes":1}}}"#;
        let reason = Release::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(reason.contains("`../a`") && reason.contains("line 1"), "{reason}");
    }

    #[test]
    fn an_app_of_a_release_names_nothing_outside_of_it() {
        let text = r#"
            spin_manifest_version = 2
            [application]
            name = "shop"
            [[application.tool.tombolo.static]]
            route = "/s/..."
            directory = "../dist"
            [[trigger.http]]
            route = "/..."
            component = "web"
            [component.web]
            source = "../../target/web.wasm"
            files = ["assets/*", { source = "/etc", destination = "/etc" }]
            allowed_outbound_hosts = ["https://example.com"]
            key_value_stores = ["default"]
        "#;
        let mut app = crate::manifest::parse("spin.toml", text, &BTreeMap::new()).unwrap();
        let reasons = settle(&mut app);
        assert_eq!(
            reasons,
            [
                "component `web`: files: `/etc` is outside of the app's folder",
                "static assets of `/s/...`: `../dist` is outside of the app's folder",
            ]
        );
        let web = app.components.values().next().unwrap();
        assert_eq!(web.source, Source::Path(".components/web.wasm".into()));
        let may: Vec<String> = capabilities(&app).into_iter().collect();
        assert_eq!(
            may,
            [
                "component `web`: connections to `https://example.com`",
                "component `web`: key-value store `default`",
            ]
        );
    }

    #[test]
    fn what_parts_inherit_has_to_be_approved_at_any_depth() {
        let text = r#"
            spin_manifest_version = 2
            [application]
            name = "shop"
            [[trigger.http]]
            route = "/..."
            component = "web"
            dependencies.middleware = [{ path = "m.wasm", inherit_configuration = ["environment"] }]
            [component.web]
            source = "web.wasm"
            [component.web.dependencies]
            "a:b/c" = { component = "inner", inherit_configuration = ["files", "variables"] }
            [component.inner]
            source = "inner.wasm"
            [component.inner.dependencies]
            "d:e" = { path = "d.wasm", inherit_configuration = ["files", "ai_models"] }
        "#;
        let app = crate::manifest::parse("spin.toml", text, &BTreeMap::new()).unwrap();
        let may: Vec<String> = capabilities(&app).into_iter().filter(|may| may.contains("`web`")).collect();
        assert_eq!(
            may,
            [
                "component `web`: `environment` for its middleware 1 too",
                "component `web`: `files` for the dependency `a:b/c` too",
                "component `web`: `files` for the dependency `d:e` too",
                "component `web`: `variables` for the dependency `a:b/c` too",
            ]
        );
    }

    #[test]
    fn no_file_is_below_a_file() {
        let reason = Release::parse(&release(&["a", "a/b/c"]).document()).unwrap_err().to_string();
        assert_eq!(reason, "the release has a file at `a` and another below it, at `a/b/c`");
        assert!(Release::parse(&release(&["a-b", "a/b"]).document()).is_ok());
    }

    #[test]
    fn folders_are_counted_once_and_bounded() {
        assert_eq!(release(&[]).folders(), 0);
        assert_eq!(release(&["a/b/x", "a/b/y", "a/c/x", "a-b/x", "a/b-/x", "x"]).folders(), 5);
        // Each of these paths is in 300 folders of its own.
        let deep: Vec<String> = (0..70).map(|number| format!("{number}/{}x", "d/".repeat(299))).collect();
        let deep: Vec<&str> = deep.iter().map(String::as_str).collect();
        assert!(Release::parse(&release(&deep[..66]).document()).is_ok());
        let reason = Release::parse(&release(&deep).document()).unwrap_err().to_string();
        assert_eq!(reason, "the release has 21000 folders, at most 20000 are taken");
    }

    proptest! {
        /// Against the obvious way.
        #[test]
        fn folders_are_those_that_paths_begin_with(
            paths in prop::collection::btree_set("[ab-]{1,2}(/[ab-]{1,2}){0,3}", 0..12),
        ) {
            let all: Vec<&str> = paths.iter().map(String::as_str).collect();
            let parents = |path: &&str| -> Vec<String> {
                path.match_indices('/').map(|(end, _)| path[..end].to_owned()).collect()
            };
            let expected: BTreeSet<String> = all.iter().flat_map(parents).collect();
            prop_assert_eq!(release(&all).folders(), expected.len() as u64);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Release::parse(&bytes);
        }

        #[test]
        fn a_path_stays_below_its_folder(text in "[a./\\\\]{0,12}") {
            if let Ok(path) = text.parse::<ReleasePath>() {
                let parts = std::path::Path::new(path.as_str()).components();
                prop_assert!(parts.into_iter().all(|part| matches!(part, std::path::Component::Normal(_))));
            }
        }
    }
}
