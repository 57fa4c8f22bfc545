//! The lines of many apps: each keeps its last in files of its own, and tells those who follow it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tombolo_cap_wasi::LogLine;
use tombolo_control::{Feeder, Printed, PrintedError, Wanted, feed};
use tombolo_model::{AppKey, TenantName};

use super::journal::{Journal, Lines};

/// Bytes in each of the two files of an app.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Journals open at once: of a thousand apps few print at once, and each costs a descriptor.
const OPEN_MAX: usize = 256;
/// Lines on their way to one client that follows an app. A line has up to 8 KiB, more as JSON.
const FEED_LINES_MAX: usize = 256;
/// Clients that follow apps: so many of the connections of the control interface that orders have room.
const FEEDS_MAX: usize = 128;
/// Those that follow apps of one tenant.
const TENANT_FEEDS_MAX: usize = 16;
/// Places beyond those, for admins.
const ADMIN_FEEDS_MAX: usize = 8;
/// How often it is said that the disk refuses.
const WARN_INTERVAL: Duration = Duration::from_secs(60);

/// What the apps of a node print.
pub(crate) struct Journals {
    /// A folder for each tenant, and in it one for each app.
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By `<tenant>/<app>`.
    open: HashMap<Box<str>, Journal>,
    feeders: HashMap<AppKey, Vec<Feeder>>,
    /// Whether nobody may follow any more.
    is_closed: bool,
    warned: Option<Instant>,
}

impl Journals {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line of `<tenant>/<app>/<component>`, and tells it.
    pub(super) fn keep(&self, line: &LogLine) {
        let Some((app, component)) = line.component.rsplit_once('/') else { return };
        let text = super::document(line, component);
        let mut state = self.state();
        if let Err(error) = self.write(&mut state, app, &text) {
            // Opened anew for the next line: a disk that was full may have room again.
            state.open.remove(app);
            if state.warned.is_none_or(|warned| warned.elapsed() > WARN_INTERVAL) {
                state.warned = Some(Instant::now());
                tracing::warn!("cannot keep what {app} prints: {error}");
            }
        }
        if state.feeders.is_empty() {
            return;
        }
        if let Ok(key) = app.parse::<AppKey>() {
            state.feeders.get(&key).into_iter().flatten().for_each(|feeder| feeder.tell(&text));
        }
    }

    fn write(&self, state: &mut State, app: &str, line: &[u8]) -> io::Result<()> {
        if state.open.len() >= OPEN_MAX && !state.open.contains_key(app) {
            state.open.clear();
        }
        let journal = match state.open.entry(app.into()) {
            Entry::Occupied(entry) => entry.into_mut(),
            // A tenant's and an app's name have no `.` and no `/`.
            Entry::Vacant(entry) => entry.insert(Journal::open(self.folder.join(app))?),
        };
        journal.write(line, FILE_BYTES_MAX)
    }

    /// The last lines of an app, and those that come.
    pub(crate) fn printed(&self, key: &AppKey, wanted: Wanted) -> Result<Printed, PrintedError> {
        let mut state = self.state();
        let feed = wanted.follow.then(|| state.follow(key, wanted.by_admin)).transpose()?;
        // As of the moment at which it was followed: no line is told twice, or not at all.
        let lines = Lines::now(&self.folder.join(key.to_string()))?;
        drop(state);
        Ok(Printed { lines: lines.last(wanted.lines_max)?, feed })
    }

    /// Removes the lines of an app, and lets go who follows it.
    pub(crate) fn forget(&self, key: &AppKey) {
        let mut state = self.state();
        state.feeders.remove(key);
        let app = key.to_string();
        state.open.remove(app.as_str());
        match fs::remove_dir_all(self.folder.join(app)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("cannot remove what {key} printed: {error}");
            }
            _ => {}
        }
    }

    /// Lets go everyone who follows an app: they get what was kept until now.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        state.feeders.clear();
    }
}

impl State {
    fn follow(&mut self, key: &AppKey, by_admin: bool) -> Result<tombolo_control::Feed, PrintedError> {
        self.feeders.retain(|_, feeders| {
            feeders.retain(|feeder| !feeder.is_abandoned());
            !feeders.is_empty()
        });
        let count = |of: Option<&TenantName>| -> usize {
            let theirs = self.feeders.iter().filter(|(key, _)| of.is_none_or(|of| key.tenant == *of));
            theirs.map(|(_, feeders)| feeders.len()).sum()
        };
        let is_full = match by_admin {
            true => count(None) >= FEEDS_MAX + ADMIN_FEEDS_MAX,
            false => count(None) >= FEEDS_MAX || count(Some(&key.tenant)) >= TENANT_FEEDS_MAX,
        };
        if is_full {
            return Err(PrintedError::Busy);
        }
        let (feeder, feed) = feed(FEED_LINES_MAX);
        if !self.is_closed {
            self.feeders.entry(key.clone()).or_default().push(feeder);
        }
        Ok(feed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tombolo_cap_wasi::LogStream;
    use tombolo_control::Told;

    fn line(component: &str, text: &str) -> LogLine {
        LogLine { component: component.into(), stream: LogStream::Stdout, text: text.to_owned().into() }
    }

    fn wanted(lines_max: usize, follow: bool) -> Wanted {
        Wanted { lines_max, follow, by_admin: false }
    }

    #[tokio::test]
    async fn an_apps_lines_are_told_once_and_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().to_owned());
        let (shop, other): (AppKey, AppKey) = ("ada/shop".parse().unwrap(), "bob/shop".parse().unwrap());
        journals.keep(&line("ada/shop/web", "before"));
        let followed = journals.printed(&shop, wanted(10, true)).unwrap();
        let mut others = journals.printed(&other, wanted(10, true)).unwrap();
        journals.keep(&line("ada/shop/web", "after\u{1b}"));
        assert!(others.lines.is_empty());
        let told = String::from_utf8(followed.lines).unwrap();
        assert!(told.contains(r#""component":"web","stream":"stdout","text":"before"}"#), "{told}");
        assert!(!told.contains("after"), "{told}");
        let Some(Told::Line(told)) = followed.feed.unwrap().next().await else { panic!("a line") };
        assert!(told.ends_with(b"\"text\":\"after\\u001b\"}\n"), "{told:?}");
        journals.close();
        assert_eq!(others.feed.as_mut().unwrap().next().await, None);
        let late = journals.printed(&shop, wanted(1, true)).unwrap();
        assert_eq!(late.feed.unwrap().next().await, None);
    }

    #[test]
    fn a_tenant_does_not_follow_so_much_that_others_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().to_owned());
        let follow = |app: &str| journals.printed(&app.parse().unwrap(), wanted(0, true));
        let mut followed: Vec<_> = (0..TENANT_FEEDS_MAX).map(|_| follow("ada/shop").unwrap()).collect();
        assert!(matches!(follow("ada/other"), Err(PrintedError::Busy)));
        assert!(follow("bob/shop").is_ok());
        let of_all = Wanted { lines_max: 0, follow: true, by_admin: true };
        assert!(journals.printed(&"ada/shop".parse().unwrap(), of_all).is_ok(), "an admin has a place");
        followed.pop();
        assert!(follow("ada/other").is_ok(), "who left makes room");
    }

    #[tokio::test]
    async fn of_an_app_that_is_no_more_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let journals = Journals::new(folder.path().to_owned());
        let shop: AppKey = "ada/shop".parse().unwrap();
        journals.keep(&line("ada/shop/web", "one"));
        let mut followed = journals.printed(&shop, wanted(10, true)).unwrap().feed.unwrap();
        journals.forget(&shop);
        assert_eq!(followed.next().await, None);
        assert!(!folder.path().join("ada/shop").exists());
        journals.forget(&shop);
        journals.keep(&line("ada/shop/web", "two"));
        let told = journals.printed(&shop, wanted(10, false)).unwrap().lines;
        assert!(String::from_utf8(told).unwrap().contains("two"), "a new app of that name begins anew");
    }
}
