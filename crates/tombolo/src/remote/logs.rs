//! `tombolo logs`.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde::Deserialize;
use tombolo_api::{LogLine, Lost};
use tombolo_model::SiteName;

use super::client::Client;
use super::session::{At, Environment};
use super::time::utc;
use crate::failure::Failure;

/// Print what the components of an app printed, the last lines
///
/// Examples:
///   tombolo logs shop
///   tombolo logs shop -f --lines 0
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Logs {
    /// The app
    app: SiteName,
    /// Go on with the lines that come, until the node stops or the app is removed
    #[arg(short, long)]
    follow: bool,
    /// How many of the last
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(..=10_000))]
    lines: u32,
    /// Print JSON, one document a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// What is on one line of the answer.
#[derive(Deserialize)]
#[serde(untagged)]
enum Told {
    Line(LogLine),
    Lost(Lost),
}

impl Logs {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let path = format!("/v1/apps/{}/logs?lines={}&follow={}", self.app, self.lines, self.follow);
        each_line(&client, &path, |line| {
            match self.json {
                true => writeln!(to, "{line}")?,
                false => told(line, to)?,
            }
            // A person, or whoever reads a pipe, sees a line when it comes.
            to.flush()
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Does something with each line of an answer that may have no end, until nobody wants more of it.
pub(super) fn each_line(
    client: &Client,
    path: &str,
    mut what: impl FnMut(&str) -> io::Result<()>,
) -> Result<(), Failure> {
    let mut answer = client.stream(path)?;
    let mut line = String::new();
    loop {
        line.clear();
        let length = answer.read_line(&mut line);
        let length = length.map_err(|error| Failure::new(format!("the node's answer was cut: {error}")))?;
        if length == 0 {
            return Ok(());
        }
        // An empty one says that there was nothing.
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        match what(line) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Failure::new(format!("cannot write the answer: {error}"))),
            Ok(()) => {}
        }
    }
}

/// A line for people. What a guest prints is not obeyed by a terminal.
fn told(line: &str, to: &mut impl Write) -> io::Result<()> {
    match serde_json::from_str(line) {
        Ok(Told::Line(LogLine { at_ms, component, text, .. })) => {
            writeln!(to, "{}  {component} | {}", utc(at_ms), harmless(&text))
        }
        Ok(Told::Lost(Lost { lost })) => {
            writeln!(to, "({lost} lines were lost: they came faster than they were read)")
        }
        // A newer node tells more than this version knows.
        Err(_) => writeln!(to, "{}", harmless(line)),
    }
}

/// A text without what a terminal obeys.
pub(super) fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' => "\t".to_owned(),
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        let mut out = Vec::new();
        told(line, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn lines_are_told_to_people() {
        check(
            r#"{"at_ms":1764412081042,"component":"web","stream":"stderr","text":"a\tb"}"#,
            "2025-11-29 10:28:01.042  web | a\tb\n",
        );
        check(r#"{"lost":12}"#, "(12 lines were lost: they came faster than they were read)\n");
        check(r#"{"new":1}"#, "{\"new\":1}\n");
    }

    /// Whoever prints is a tenant, whoever reads may be an operator at a terminal.
    #[test]
    fn a_guest_does_not_write_to_a_terminal() {
        assert_eq!(harmless("a\u{1b}]0;owned\u{7}b\u{9b}1m"), "a\\u{1b}]0;owned\\u{7}b\\u{9b}1m");
    }
}
