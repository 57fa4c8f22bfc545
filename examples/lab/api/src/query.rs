//! Parameters of a request.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::Refusal;

/// The parameters of a URL, each once.
pub(crate) struct Query(BTreeMap<String, String>);

impl Query {
    /// Reads what stands behind the `?`, as a browser's `URLSearchParams` writes it.
    pub(crate) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut parameters = BTreeMap::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if parameters.insert(name.clone(), value).is_some() {
                return Err(Refusal::bad(format!("`{name}` is there twice, expected it once")));
            }
        }
        Ok(Self(parameters))
    }

    /// Refuses parameters other than these.
    pub(crate) fn only(&self, names: &[&str]) -> Result<(), Refusal> {
        let Some(unknown) = self.0.keys().find(|name| !names.contains(&name.as_str())) else { return Ok(()) };
        let expected = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let expected = if names.is_empty() { "none".to_owned() } else { expected };
        Err(Refusal::bad(format!("`{unknown}` is no parameter here, expected {expected}")))
    }

    /// A number within bounds.
    pub(crate) fn number<T>(&self, name: &str, within: RangeInclusive<T>) -> Result<T, Refusal>
    where
        T: FromStr + PartialOrd + Display,
    {
        let expected = format!("expected a number from {} to {}", within.start(), within.end());
        let Some(text) = self.0.get(name) else {
            return Err(Refusal::bad(format!("`{name}` is missing, {expected}")));
        };
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.ok_or_else(|| Refusal::bad(format!("`{name}` is `{text}`, {expected}")))
    }

    /// A text that may not be empty.
    pub(crate) fn text(&self, name: &str, expected: &str) -> Result<&str, Refusal> {
        let text = self.0.get(name).map(String::as_str).filter(|text| !text.is_empty());
        text.ok_or_else(|| Refusal::bad(format!("`{name}` is missing, expected {expected}")))
    }

    /// Whether something is so; no if nothing is said.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.0.get(name).map(String::as_str) {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => Err(Refusal::bad(format!("`{name}` is `{other}`, expected `true` or `false`"))),
        }
    }
}

/// Percent-encoding, and `+` for a space.
fn decode(text: &str) -> Result<String, Refusal> {
    let refuse = || Refusal::bad(format!("`{text}` is encoded wrongly, expected UTF-8 in percent-encoding"));
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
                let (high, low) = (digit().ok_or_else(refuse)?, digit().ok_or_else(refuse)?);
                (high * 16 + low) as u8
            }
            byte => byte,
        });
    }
    String::from_utf8(decoded).map_err(|_| refuse())
}
