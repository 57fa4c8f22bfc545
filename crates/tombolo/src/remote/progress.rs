//! How far a deploy is, for whoever waits: a bar where a person looks at it, lines where somebody reads them later.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::logs::harmless;
use super::session::Environment;
use crate::up::say;

/// How far it is told, on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Drawn, and drawn over.
    Drawn,
    /// A line for each stage.
    Lines,
    /// Not at all.
    Untold,
}

/// What is drawn of files on their way: which one, how much of all, and how fast.
const SENDING: &str = "{msg:32!} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}";
/// What is drawn while the node works.
const WORKING: &str = "{spinner} {msg} {elapsed}";
/// How often that is drawn.
const TICK: Duration = Duration::from_millis(100);

impl Progress {
    /// As it fits whoever asked: `json` is for programs, and a terminal that is dumb cannot draw over anything.
    pub(crate) fn of(json: bool, environment: &Environment) -> Self {
        let is_dumb = environment.get("TERM").is_some_and(|term| term == "dumb");
        match json {
            true => Self::Untold,
            false if io::stderr().is_terminal() && !is_dumb => Self::Drawn,
            false => Self::Lines,
        }
    }

    fn told(self, line: &str) {
        if self != Self::Untold {
            say(&format!("{line}\n"));
        }
    }

    /// Files begin to be sent: so many, of so many bytes together, beside those that are there.
    pub(crate) fn sending(self, files: usize, bytes: u64, known: usize) -> Sending {
        self.told(&format!("Sending {files} files, {} kB; {known} are there", bytes.div_ceil(1000)));
        Sending(self.drawn(SENDING, Some(bytes)))
    }

    /// The node works on what was sent, until this is dropped.
    pub(crate) fn working(self, what: &'static str) -> Working {
        if self == Self::Lines {
            self.told(what);
        }
        let drawn = self.drawn(WORKING, None).with_message(what);
        if self == Self::Drawn {
            drawn.enable_steady_tick(TICK);
        }
        Working { _drawn: drawn }
    }

    fn drawn(self, template: &str, of: Option<u64>) -> ProgressBar {
        let target = match self {
            Self::Drawn => ProgressDrawTarget::stderr(),
            Self::Lines | Self::Untold => ProgressDrawTarget::hidden(),
        };
        let style = ProgressStyle::with_template(template).expect("the templates above are well formed");
        // An error that is told next finds the line empty.
        ProgressBar::with_draw_target(of, target).with_style(style).with_finish(ProgressFinish::AndClear)
    }
}

/// Files on their way. What is drawn of them goes when this is dropped.
pub(crate) struct Sending(ProgressBar);

impl Sending {
    /// Counts what is read of a file, which is called so.
    pub(crate) fn file<R: Read>(&self, name: &str, read: R) -> impl Read {
        // Not more than a terminal obeys, nor than there is room for.
        self.0.set_message(harmless(name));
        self.0.wrap_read(read)
    }
}

/// A stage that has no measure.
pub(crate) struct Working {
    _drawn: ProgressBar,
}
