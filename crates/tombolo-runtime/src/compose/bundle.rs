//! Parts as one text of bytes: a line that says so, the length of a head, the head, and the bytes of all parts.

use serde::{Deserialize, Serialize};
use tombolo_model::Inherited;

use super::Parts;
use crate::inspect::{self, InspectError};

/// How a bundle begins. No WebAssembly does, binary or text.
const MAGIC: &[u8] = b"tombolo parts 1\n";

/// Whether bytes are a bundle, rather than WebAssembly.
pub(crate) fn is_bundle(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC)
}

/// Parts, and what each has not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    head: Node,
    /// In the order of the nodes.
    bytes: Vec<Vec<u8>>,
}

/// One part, and those composed into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Which of the bytes are its own.
    pub(super) index: usize,
    /// How many they are.
    length: usize,
    /// Interfaces it has not, without their versions.
    pub(super) denied: Vec<String>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) middleware: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dependency {
    pub(super) name: String,
    pub(super) export: Option<String>,
    pub(super) node: Node,
}

impl Bundle {
    /// Of `parts`, binary each; `denied` names the interfaces that one has not which inherits so much.
    pub(super) fn of(
        parts: &Parts,
        denied: &dyn Fn(&Inherited) -> Vec<String>,
    ) -> Result<Self, InspectError> {
        let mut bytes = Vec::new();
        let head = node(parts, &Inherited::all(), denied, &mut bytes)?;
        Ok(Self { head, bytes })
    }

    pub(super) fn head(&self) -> &Node {
        &self.head
    }

    pub(super) fn bytes(&self, node: &Node) -> &[u8] {
        &self.bytes[node.index]
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&self.head).expect("texts, numbers and lists of them are JSON");
        let mut encoded = MAGIC.to_vec();
        encoded.extend((head.len() as u64).to_le_bytes());
        encoded.extend(head);
        self.bytes.iter().for_each(|bytes| encoded.extend(bytes));
        encoded
    }

    /// What [`Bundle::encode`] made; `None` if it was something else.
    pub(crate) fn decode(encoded: &[u8]) -> Option<Self> {
        let rest = encoded.strip_prefix(MAGIC)?;
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let (head, mut rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        let head: Node = serde_json::from_slice(head).ok()?;
        let mut nodes = Vec::new();
        head.list(&mut nodes);
        let mut bytes = Vec::new();
        for (index, node) in nodes.into_iter().enumerate() {
            let (own, behind) = rest.split_at_checked(node.length)?;
            if node.index != index {
                return None;
            }
            bytes.push(own.to_owned());
            rest = behind;
        }
        rest.is_empty().then_some(Self { head, bytes })
    }
}

impl Node {
    /// All of them, in the order of their bytes.
    fn list<'a>(&'a self, nodes: &mut Vec<&'a Self>) {
        nodes.push(self);
        self.dependencies.iter().for_each(|dependency| dependency.node.list(nodes));
        self.middleware.iter().for_each(|node| node.list(nodes));
    }
}

/// A part that has so much of what the whole was granted: those below it have no more than that.
fn node(
    parts: &Parts,
    inherited: &Inherited,
    denied: &dyn Fn(&Inherited) -> Vec<String>,
    bytes: &mut Vec<Vec<u8>>,
) -> Result<Node, InspectError> {
    let binary = inspect::binary(&parts.bytes)?.into_owned();
    let (index, length) = (bytes.len(), binary.len());
    bytes.push(binary);
    let mut dependencies = Vec::new();
    for plug in &parts.dependencies {
        let node = node(&plug.part, &inherited.and(&plug.inherited), denied, bytes)?;
        dependencies.push(Dependency { name: plug.name.to_string(), export: plug.export.clone(), node });
    }
    let mut middleware = Vec::new();
    for layer in &parts.middleware {
        middleware.push(node(&layer.part, &inherited.and(&layer.inherited), denied, bytes)?);
    }
    Ok(Node { index, length, denied: denied(inherited), dependencies, middleware })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::{Layer, Plug};

    fn parts(text: &str) -> Parts {
        Parts::from(format!("\0asm{text}").into_bytes())
    }

    fn bundle() -> Bundle {
        let inner = Plug {
            name: "a:b/c@1.0.0".parse().unwrap(),
            export: Some("x".to_owned()),
            inherited: Inherited::all(),
            part: parts("two"),
        };
        let outer = Plug { part: Parts { dependencies: vec![inner.clone()], ..parts("one") }, ..inner };
        let layer = Layer { inherited: Inherited::default(), part: parts("") };
        let all = Parts { dependencies: vec![outer], middleware: vec![layer], ..parts("main") };
        let denied = |inherited: &Inherited| match *inherited == Inherited::all() {
            true => Vec::new(),
            false => vec!["a:b/c".to_owned()],
        };
        Bundle::of(&all, &denied).unwrap()
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written() {
        let bundle = bundle();
        let encoded = bundle.encode();
        assert!(is_bundle(&encoded));
        assert_eq!(Bundle::decode(&encoded).unwrap(), bundle);
        let texts: Vec<_> = bundle.bytes.iter().map(|bytes| &bytes[4..]).collect();
        assert_eq!(texts, [&b"main"[..], b"one", b"two", b""]);
        assert_eq!(bundle.head().middleware[0].denied, ["a:b/c"]);
    }

    /// Its digest names what is compiled: nothing that matters may be left out.
    #[test]
    fn whatever_differs_differs_in_the_bundle() {
        let bundle = bundle();
        let mut others = vec![bundle.clone(), bundle.clone(), bundle.clone(), bundle.clone()];
        others[0].bytes[2].push(b'!');
        others[1].head.middleware[0].denied.clear();
        others[2].head.dependencies[0].export = None;
        others[3].head.dependencies[0].name = "a:b".to_owned();
        for other in others {
            assert_ne!(other.encode(), bundle.encode());
        }
    }

    #[test]
    fn what_is_cut_is_no_bundle() {
        let encoded = bundle().encode();
        for length in 0..encoded.len() {
            assert_eq!(Bundle::decode(&encoded[..length]), None, "{length}");
        }
        assert_eq!(Bundle::decode(&[encoded, vec![0]].concat()), None);
    }
}
