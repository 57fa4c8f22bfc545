//! What the program says of itself, on stderr: lines for people, or a JSON document a line for programs.

use std::fmt;
use std::io::{self, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// How it says it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// Lines for people
    #[default]
    Text,
    /// JSON, one document a line
    Json,
}

impl Format {
    /// From now on warnings of our own go to stderr, or what `asked` says (`info`, `request=info`, …).
    pub(crate) fn begin(self, asked: Option<String>) {
        let targets = asked.and_then(|text| text.parse::<Targets>().ok());
        let targets = targets.unwrap_or_else(|| Targets::new().with_default(Level::WARN));
        let registry = tracing_subscriber::registry().with(targets);
        match self {
            Self::Text => {
                let lines = tracing_subscriber::fmt::layer().without_time().with_target(false);
                registry.with(lines.with_ansi(false).with_writer(io::stderr)).init();
            }
            Self::Json => registry.with(Documents).init(),
        }
    }

    /// Says something to whoever started the program.
    pub(crate) fn say(self, text: &str) {
        match self {
            Self::Text => crate::up::say(text),
            Self::Json => text.lines().for_each(|line| {
                let message = Map::from_iter([("message".to_owned(), line.into())]);
                write(document(&Level::INFO, "tombolo", message));
            }),
        }
    }
}

/// Writes each event as a document.
struct Documents;

impl<S: Subscriber> Layer<S> for Documents {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        write(document(event.metadata().level(), event.metadata().target(), fields.0));
    }
}

/// An event with its time, in milliseconds since 1970-01-01, UTC.
fn document(level: &Level, target: &str, mut fields: Map<String, Value>) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    fields.insert("at_ms".to_owned(), u64::try_from(now.as_millis()).unwrap_or(u64::MAX).into());
    fields.insert("level".to_owned(), level.as_str().to_ascii_lowercase().into());
    fields.insert("target".to_owned(), target.into());
    Value::Object(fields)
}

fn write(document: Value) {
    // Whole, so that documents of several threads do not mix. Nobody reads stderr any more: nothing to be done.
    let _ = io::stderr().lock().write_all(format!("{document}\n").as_bytes());
}

/// The fields of an event, each as what it is.
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let message = Map::from_iter([("message".to_owned(), "two\nlines \"quoted\"".into())]);
        let text = document(&Level::WARN, "request", message).to_string();
        assert!(!text.contains('\n'));
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((read["level"].as_str(), read["target"].as_str()), (Some("warn"), Some("request")));
        assert_eq!(read["message"], "two\nlines \"quoted\"");
        assert!(read["at_ms"].as_u64().unwrap() > 1 << 40);
    }
}
