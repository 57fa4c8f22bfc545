//! What a node reads again at SIGHUP, and the log that it opens again.

use std::io;

use tokio::signal::unix::Signal;
use tombolo_node::{CertificatesError, Dial, PemError, PlatformSettings};

use super::notify::Notify;
use super::settings::{Options, Settings};
use crate::access_log;
use crate::failure::Failure;
use crate::log::Format;
use crate::remote::Environment;

/// What a node that serves was started with, and how it is changed.
pub(super) struct Reload {
    pub(super) options: Options,
    pub(super) environment: Environment,
    /// What holds now.
    pub(super) running: Settings,
    pub(super) notify: Notify,
    pub(super) log: Format,
}

impl Reload {
    /// Reads again at each signal, for as long as the node serves. What is wrong changes nothing.
    pub(super) async fn run(mut self, dial: Dial, mut hangups: Signal) {
        while hangups.recv().await.is_some() {
            self.notify.reloading();
            if let Some(log) = dial.access_log() {
                access_log::reopen(log, |text| self.log.say(text)).await;
            }
            match self.read().await {
                Ok((settings, changeable, kept)) => {
                    dial.set(&changeable);
                    self.running = settings;
                    self.log.say(&told(&kept));
                    self.notify.ready("Serving");
                }
                Err(failure) => {
                    self.log.say(&format!("{failure}The node serves as it did before\n"));
                    self.notify.ready("Serving as before: what was read again is wrong, see the log");
                }
            }
        }
    }

    async fn read(&self) -> Result<(Settings, PlatformSettings, Vec<&'static str>), Failure> {
        let (options, environment) = (self.options.clone(), self.environment.clone());
        let running = self.running.clone();
        let read = move || {
            let (settings, kept) = options.settings(&environment)?.beside(&running);
            let changeable = settings.changeable().map_err(|error| refusal(&error))?;
            Ok((settings, changeable, kept))
        };
        // A disk may take its time, and requests do not wait for it.
        let read = tokio::task::spawn_blocking(read).await;
        read.unwrap_or_else(|panic| Err(Failure::new(format!("cannot read again: {panic}"))))
    }
}

fn told(kept: &[&str]) -> String {
    if kept.is_empty() {
        return "Read again\n".to_owned();
    }
    let names: Vec<String> = kept.iter().map(|name| format!("`{name}`")).collect();
    format!("Read again, but what is new of {} holds after a restart\n", names.join(", "))
}

/// The second wall stands where files were at the start.
fn refusal(error: &CertificatesError) -> Failure {
    let hint = match error {
        CertificatesError::File(PemError::Read { source, .. })
            if source.kind() == io::ErrorKind::PermissionDenied =>
        {
            Some("a folder that had none of the certificates at the start is read after a restart".to_owned())
        }
        _ => None,
    };
    Failure::of(error).hint(hint)
}
