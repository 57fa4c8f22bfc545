//! Functions of SQLite that take time by the product of the lengths of two values, done in time by their sum.
//!
//! Nothing interrupts SQLite within a function, so one `instr` of two long blobs would keep its thread for
//! hours. These give what SQLite's own give: a property test compares them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;

use memchr::memmem::Finder;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, ffi};

use crate::confine::VALUE_BYTES_MAX;

/// Puts them in the place of SQLite's.
pub(crate) fn replace_slow_functions(connection: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function("instr", 2, flags, |context| instr(context))?;
    connection.create_scalar_function("replace", 3, flags, |context| replace(context))?;
    for (name, sides) in [("trim", Sides::Both), ("ltrim", Sides::Left), ("rtrim", Sides::Right)] {
        connection.create_scalar_function(name, 2, flags, move |context| trim(context, sides))?;
    }
    Ok(())
}

/// Text as SQLite has it: bytes that are nearly always UTF-8.
struct Text(Vec<u8>);

impl ToSql for Text {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Text(&self.0)))
    }
}

/// An argument as text; `None` for NULL.
fn text<'a>(context: &'a Context<'_>, index: usize) -> rusqlite::Result<Option<Cow<'a, [u8]>>> {
    Ok(match context.get_raw(index) {
        ValueRef::Null => None,
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.into()),
        ValueRef::Integer(number) => Some(number.to_string().into_bytes().into()),
        ValueRef::Real(number) => Some(real(number)?.into_bytes().into()),
    })
}

thread_local! {
    /// What knows how SQLite writes a number. The connection that calls is busy.
    static WRITER: RefCell<Option<Connection>> = const { RefCell::new(None) };
}

fn real(number: f64) -> rusqlite::Result<String> {
    WRITER.with_borrow_mut(|writer| {
        let connection = match writer {
            Some(connection) => connection,
            None => writer.insert(Connection::open_in_memory()?),
        };
        connection.prepare_cached("SELECT CAST(? AS TEXT)")?.query_row([number], |row| row.get(0))
    })
}

/// Whether a byte goes on with a character.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

/// Where the second is in the first, from 1, in characters or, of two blobs, in bytes; 0 if nowhere.
fn instr(context: &Context<'_>) -> rusqlite::Result<Option<i64>> {
    let (Some(hay), Some(needle)) = (text(context, 0)?, text(context, 1)?) else { return Ok(None) };
    let is_blob = |index| matches!(context.get_raw(index), ValueRef::Blob(_));
    let in_characters = !(is_blob(0) && is_blob(1));
    let at = match needle.first() {
        None => Some(0),
        // In text only what begins a character is looked at, and the first byte.
        Some(&first) if in_characters && continues(first) => hay.starts_with(&needle).then_some(0),
        Some(_) => Finder::new(&needle).find(&hay),
    };
    let position = at.map(|at| match in_characters {
        false => at + 1,
        true => 1 + hay.get(1..=at).unwrap_or_default().iter().filter(|byte| !continues(**byte)).count(),
    });
    Ok(Some(i64::try_from(position.unwrap_or(0)).unwrap_or(i64::MAX)))
}

/// The first with the third in each place of the second.
fn replace(context: &Context<'_>) -> rusqlite::Result<Option<Text>> {
    let (Some(hay), Some(needle)) = (text(context, 0)?, text(context, 1)?) else { return Ok(None) };
    // As SQLite has it, also of a text that begins with NUL.
    if needle.first().is_none_or(|first| *first == 0) {
        return Ok(Some(Text(hay.into_owned())));
    }
    let Some(other) = text(context, 2)? else { return Ok(None) };
    let mut replaced = Vec::with_capacity(hay.len());
    let mut rest = &hay[..];
    let finder = Finder::new(&needle);
    while let Some(at) = finder.find(rest) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(&other);
        rest = &rest[at + needle.len()..];
        if replaced.len() > VALUE_BYTES_MAX as usize {
            return Err(too_big());
        }
    }
    replaced.extend_from_slice(rest);
    Ok(Some(Text(replaced)))
}

fn too_big() -> rusqlite::Error {
    let error = ffi::Error { code: ErrorCode::TooBig, extended_code: ffi::SQLITE_TOOBIG };
    rusqlite::Error::SqliteFailure(error, Some("string or blob too big".to_owned()))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sides {
    Left,
    Right,
    Both,
}

/// The first without the characters of the second at its ends.
fn trim(context: &Context<'_>, sides: Sides) -> rusqlite::Result<Option<Text>> {
    let (Some(trimmed), Some(set)) = (text(context, 0)?, text(context, 1)?) else { return Ok(None) };
    // As SQLite has it, up to a NUL.
    let set = set.split(|byte| *byte == 0).next().unwrap_or_default();
    let set: HashSet<&[u8]> = characters(set).collect();
    let mut rest = &trimmed[..];
    if sides != Sides::Right {
        for character in characters(rest).take_while(|character| set.contains(character)) {
            rest = &rest[character.len()..];
        }
    }
    if sides != Sides::Left {
        while let Some(start) = rest.iter().rposition(|byte| !continues(*byte)) {
            if !set.contains(&rest[start..]) {
                break;
            }
            rest = &rest[..start];
        }
    }
    Ok(Some(Text(rest.to_vec())))
}

/// The characters of a text: each is a byte and those that go on with it.
fn characters(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.chunk_by(|_, next| continues(*next))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use proptest::prelude::*;
    use rusqlite::types::Value;

    use super::*;

    fn ours() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        replace_slow_functions(&connection).unwrap();
        connection
    }

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            3 => "[abc\0é☃]{0,12}".prop_map(Value::Text),
            2 => "[ab]{0,3}".prop_map(Value::Text),
            1 => "[aé]{0,3}".prop_map(|text| Value::Blob(text.into_bytes())),
            1 => (-12i64..120).prop_map(Value::Integer),
            1 => prop_oneof![Just(1.0), Just(1e300), Just(0.1 + 0.2), Just(-2.5e-7)].prop_map(Value::Real),
            1 => Just(Value::Null),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn they_give_what_sqlites_own_give(a in any_value(), b in any_value(), c in any_value()) {
            let (own, sqlite) = (ours(), Connection::open_in_memory().unwrap());
            let sql = "SELECT instr(?1, ?2), replace(?1, ?2, ?3), trim(?1, ?2), ltrim(?1, ?2), rtrim(?1, ?2)";
            let give = |connection: &Connection| {
                connection.query_row(sql, [&a, &b, &c], |row| {
                    (0..5).map(|column| row.get::<_, Value>(column)).collect::<rusqlite::Result<Vec<_>>>()
                })
            };
            prop_assert_eq!(give(&own).unwrap(), give(&sqlite).unwrap());
        }
    }

    #[test]
    fn long_values_take_no_time_to_speak_of() {
        let connection = ours();
        let began = Instant::now();
        for call in [
            "instr(zeroblob(16000000), CAST(zeroblob(8000000) || 'x' AS BLOB))",
            "replace(hex(zeroblob(4000000)), hex(zeroblob(2000000)) || 'x', '')",
            "length(trim(hex(zeroblob(4000000)), hex(randomblob(1000000)) || '☃'))",
        ] {
            connection.query_row(&format!("SELECT {call}"), [], |_| Ok(())).unwrap();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }

    #[test]
    fn what_grows_too_large_is_an_error() {
        let grow = "SELECT replace(hex(zeroblob(1000)), '0', hex(zeroblob(1000000)))";
        let error = ours().query_row(grow, [], |_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("too big"), "{error}");
    }
}
