//! SQLite databases for guests: `fermyon:spin/sqlite@2.0.0`, `spin:sqlite/sqlite@3.0.0` and `@3.1.0` over
//! embedded SQLite.
//!
//! A guest opens a database by label. A label its manifest does not name is `access-denied`, one that nobody
//! defined `no-such-database`. Each database is a file of its app's own. Its statements run on threads of
//! their own, one for each connection, and a connection is one guest's until the guest lets it go: then it is
//! rolled back and given to the next.
//!
//! Read in this order: [`view`] (what a guest has), [`pool`], [`worker`], [`statement`], [`confine`],
//! [`functions`].

mod confine;
mod functions;
mod interfaces;
mod open;
mod pool;
mod refusal;
mod spin1;
mod spin2;
mod spin3;
mod spin3_1;
mod statement;
mod value;
mod view;
mod watch;
mod worker;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tombolo_capability::{Abi, Access, Capability, FromGuest, GrantError, Guest};
use tombolo_egress::Egress;
use tombolo_model::{AppName, Component, Configuration};
use wasmtime::component::{HasData, Linker};

use pool::{Database, OpenError};
pub use view::View;
use view::{Account, Host};

/// The databases a node has: `default`, a file for each app, and those with a file of the operator's choice.
///
/// A file is opened, and made, for the first component that was granted it: an app that keeps nothing leaves
/// nothing on the disk.
pub struct Sqlite {
    folder: PathBuf,
    files: BTreeMap<String, PathBuf>,
    /// What is executed in `default` before it is granted for the first time.
    at_start: Vec<String>,
    /// Those that are open, by file; components of an app share them.
    open: Mutex<HashMap<PathBuf, Weak<Database>>>,
    /// Bytes in each of them.
    bytes_max: Arc<AtomicU64>,
}

/// The label of the one database every app has.
pub const DEFAULT_LABEL: &str = "default";

/// What one component was granted.
pub struct Granted {
    /// By label.
    databases: Vec<(String, Arc<Database>)>,
    /// Every label there is.
    labels: Vec<String>,
}

impl Sqlite {
    /// Databases in `folder`, one file for each label in a folder for each app, but those that have a file in
    /// `files`.
    pub fn new(folder: PathBuf, files: BTreeMap<String, PathBuf>) -> Self {
        // SQLite would take a relative path as relative to wherever the process is later.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        let files = files.into_iter().map(|(label, path)| (label, absolute(path))).collect();
        Self {
            folder: absolute(folder),
            files,
            at_start: Vec::new(),
            open: Mutex::default(),
            bytes_max: Arc::new(AtomicU64::new(u64::MAX)),
        }
    }

    /// The same, whose databases each grow to so many bytes at most. The bound may be set anew at any time.
    #[must_use]
    pub fn bounded(self, bytes_max: Arc<AtomicU64>) -> Self {
        Self { bytes_max, ..self }
    }

    /// Executes these statements in `default` when it is first opened: each text may hold several.
    #[must_use]
    pub fn at_start(self, statements: Vec<String>) -> Self {
        Self { at_start: statements, ..self }
    }

    /// Every label there is.
    fn labels(&self) -> Vec<String> {
        let mut labels: Vec<String> = self.files.keys().cloned().collect();
        if !self.files.contains_key(DEFAULT_LABEL) {
            labels.insert(0, DEFAULT_LABEL.to_owned());
        }
        labels
    }

    /// Where an app keeps the databases that have no file of the operator's choice.
    fn folder(&self, app: &AppName) -> PathBuf {
        self.folder.join(app.as_str())
    }

    /// The labels of the databases that an app keeps there, and the bytes of each.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn kept(&self, app: &AppName) -> io::Result<Vec<(String, u64)>> {
        let entries = match fs::read_dir(self.folder(app)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut kept = Vec::new();
        for entry in entries {
            let entry = entry?;
            if let Some(label) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".db")) {
                kept.push((label.to_owned(), entry.metadata()?.len()));
            }
        }
        kept.sort();
        Ok(kept)
    }

    /// Removes the databases that an app keeps there. A request that has one open ends with it, and leaves nothing.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn forget(&self, app: &AppName) -> io::Result<()> {
        let folder = self.folder(app);
        // Before the files go: another app of this name gets files of its own.
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|path, _| !path.starts_with(&folder));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn database(&self, path: &Path, at_start: &[String]) -> Result<Arc<Database>, OpenError> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, database| database.strong_count() > 0);
        if let Some(database) = open.get(path).and_then(Weak::upgrade) {
            return Ok(database);
        }
        let database = Database::open(path, at_start, &self.bytes_max)?;
        open.insert(path.to_owned(), Arc::downgrade(&database));
        Ok(database)
    }
}

/// What the interfaces borrow from a guest.
struct HasSqlite;

impl HasData for HasSqlite {
    type Data<'a> = Host<'a>;
}

impl FromGuest for HasSqlite {
    fn from_guest(guest: &mut Guest, access: Access) -> Host<'_> {
        let account = Account { meter: Arc::clone(guest.meter()), memory: guest.memory().host().clone() };
        let (view, table) = guest.view::<View>(access);
        Host { view, table, account }
    }
}

impl Capability for Sqlite {
    type Granted = Arc<Granted>;
    type View = View;

    fn interfaces(&self, abi: Abi) -> &'static [&'static str] {
        let all = &[
            "fermyon:spin/sqlite",
            "fermyon:spin/sqlite@2.0.0",
            "spin:sqlite/sqlite@3.0.0",
            "spin:sqlite/sqlite@3.1.0",
        ];
        match abi {
            // A component that imports 3.1.0 without its promises gets what 3.0.0 has, which is the same.
            Abi::Sync => &all[..3],
            Abi::Async => all,
        }
    }

    fn configuration(&self) -> Configuration {
        Configuration::SqliteDatabases
    }

    fn link(&self, abi: Abi, access: Access, linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
        let host = access.host::<HasSqlite>();
        spin1::sqlite::add_to_linker_instance::<_, HasSqlite>(
            &mut access.instance(linker, "fermyon:spin/sqlite")?,
            host,
        )?;
        spin2::sqlite::add_to_linker_instance::<_, HasSqlite>(
            &mut access.instance(linker, "fermyon:spin/sqlite@2.0.0")?,
            host,
        )?;
        spin3::sqlite::add_to_linker_instance::<_, HasSqlite>(
            &mut access.instance(linker, "spin:sqlite/sqlite@3.0.0")?,
            host,
        )?;
        if abi == Abi::Async {
            spin3_1::sqlite::add_to_linker_instance::<_, HasSqlite>(
                &mut access.instance(linker, "spin:sqlite/sqlite@3.1.0")?,
                host,
            )?;
        }
        Ok(())
    }

    fn grant(
        &self,
        app: &AppName,
        component: &Component,
        _: &Arc<Egress>,
    ) -> Result<Self::Granted, GrantError> {
        let refuse =
            |reason| GrantError { component: component.id.to_string(), field: "sqlite_databases", reason };
        let labels = self.labels();
        let database = |label: &String| {
            if !labels.contains(label) {
                let known: Vec<String> = labels.iter().map(|known| format!("`{known}`")).collect();
                return Err(refuse(format!(
                    "there is no database `{label}`, expected {}",
                    known.join(" or ")
                )));
            }
            let own = || self.folder(app).join(format!("{label}.db"));
            let path = self.files.get(label).cloned().unwrap_or_else(own);
            let at_start = if label == DEFAULT_LABEL { &self.at_start[..] } else { &[] };
            let database = self.database(&path, at_start).map_err(|error| refuse(chain(&error)))?;
            Ok((label.clone(), database))
        };
        let databases = component.sqlite_databases.iter().map(database).collect::<Result<_, _>>()?;
        Ok(Arc::new(Granted { databases, labels }))
    }

    fn open(&self, granted: &Self::Granted) -> View {
        View::new(Arc::clone(granted))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
