//! What a file is, told from its bytes without compiling it.

use std::borrow::Cow;

use crate::prepare::PrepareError;
use tombolo_cap_wasi::adapt::{self, Shape};
use tombolo_cap_wasi::candidate::{self, CANDIDATE, NOVEMBER};
use tombolo_capability::Abi;
use wasmparser::{
    Chunk, ComponentExternalKind, Encoding, ExternalKind, Parser, Payload, ValidPayload, Validator,
    WasmFeatures,
};

/// What a file is and what it talks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// What it is.
    pub kind: Kind,
    /// Names of what it needs.
    pub imports: Vec<String>,
    /// Names of what it offers.
    pub exports: Vec<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A core module without WASI.
    Module,
    /// A core module of WASI 0.1, or of a toolchain that adapts such modules into components.
    Wasi01(Shape),
    /// A component that answers HTTP requests.
    Http(Handler),
    /// A component that runs once.
    Command(Version),
    /// A component that takes messages of Redis, and does none of the above.
    Redis(Redis),
    /// A component with neither.
    Component,
}

/// How a component answers HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handler {
    /// `wasi:http/incoming-handler@0.2.x`.
    Wasi02,
    /// `wasi:http/incoming-handler` of the snapshot that came before, from October 2023.
    Snapshot,
    /// `wasi:http/handler@0.3.0`.
    Wasi03,
}

/// What a component of the snapshot answers HTTP with.
pub(crate) const SNAPSHOT_HANDLER: &str = "wasi:http/incoming-handler@0.2.0-rc-2023-10-18";

/// How a component takes messages of Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redis {
    /// `fermyon:spin/inbound-redis`.
    Unversioned,
    /// `spin:redis/inbound-redis@3.0.0`.
    V3,
}

impl Redis {
    /// How one with these exports does, if it does.
    pub fn of<'a>(exports: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        exports.into_iter().find_map(|name| match name {
            "fermyon:spin/inbound-redis" => Some(Self::Unversioned),
            "spin:redis/inbound-redis@3.0.0" => Some(Self::V3),
            _ => None,
        })
    }
}

/// Which WASI a command is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `wasi:cli/run@0.2.x`.
    Wasi02,
    /// `wasi:cli/run@0.3.0`.
    Wasi03,
}

impl Inspection {
    /// Which engine it needs as a component, where `bytes` are what was looked at.
    pub fn abi(&self, bytes: &[u8]) -> Abi {
        match self.kind {
            // It becomes a component that has no native async.
            Kind::Wasi01(_) => Abi::Sync,
            _ => abi(bytes),
        }
    }
}

/// Why a file is not WebAssembly that can run here.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The bytes are neither wasm nor text.
    #[error(
        "not WebAssembly: expected a module or component (bytes that begin with `\\0asm`), or text in WAT, \
         found {found}"
    )]
    NotWasm {
        /// How it begins.
        found: String,
    },
    /// The text is not WAT.
    #[error("not WebAssembly text: {reason}")]
    NotWat {
        /// The parser's message, with line and column.
        reason: String,
    },
    /// The file stops in the middle.
    #[error("the WebAssembly is cut short: it ends at byte {bytes}, inside a section")]
    Truncated {
        /// Its length.
        bytes: usize,
    },
    /// The bytes break the format.
    #[error("not valid WebAssembly at byte {offset:#x}: {reason}")]
    Invalid {
        /// Where.
        offset: usize,
        /// What.
        reason: String,
    },
}

/// The binary form of a file: itself, or what its text says.
///
/// # Errors
///
/// If it is neither.
pub fn binary(bytes: &[u8]) -> Result<Cow<'_, [u8]>, InspectError> {
    if bytes.starts_with(b"\0asm") {
        return Ok(Cow::Borrowed(bytes));
    }
    let is_text = std::str::from_utf8(bytes).ok().filter(|text| {
        let text = text.trim_start();
        text.starts_with('(') || text.starts_with(";;")
    });
    let Some(text) = is_text else { return Err(InspectError::NotWasm { found: beginning(bytes) }) };
    wat::parse_str(text).map(Cow::Owned).map_err(|error| InspectError::NotWat { reason: error.to_string() })
}

fn beginning(bytes: &[u8]) -> String {
    match bytes.len() {
        0 => "an empty file".to_owned(),
        length => format!("{length} bytes that begin with `{}`", bytes[..length.min(8)].escape_ascii()),
    }
}

/// What these bytes of binary WebAssembly are.
///
/// # Errors
///
/// If they break the format; functions are not looked into.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let mut found = Found::default();
    found.read(bytes)?;
    let Found { is_component, imports, exports, .. } = &found;
    // Of the release, or of the candidate that is it by another name.
    let versions =
        |interface: &'static str| exports.iter().filter_map(move |name| name.strip_prefix(interface));
    let exports_03 =
        |interface| versions(interface).any(|version| version == "@0.3.0" || version == CANDIDATE);
    let exports_02 = |interface| {
        let is_release = |version: &str| version.starts_with("@0.2.") && !version.contains("-rc-");
        versions(interface).any(|version| is_release(version) || version == NOVEMBER)
    };
    let kind = if *is_component {
        if exports_02("wasi:http/incoming-handler") {
            Kind::Http(Handler::Wasi02)
        } else if exports.iter().any(|name| name == SNAPSHOT_HANDLER) {
            Kind::Http(Handler::Snapshot)
        } else if exports_03("wasi:http/handler") {
            Kind::Http(Handler::Wasi03)
        } else if exports_02("wasi:cli/run") {
            Kind::Command(Version::Wasi02)
        } else if exports_03("wasi:cli/run") {
            Kind::Command(Version::Wasi03)
        } else {
            Redis::of(exports.iter().map(String::as_str)).map_or(Kind::Component, Kind::Redis)
        }
    } else if found.has_world || imports.iter().any(|name| name.starts_with("wasi_snapshot_preview1::")) {
        let is_command = exports.iter().any(|name| name == "_start");
        Kind::Wasi01(if is_command { Shape::Command } else { Shape::Reactor })
    } else {
        Kind::Module
    };
    Ok(Inspection { kind, imports: found.imports, exports: found.exports })
}

/// The component in these bytes: themselves, what a module of WASI 0.1 is turned into, or what a component of a
/// candidate of WASI is to the release.
///
/// # Errors
///
/// If there is none in them.
pub fn component<'a>(bytes: &'a [u8], found: &Inspection) -> Result<Cow<'a, [u8]>, PrepareError> {
    if let Kind::Wasi01(shape) = found.kind {
        let adapted = adapt::component(bytes, shape)?;
        // A module's own world may be of one, too.
        return match is_of_a_candidate(&inspect(&adapted)?) {
            true => Ok(Cow::Owned(candidate::released(&adapted)?)),
            false => Ok(Cow::Owned(adapted)),
        };
    }
    match is_of_a_candidate(found) {
        true => Ok(Cow::Owned(candidate::released(bytes)?)),
        false => Ok(Cow::Borrowed(bytes)),
    }
}

fn is_of_a_candidate(found: &Inspection) -> bool {
    found.imports.iter().chain(&found.exports).any(|name| candidate::is_of_one(name))
}

/// Whether a component needs native async: whether it is valid without.
pub fn abi(component: &[u8]) -> Abi {
    let mut features = WasmFeatures::all();
    for flag in
        [WasmFeatures::CM_ASYNC, WasmFeatures::CM_ASYNC_STACKFUL, WasmFeatures::CM_MORE_ASYNC_BUILTINS]
    {
        features.remove(flag);
    }
    let mut validator = Validator::new_with_features(features);
    for payload in Parser::new(0).parse_all(component) {
        // Function bodies, nearly all of the bytes, are not looked into: async is in types.
        let valid = payload.and_then(|payload| validator.payload(&payload).map(|_: ValidPayload<'_>| ()));
        if valid.is_err() {
            return Abi::Async;
        }
    }
    Abi::Sync
}

#[derive(Default)]
struct Found {
    is_component: bool,
    has_world: bool,
    imports: Vec<String>,
    exports: Vec<String>,
    /// How many modules and components the parser is inside of.
    depth: usize,
}

impl Found {
    fn read(&mut self, bytes: &[u8]) -> Result<(), InspectError> {
        let mut parsers = vec![Parser::new(0)];
        let mut at = 0;
        while let Some(parser) = parsers.last_mut() {
            let chunk = parser.parse(&bytes[at..], true).map_err(|error| refusal(&error, bytes.len()))?;
            let Chunk::Parsed { consumed, payload } = chunk else {
                return Err(InspectError::Truncated { bytes: bytes.len() });
            };
            at += consumed;
            match payload {
                Payload::ModuleSection { parser, .. } | Payload::ComponentSection { parser, .. } => {
                    parsers.push(parser);
                    self.depth += 1;
                }
                Payload::End(_) => {
                    parsers.pop();
                    self.depth = self.depth.saturating_sub(1);
                }
                Payload::CodeSectionStart { size, .. } => {
                    let length = usize::try_from(size).unwrap_or(usize::MAX);
                    parser.skip_section();
                    if bytes.len() - at < length {
                        return Err(InspectError::Truncated { bytes: bytes.len() });
                    }
                    at += length;
                }
                payload if self.depth == 0 => {
                    self.outermost(payload).map_err(|error| refusal(&error, bytes.len()))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// One section of the file itself, not of what is nested in it.
    fn outermost(&mut self, payload: Payload<'_>) -> wasmparser::Result<()> {
        match payload {
            Payload::Version { encoding, .. } => self.is_component = encoding == Encoding::Component,
            Payload::CustomSection(section) => self.has_world |= section.name().starts_with("component-type"),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    self.imports.push(format!("{}::{}", import.module, import.name));
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    if matches!(export.kind, ExternalKind::Func | ExternalKind::Memory) {
                        self.exports.push(export.name.to_owned());
                    }
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    self.imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export?;
                    if export.kind != ComponentExternalKind::Type {
                        self.exports.push(export.name.name.to_owned());
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn refusal(error: &wasmparser::BinaryReaderError, length: usize) -> InspectError {
    if error.offset() >= length || error.message().contains("unexpected end") {
        return InspectError::Truncated { bytes: length };
    }
    InspectError::Invalid { offset: error.offset(), reason: error.message().to_owned() }
}
