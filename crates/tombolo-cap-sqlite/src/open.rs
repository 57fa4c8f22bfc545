//! Opens a connection to a file, as every guest finds it.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};

use crate::confine::{Marks, confine};
use crate::functions::replace_slow_functions;

/// Statements a connection keeps compiled.
const STATEMENTS_KEPT: usize = 32;
/// KiB of pages a connection keeps in memory; the kernel keeps the file's own.
const CACHE_KIB: u32 = 1024;
/// Bytes that all databases of the process may have in memory, sorts and temporary tables with them: SQLite
/// knows this bound for a process only.
const HEAP_BYTES_MAX: u64 = 512 << 20;
/// Bytes of the log of changes that stay on the disk once they are in the database.
const LOG_BYTES_KEPT: u64 = 64 << 20;

/// A connection to the database in the file `path`, made if it is not there.
///
/// A change is on disk when its statement or `COMMIT` returns (`synchronous=FULL`), readers and the one
/// writer do not wait for each other (`WAL`), and what is temporary is in memory, so that no other file is
/// written.
pub(crate) fn open(path: &Path, marks: &Arc<Marks>) -> rusqlite::Result<Connection> {
    // One thread uses a connection at a time. No `SQLITE_OPEN_URI`: the path is no address.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.execute_batch(&format!(
        "PRAGMA hard_heap_limit = {HEAP_BYTES_MAX};
         PRAGMA soft_heap_limit = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = {LOG_BYTES_KEPT};
         PRAGMA cache_size = -{CACHE_KIB};
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = ON;",
        HEAP_BYTES_MAX / 2,
    ))?;
    replace_slow_functions(&connection)?;
    confine(&mut connection, Arc::clone(marks))?;
    Ok(connection)
}

/// Makes a connection as it was opened, for the next guest: `last_insert_rowid()` and `changes()` are 0 again.
/// SQLite has no call for the second; an insert and a deletion in a table that nobody sees set both.
pub(crate) fn forget_changes(connection: &Connection, marks: &Marks) -> rusqlite::Result<()> {
    marks.as_own(|| {
        connection.execute_batch(
            "CREATE TEMP TABLE tombolo_forget (x);
             INSERT INTO temp.tombolo_forget (rowid, x) VALUES (0, 0);
             DELETE FROM temp.tombolo_forget WHERE 0;
             DROP TABLE temp.tombolo_forget;",
        )
    })
}
