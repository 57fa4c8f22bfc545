//! `tombolo top`.

mod rates;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use tombolo_api::metrics::Metrics;

use super::client::Client;
use super::session::{At, Environment};
use crate::failure::Failure;
use rates::{Rate, rates};

/// Show what goes on in each app: requests, errors, how long they take
///
/// On a terminal it is refreshed until it is stopped.
///
/// Examples:
///   tombolo top
///   tombolo top --once --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Top {
    /// Show it once
    #[arg(long)]
    once: bool,
    /// Over how many seconds
    #[arg(long, default_value_t = 2, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// Print JSON, one document a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    at: At,
}

/// Moves a terminal's cursor to its beginning, and removes what is behind it (ECMA-48 §8.3.21, §8.3.39).
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

impl Top {
    pub(crate) fn run(self, environment: &Environment, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let client = self.at.client(environment)?;
        let scrape = |client: &Client| client.get::<Metrics>("/v1/metrics");
        let begins = if io::stdout().is_terminal() && !self.once && !self.json { CLEAR } else { "" };
        let mut before = scrape(&client)?;
        loop {
            std::thread::sleep(Duration::from_secs(self.interval));
            let after = scrape(&client)?;
            let rates = rates(&before, &after);
            let written = match self.json {
                true => {
                    let line = serde_json::to_string(&rates).expect("texts and numbers are JSON");
                    writeln!(to, "{line}")
                }
                false => table(&rates, begins, to),
            };
            match written.and_then(|()| to.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
                Err(error) => return Err(Failure::new(format!("cannot write the answer: {error}"))),
                Ok(()) if self.once => return Ok(ExitCode::SUCCESS),
                Ok(()) => before = after,
            }
        }
    }
}

fn table(rates: &[Rate], begins: &str, to: &mut impl Write) -> io::Result<()> {
    let head = ["APP", "REQ/S", "ERR/S", "P50 MS", "P99 MS", "IN FLIGHT", "CORES"];
    let [app, numbers @ ..] = head;
    write!(to, "{begins}{app:40}")?;
    numbers.iter().try_for_each(|name| write!(to, " {name:>9}"))?;
    writeln!(to)?;
    for Rate { tenant, app, requests_per_s, errors_per_s, p50_ms, p99_ms, in_flight, cores } in rates {
        let ms = |ms: &Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.1}"));
        let (name, p50, p99) = (format!("{tenant}/{app}"), ms(p50_ms), ms(p99_ms));
        writeln!(
            to,
            "{name:40} {requests_per_s:>9.1} {errors_per_s:>9.1} {p50:>9} {p99:>9} {in_flight:>9} {cores:>9.2}"
        )?;
    }
    Ok(())
}
