//! Attacks that the host does not stand yet.

/// Each with what it waits for. One that stands is taken off this list.
const WAITING: &[(&str, &str)] = &[];

/// What this attack waits for.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    WAITING.iter().find(|(waiting, _)| *waiting == name).map(|(_, reason)| *reason)
}
