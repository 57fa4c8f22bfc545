//! Which component of an app answers which path.
//!
//! A [`Pattern`] is what a manifest writes; a [`Table`] holds many and finds the one for a request
//! in time that depends on the segments of the path, not on the number of routes. A table is
//! immutable: a change is a new table.
//!
//! Semantics, as Spin documents them: a literal segment beats `:name`, which beats the wildcard
//! `/...`, compared from the left, so the longest match wins; a wildcard also matches the path
//! without its last slash; a trailing slash of the path counts for nothing.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

/// A path pattern: literal segments, `:name` for any one segment, a final `...` for any rest.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pattern {
    segments: Vec<Segment>,
    rest: bool,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Segment {
    Literal(Box<str>),
    Any(Box<str>),
}

/// Why a text is not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a route: {reason}")]
pub struct PatternError {
    text: String,
    reason: &'static str,
}

/// Two routes that answer exactly the same requests.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{route}` is the route of two triggers")]
pub struct Conflict {
    /// The second of the two.
    pub route: Pattern,
    /// The place of the first one, in the order in which they were given.
    pub first: usize,
    /// The place of the second one.
    pub second: usize,
}

impl Pattern {
    /// This pattern below `base`, as `[application.trigger.http] base` asks.
    #[must_use]
    pub fn below(&self, base: &Pattern) -> Self {
        let segments = base.segments.iter().chain(&self.segments).cloned().collect();
        Self { segments, rest: self.rest }
    }

    /// Whether the pattern ends in a wildcard.
    pub fn has_rest(&self) -> bool {
        self.rest
    }

    /// The part of `path` that the wildcard stood for, with its leading slash; empty for none.
    /// `path` must be one that this pattern matches.
    pub fn rest_of<'p>(&self, path: &'p str) -> &'p str {
        let mut rest = path;
        for _ in &self.segments {
            let from = rest.strip_prefix('/').unwrap_or(rest);
            rest = from.find('/').map_or("", |slash| &from[slash..]);
        }
        rest
    }

    /// The names and values of the `:name` segments. `path` must be one that this pattern matches.
    pub fn captures<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.segments.iter().zip(segments(path)).filter_map(|(segment, value)| match segment {
            Segment::Any(name) => Some((&**name, value)),
            Segment::Literal(_) => None,
        })
    }

    /// The pattern up to its wildcard, without a trailing slash: `/a/...` gives `/a`.
    pub fn prefix(&self) -> String {
        self.segments.iter().map(|segment| format!("/{segment}")).collect()
    }
}

/// Segments of a pattern. A path is looked for one call deeper with each, on the stack of whoever asks.
const SEGMENTS_MAX: usize = 100;

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let refuse = |reason| Err(PatternError { text: text.to_owned(), reason });
        let Some(path) = text.strip_prefix('/') else {
            return refuse("expected a leading `/`");
        };
        if text.contains(['?', '#']) {
            return refuse("expected a path alone, without `?` or `#`");
        }
        let mut pattern = Self { segments: Vec::new(), rest: false };
        for part in path.strip_suffix('/').unwrap_or(path).split('/') {
            if pattern.rest {
                return refuse("expected nothing after the wildcard");
            }
            match part {
                "..." | "*" => pattern.rest = true,
                "" if path.is_empty() => {}
                "" => return refuse("expected no empty segment"),
                _ if pattern.segments.len() == SEGMENTS_MAX => {
                    return refuse("expected at most 100 segments");
                }
                _ => pattern.segments.push(match part.strip_prefix(':') {
                    Some("") => return refuse("expected a name after `:`"),
                    Some(name) => Segment::Any(name.into()),
                    None => Segment::Literal(part.into()),
                }),
            }
        }
        Ok(pattern)
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) => f.write_str(text),
            Self::Any(name) => write!(f, ":{name}"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{segment}")?;
        }
        match (self.rest, self.segments.is_empty()) {
            (true, _) => f.write_str("/..."),
            (false, true) => f.write_str("/"),
            (false, false) => Ok(()),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

/// The segments of a path. Slashes at either end count for nothing.
fn segments(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    // The root has no segment, where `"".split('/')` would give an empty one.
    path.split('/').skip(usize::from(path.is_empty()))
}

/// Routes to values of `T`, by path.
#[derive(Debug)]
pub struct Table<T> {
    root: Node,
    targets: Vec<(Pattern, T)>,
}

/// One route of a table to be made.
#[derive(Clone, Debug)]
pub struct Route<T> {
    /// The paths it answers.
    pub pattern: Pattern,
    /// What answers.
    pub target: T,
}

/// All patterns that agree up to here.
#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, Node>,
    any: Option<Box<Node>>,
    here: Option<usize>,
    rest: Option<usize>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { root: Node::default(), targets: Vec::new() }
    }
}

impl<T> Table<T> {
    /// A table of these routes.
    ///
    /// # Errors
    ///
    /// If two of them answer the same requests; `:name` segments of other names are the same.
    pub fn new(routes: impl IntoIterator<Item = Route<T>>) -> Result<Self, Conflict> {
        let mut table = Self::default();
        for Route { pattern, target } in routes {
            let second = table.targets.len();
            let place = table.root.place(&pattern);
            if let Some(first) = place.replace(second) {
                return Err(Conflict { route: pattern, first, second });
            }
            table.targets.push((pattern, target));
        }
        Ok(table)
    }

    /// What answers a request for `path`, and by which pattern.
    pub fn find(&self, path: &str) -> Option<(&Pattern, &T)> {
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path);
        let path = (!path.is_empty()).then_some(path);
        let (pattern, target) = &self.targets[self.root.find(path)?];
        Some((pattern, target))
    }

    /// Every route, in the order in which they were given.
    pub fn routes(&self) -> impl Iterator<Item = (&Pattern, &T)> {
        self.targets.iter().map(|(pattern, target)| (pattern, target))
    }
}

impl Node {
    /// Where `pattern` ends below this node, made if need be.
    fn place(&mut self, pattern: &Pattern) -> &mut Option<usize> {
        let mut node = self;
        for segment in &pattern.segments {
            node = match segment {
                Segment::Literal(text) => node.literals.entry(text.clone()).or_default(),
                Segment::Any(_) => node.any.get_or_insert_default(),
            };
        }
        if pattern.rest { &mut node.rest } else { &mut node.here }
    }

    /// The best match below this node for the segments left, `None` when there are none.
    ///
    /// Each step goes one segment down, first along the literal, then along `:name`, and comes back
    /// to the wildcard: at most two branches a segment, and only where the table has both.
    fn find(&self, path: Option<&str>) -> Option<usize> {
        let Some(path) = path else {
            return self.here.or(self.rest);
        };
        let (segment, below) = match path.split_once('/') {
            Some((segment, below)) => (segment, Some(below)),
            None => (path, None),
        };
        let literal = self.literals.get(segment).and_then(|node| node.find(below));
        let any = || self.any.as_ref().filter(|_| !segment.is_empty())?.find(below);
        literal.or_else(any).or(self.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(patterns: &[&str]) -> Table<String> {
        let route = |text: &&str| Route { pattern: text.parse().unwrap(), target: (*text).to_owned() };
        Table::new(patterns.iter().map(route)).unwrap()
    }

    #[track_caller]
    fn check(patterns: &[&str], path: &str, expected: Option<&str>) {
        let table = table(patterns);
        let found = table.find(path).map(|(_, target)| target.as_str());
        assert_eq!(found, expected, "{path} among {patterns:?}");
    }

    #[test]
    fn the_longest_match_wins() {
        check(&["/...", "/a", "/a/..."], "/a", Some("/a"));
        check(&["/...", "/a/..."], "/a", Some("/a/..."));
        check(&["/...", "/a/..."], "/a/b/c", Some("/a/..."));
        check(&["/...", "/a/..."], "/ab", Some("/..."));
        check(&["/u/:id", "/u/me"], "/u/me", Some("/u/me"));
        check(&["/u/:id", "/u/me"], "/u/7", Some("/u/:id"));
        check(&["/u/:id", "/u/..."], "/u/7/x", Some("/u/..."));
        check(&["/:a/x", "/b/y"], "/b/x", Some("/:a/x"));
        check(&["/"], "/", Some("/"));
        check(&["/"], "/a", None);
        check(&["/..."], "/", Some("/..."));
        check(&["/a"], "/a/", Some("/a"));
        check(&["/a/:b"], "/a/", None);
        check(&["/a/:b"], "/a//", None);
        check(&["/a/*"], "/a/b", Some("/a/*"));
        check(&[], "/", None);
    }

    #[test]
    fn two_routes_that_answer_the_same_requests_are_a_conflict() {
        let route = |text: &str| Route { pattern: text.parse().unwrap(), target: () };
        let conflict = Table::new([route("/"), route("/u/:id"), route("/u/:name")]).unwrap_err();
        assert_eq!((conflict.first, conflict.second), (1, 2));
    }

    #[test]
    fn what_is_not_a_route_is_refused() {
        for text in ["", "a", "/a//b", "/:", "/.../a", "/a?b", "//"] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
        assert!("/a".repeat(99).parse::<Pattern>().is_ok() && "/a".repeat(101).parse::<Pattern>().is_err());
    }

    #[test]
    fn captures_and_rest_are_cut_from_the_path() {
        let pattern: Pattern = "/u/:id/...".parse().unwrap();
        assert_eq!(pattern.captures("/u/7/a/b").collect::<Vec<_>>(), [("id", "7")]);
        assert_eq!(pattern.rest_of("/u/7/a/b"), "/a/b");
        assert_eq!(pattern.rest_of("/u/7"), "");
        assert_eq!(pattern.prefix(), "/u/:id");
        let all: Pattern = "/...".parse().unwrap();
        assert_eq!(all.rest_of("/a"), "/a");
        let below = all.below(&"/base".parse().unwrap());
        assert_eq!(below.to_string(), "/base/...");
    }

    /// The obvious meaning of `find`: among the patterns that match, the one whose segments are the
    /// more literal from the left.
    fn find_naive(patterns: &[Pattern], path: &str) -> Option<usize> {
        let path: Vec<&str> = segments(path).collect();
        let matching = patterns.iter().enumerate().filter(|(_, pattern)| {
            let fits = pattern.segments.iter().zip(&path).all(|(segment, part)| match segment {
                Segment::Literal(text) => **text == **part,
                Segment::Any(_) => !part.is_empty(),
            });
            let (wanted, has) = (pattern.segments.len(), path.len());
            fits && if pattern.rest { has >= wanted } else { has == wanted }
        });
        let rank = |pattern: &Pattern| {
            let ranks = pattern.segments.iter().map(|segment| match segment {
                Segment::Literal(_) => 0,
                Segment::Any(_) => 1,
            });
            ranks.chain(pattern.rest.then_some(2)).collect::<Vec<u8>>()
        };
        matching.min_by_key(|(_, pattern)| rank(pattern)).map(|(index, _)| index)
    }

    fn patterns() -> impl Strategy<Value = Pattern> {
        let segment = prop_oneof![Just("a"), Just("b"), Just(":x")];
        (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, rest)| {
            let mut text = segments.iter().fold(String::new(), |text, segment| text + "/" + segment);
            if rest || text.is_empty() {
                text += if rest { "/..." } else { "/" };
            }
            text.parse().unwrap()
        })
    }

    proptest! {
        #[test]
        fn find_agrees_with_the_obvious_search(
            given in prop::collection::vec(patterns(), 0..12),
            path in "(/[abc]?){0,5}/?",
        ) {
            // Two that conflict cannot both be in a table.
            let mut distinct: Vec<Pattern> = Vec::new();
            for pattern in given {
                if !distinct.contains(&pattern) {
                    distinct.push(pattern);
                }
            }
            let routes = distinct.iter().cloned().enumerate();
            let routes = routes.map(|(target, pattern)| Route { pattern, target });
            let table = Table::new(routes).unwrap();
            let found = table.find(&path).map(|(_, target)| *target);
            prop_assert_eq!(found, find_naive(&distinct, &path));
        }

        #[test]
        fn a_pattern_survives_being_written(pattern in patterns()) {
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,40}", path in ".{0,40}") {
            if let Ok(pattern) = text.parse::<Pattern>() {
                let table = Table::new([Route { pattern, target: () }]).unwrap();
                table.find(&path);
            }
        }
    }
}
