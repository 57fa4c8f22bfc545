//! `[….tool.tombolo]`: what Spin lacks.

use std::time::Duration;

use super::ManifestError;
use super::fields::{Fields, Placed};
use crate::limits::{Isolation, Limits};

/// What one component may use, and how its requests are kept apart.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) limits: Limits,
    pub(super) isolation: Isolation,
}

impl Settings {
    pub(super) const DEFAULT: Self = Self { limits: Limits::DEFAULT, isolation: Isolation::Fresh };
}

/// Reads the settings of a component from the table `tombolo`, over `defaults`.
pub(super) fn settings(table: &Fields<'_>, defaults: &Settings) -> Result<Settings, ManifestError> {
    let mut settings = defaults.clone();
    let limits = &mut settings.limits;
    // One wasm32 memory is at most 4 GiB; a pool slot is no larger.
    if let Some(number) = at_most(table, "memory_mib_max", 4096)? {
        limits.memory_bytes_max = number << 20;
    }
    let milliseconds =
        [("request_ms_max", &mut limits.request_time_max), ("cpu_ms_max", &mut limits.cpu_time_max)];
    for (field, limit) in milliseconds {
        if let Some(number) = table.integer(field)? {
            *limit = Duration::from_millis(number.value);
        }
    }
    let counts = [
        ("concurrency_max", &mut limits.concurrency_max),
        ("handles_max", &mut limits.handles_max),
        ("log_bytes_per_s_max", &mut limits.log_bytes_per_s_max),
        ("outbound_connections_max", &mut limits.outbound_connections_max),
    ];
    for (field, limit) in counts {
        if let Some(number) = at_most(table, field, u32::MAX.into())? {
            *limit = u32::try_from(number).expect("checked to be at most that");
        }
    }
    let bytes = [
        ("request_body_bytes_max", &mut limits.request_body_bytes_max),
        ("response_body_bytes_max", &mut limits.response_body_bytes_max),
        ("outbound_bytes_max", &mut limits.outbound_bytes_max),
    ];
    for (field, limit) in bytes {
        if let Some(number) = table.integer(field)? {
            *limit = number.value;
        }
    }
    settings.isolation = isolation(table, defaults.isolation)?;
    Ok(settings)
}

fn at_most(table: &Fields<'_>, field: &'static str, most: u64) -> Result<Option<u64>, ManifestError> {
    match table.integer(field)? {
        Some(Placed { value, span }) if value > most => {
            Err(table.error(span, format!("{value} is out of range, expected at most {most}")))
        }
        number => Ok(number.map(|number| number.value)),
    }
}

fn isolation(table: &Fields<'_>, default: Isolation) -> Result<Isolation, ManifestError> {
    let isolation = match table.text("isolation")? {
        None => default,
        Some(text) => match text.value {
            "fresh" => Isolation::Fresh,
            "pool" => Isolation::POOL,
            other => {
                let message = format!("`isolation` is `{other}`, expected `fresh` or `pool`");
                return Err(table.error(text.span, message));
            }
        },
    };
    let requests = table.integer("pool_requests_max")?;
    let idle = table.integer("pool_idle_ms_max")?;
    match isolation {
        Isolation::Pool { mut requests_max, mut idle_time_max } => {
            if let Some(number) = requests {
                requests_max = u32::try_from(number.value).unwrap_or(u32::MAX);
            }
            if let Some(number) = idle {
                idle_time_max = Duration::from_millis(number.value);
            }
            Ok(Isolation::Pool { requests_max, idle_time_max })
        }
        Isolation::Fresh => match requests.or(idle) {
            None => Ok(Isolation::Fresh),
            Some(number) => {
                let message = "it says how a pool works, expected `isolation = \"pool\"` beside it";
                Err(table.error(number.span, message))
            }
        },
    }
}
