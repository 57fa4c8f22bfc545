//! Where `up` and `serve` write requests down.

use std::fs;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tombolo_model::access_log::{AccessLogConfig, AccessLogFormat, AccessLogTo};
use tombolo_node::AccessLog;

use crate::failure::{Failure, chain};

/// What is said about it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AccessLogOptions {
    /// Write a line for each request of a client, to the end of a file or, with `-`, to stdout; SIGHUP has the file
    /// opened again
    #[arg(long, value_name = "FILE|-")]
    access_log: Option<AccessLogTo>,
    /// What those lines look like [default: combined]
    #[arg(long, value_name = "combined|json")]
    access_log_format: Option<AccessLogFormat>,
}

impl AccessLogOptions {
    /// What they come to, beside what a file says.
    pub(crate) fn config(&self, file: Option<AccessLogConfig>) -> Result<Option<AccessLogConfig>, Failure> {
        let format = self.access_log_format;
        match (self.access_log.clone(), file) {
            (Some(to), file) => {
                let format = format.or(file.map(|file| file.format)).unwrap_or_default();
                Ok(Some(AccessLogConfig { to, format }))
            }
            (None, Some(file)) => Ok(Some(AccessLogConfig { format: format.unwrap_or(file.format), ..file })),
            (None, None) if format.is_some() => {
                Err(Failure::usage("what lines of an access log look like is said, and there is none")
                    .hint("say where it is: `--access-log FILE`".to_owned()))
            }
            (None, None) => Ok(None),
        }
    }
}

/// The file that is written, if it is one, wherever links lead to it from.
pub(crate) fn file(config: Option<&AccessLogConfig>) -> Option<PathBuf> {
    match &config?.to {
        AccessLogTo::Stdout => None,
        AccessLogTo::File(path) => fs::canonicalize(path).or_else(|_| std::path::absolute(path)).ok(),
    }
}

/// Opens the file of `log` again, and says why if it cannot be.
pub(crate) async fn reopen(log: &AccessLog, say: impl Fn(&str)) {
    if let Err(error) = log.reopen().await {
        let error = chain(&error);
        say(&format!(
            "error: cannot open the access log again: {error}\nIt goes on in the file that is open\n"
        ));
    }
}

/// Opens the file of `log` again at every SIGHUP from now on.
pub(crate) fn reopen_at_hangups(
    log: AccessLog,
    say: impl Fn(&str) + Send + Sync + 'static,
) -> Result<(), Failure> {
    let mut hangups = signal(SignalKind::hangup())
        .map_err(|error| Failure::new(format!("cannot listen for signals: {error}")))?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            reopen(&log, &say).await;
        }
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(access_log: Option<&str>, access_log_format: Option<AccessLogFormat>) -> AccessLogOptions {
        let to = access_log.map(|text| text.parse().unwrap());
        AccessLogOptions { access_log: to, access_log_format }
    }

    #[test]
    fn an_option_counts_for_more_than_the_file() {
        use AccessLogFormat::{Combined, Json};
        let of_file = AccessLogConfig { to: AccessLogTo::File("a.log".into()), format: Json };
        let config = |options: AccessLogOptions, file| options.config(file).unwrap();
        let (to, format) = (AccessLogTo::Stdout, Json);
        assert_eq!(
            config(options(Some("-"), None), Some(of_file.clone())),
            Some(AccessLogConfig { to: to.clone(), format })
        );
        let combined = Some(AccessLogConfig { format: Combined, ..of_file.clone() });
        assert_eq!(config(options(None, Some(Combined)), Some(of_file.clone())), combined);
        assert_eq!(config(options(None, None), Some(of_file.clone())), Some(of_file));
        assert_eq!(config(options(Some("-"), None), None), Some(AccessLogConfig { to, format: Combined }));
        assert_eq!(config(options(None, None), None), None);
        assert!(options(None, Some(Json)).config(None).is_err());
    }
}
