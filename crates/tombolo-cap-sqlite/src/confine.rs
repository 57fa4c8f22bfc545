//! What a statement may not do, and how large it may be.
//!
//! SQL is a language with doors: it opens other files, loads code, and changes settings of the process.
//! The doors are closed where a statement is prepared, so none of it begins.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

/// Bytes of one text or blob, of a row, and of what a function makes.
pub(crate) const VALUE_BYTES_MAX: i32 = 16 << 20;
/// Bytes of one statement.
const SQL_BYTES_MAX: i32 = 4 << 20;
/// Bytes of the right side of `LIKE` and `GLOB`: they take time by the product of both sides, and nothing
/// interrupts a function.
const PATTERN_BYTES_MAX: i32 = 512;
/// Instructions of a compiled statement.
const INSTRUCTIONS_MAX: i32 = 1_000_000;
/// How deep expressions nest: each level is a frame on the thread's stack.
const EXPRESSION_DEPTH_MAX: i32 = 500;

/// Whether statements are the guest's, and what they left on their connection.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    /// Our own statements may do what a guest's may not.
    own: AtomicBool,
    /// A setting or a temporary table outlives the statement: the connection is no longer as it was opened.
    altered: AtomicBool,
}

impl Marks {
    /// Whether the connection is as it was opened, but for what is stored.
    pub(crate) fn is_altered(&self) -> bool {
        self.altered.load(Ordering::Relaxed)
    }

    /// Does something with the connection that a guest may not.
    pub(crate) fn as_own<T>(&self, act: impl FnOnce() -> T) -> T {
        self.own.store(true, Ordering::Relaxed);
        let done = act();
        self.own.store(false, Ordering::Relaxed);
        done
    }
}

/// Closes the doors of a connection that was just opened.
pub(crate) fn confine(connection: &mut Connection, marks: Arc<Marks>) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    for (limit, value) in [
        (Limit::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, PATTERN_BYTES_MAX),
        (Limit::SQLITE_LIMIT_VDBE_OP, INSTRUCTIONS_MAX),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if marks.own.load(Ordering::Relaxed) {
            return Authorization::Allow;
        }
        let verdict = verdict(&context.action);
        if verdict == Verdict::Alters {
            marks.altered.store(true, Ordering::Relaxed);
        }
        match verdict {
            Verdict::Allowed | Verdict::Alters => Authorization::Allow,
            Verdict::Refused => Authorization::Deny,
        }
    }))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Allowed,
    /// Allowed, and the connection is not given to another request.
    Alters,
    Refused,
}

fn verdict(action: &AuthAction<'_>) -> Verdict {
    match action {
        // Other files: `ATTACH`, and `VACUUM` as well, which attaches its copy.
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Unknown { .. } => {
            Verdict::Refused
        }
        AuthAction::Function { function_name } => {
            let refused = ["load_extension", "fts3_tokenizer", "sqlite_log"];
            match refused.iter().any(|name| function_name.eq_ignore_ascii_case(name)) {
                true => Verdict::Refused,
                false => Verdict::Allowed,
            }
        }
        AuthAction::Pragma { pragma_name, pragma_value } => pragma(pragma_name, *pragma_value),
        AuthAction::CreateTempIndex { .. }
        | AuthAction::CreateTempTable { .. }
        | AuthAction::CreateTempTrigger { .. }
        | AuthAction::CreateTempView { .. } => Verdict::Alters,
        _ => Verdict::Allowed,
    }
}

/// What may be asked or done with any argument: it shows the schema, or acts on the guest's own file.
const OPEN: &[&str] = &[
    "application_id",
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "optimize",
    "page_count",
    "page_size",
    "pragma_list",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "wal_checkpoint",
];

/// What is set for the rest of a connection.
const SETTINGS: &[&str] = &[
    "analysis_limit",
    "automatic_index",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "defer_foreign_keys",
    "foreign_keys",
    "fullfsync",
    "ignore_check_constraints",
    "legacy_alter_table",
    "max_page_count",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "synchronous",
];

/// What may be asked and not set: it is the host's, or would break the promises of the file.
const SHOWN: &[&str] = &[
    "busy_timeout",
    "cache_size",
    "journal_mode",
    "locking_mode",
    "schema_version",
    "temp_store",
    "wal_autocheckpoint",
];

fn pragma(name: &str, value: Option<&str>) -> Verdict {
    let is_in = |list: &[&str]| list.iter().any(|known| name.eq_ignore_ascii_case(known));
    // Programs that run elsewhere too say it, and it is so already.
    let is_wal =
        name.eq_ignore_ascii_case("journal_mode") && value.is_some_and(|it| it.eq_ignore_ascii_case("wal"));
    match value {
        _ if is_in(OPEN) || is_wal => Verdict::Allowed,
        None if is_in(SETTINGS) || is_in(SHOWN) => Verdict::Allowed,
        Some(_) if is_in(SETTINGS) => Verdict::Alters,
        _ => Verdict::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pragma_is_open_a_setting_shown_or_refused() {
        assert_eq!(pragma("Table_Info", Some("users")), Verdict::Allowed);
        assert_eq!(pragma("foreign_keys", None), Verdict::Allowed);
        assert_eq!(pragma("foreign_keys", Some("off")), Verdict::Alters);
        assert_eq!(pragma("journal_mode", None), Verdict::Allowed);
        assert_eq!(pragma("journal_mode", Some("WAL")), Verdict::Allowed);
        assert_eq!(pragma("journal_mode", Some("off")), Verdict::Refused);
        for refused in ["hard_heap_limit", "temp_store_directory", "writable_schema", "database_list"] {
            assert_eq!(pragma(refused, Some("1")), Verdict::Refused, "{refused}");
            assert_eq!(pragma(refused, None), Verdict::Refused, "{refused}");
        }
    }
}
