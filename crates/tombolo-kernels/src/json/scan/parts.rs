//! Parts of a text that several threads scan.
//!
//! Where a row begins can only be told by reading from the first one on. So each part but the first
//! begins at a guess: behind a comma, with the name that the first row begins with. A part ends where
//! the next begins; if the scan comes out there, the guess was right, and if it does not, the next part
//! is scanned again from where it did. Errors count only of parts that began rightly: a wrong guess
//! costs time and nothing else.

use std::ops::ControlFlow;
use std::sync::Mutex;

use super::super::key::Key;
use super::super::lex::{Lexer, Step};
use super::Rows;
use super::shape::Shape;
use crate::work::{Turn, locked};
use crate::{KernelError, Work};

/// Bytes between two looks at the watch: less than a millisecond.
const TICK_BYTES: usize = 1 << 19;
/// Bytes of the smallest part.
const PART_BYTES_MIN: usize = 1 << 18;
/// Parts of a thread: so that none waits long for the last.
const PARTS_EACH: usize = 6;
/// How far behind a wished end a row is looked for.
const GUESS_BYTES_MAX: usize = 1 << 18;

/// A part of a text.
struct Part {
    /// Where it begins: at a row, if the guess was right.
    from: usize,
    /// Where the next begins; nowhere behind the last, which ends with the array.
    to: usize,
    /// What was found, when it was scanned.
    scanned: Option<Scanned>,
}

struct Scanned {
    rows: Rows,
    /// Where it came out, and whether the array ended there; or what is wrong.
    end: Step<(usize, ControlFlow<()>)>,
}

/// Finds the rows of an array from the first, at `from`, on.
pub(super) fn rows(bytes: &[u8], from: usize, key: &Key, work: &Work<'_>) -> Step<Rows> {
    let mut parts = cut(bytes, from, work.crew.size());
    let total = (bytes.len() / TICK_BYTES) as u32 + 1;
    work.begin(total as usize)?;
    work.share(total, parts.iter_mut().map(Mutex::new), |turn, part| {
        let mut part = locked(&part);
        let scanned = scan(bytes, part.from, part.to, key, turn);
        if matches!(scanned.end, Err(KernelError::Aborted)) {
            return Err(KernelError::Aborted);
        }
        part.scanned = Some(scanned);
        Ok(())
    })?;
    join(bytes, from, parts, key, work)
}

/// Cuts a text where rows may begin.
fn cut(bytes: &[u8], from: usize, threads: usize) -> Vec<Part> {
    let count = if threads == 1 { 1 } else { threads * PARTS_EACH };
    let wished = ((bytes.len() - from) / count).max(PART_BYTES_MIN);
    // What the first row begins with, up to the end of its first name.
    let name = bytes[from..].iter().enumerate().filter(|(_, byte)| **byte == b'"').nth(1);
    let head = name.map_or(&b"{"[..], |(at, _)| &bytes[from..from + (at + 1).min(200)]);
    let mut starts = vec![from];
    for at in (from..bytes.len()).step_by(wished).skip(1).take(count - 1) {
        starts.extend(guess(bytes, at, head).filter(|at| starts.last() < Some(at)));
    }
    let ends = starts.iter().copied().skip(1).chain([usize::MAX]).collect::<Vec<_>>();
    starts.into_iter().zip(ends).map(|(from, to)| Part { from, to, scanned: None }).collect()
}

/// A place behind `at` where a row may begin.
fn guess(bytes: &[u8], at: usize, head: &[u8]) -> Option<usize> {
    let window = &bytes[at..bytes.len().min(at + GUESS_BYTES_MAX)];
    let mut braces =
        window.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(place, _)| at + place);
    braces.find(|place| {
        let before = bytes[..*place].iter().rev().find(|byte| !byte.is_ascii_whitespace());
        before == Some(&b',') && bytes[*place..].starts_with(head)
    })
}

/// Scans from a row on until one that begins at `to` or behind.
fn scan(bytes: &[u8], from: usize, to: usize, key: &Key, turn: &Turn<'_>) -> Scanned {
    let mut rows = Rows::default();
    let end = scan_into(&mut rows, bytes, from, to, key, turn);
    Scanned { rows, end }
}

fn scan_into(
    rows: &mut Rows,
    bytes: &[u8],
    from: usize,
    to: usize,
    key: &Key,
    turn: &Turn<'_>,
) -> Step<(usize, ControlFlow<()>)> {
    let mut lexer = Lexer::new(bytes);
    lexer.at = from;
    let mut shapes = key.segments().iter().map(|_| Shape::default()).collect::<Vec<_>>();
    let mut tick = from + TICK_BYTES;
    loop {
        if !lexer.row(key, &mut shapes, rows)? {
            return Ok((lexer.at, ControlFlow::Break(())));
        }
        if lexer.at >= to {
            return Ok((lexer.at, ControlFlow::Continue(())));
        }
        if rows.starts.len() == 64 {
            // As many as there will be, if the others are as long.
            rows.reserve((to.min(bytes.len()) - from) / ((lexer.at - from) / 64) * 17 / 16)?;
        }
        if lexer.at >= tick {
            tick = lexer.at + TICK_BYTES;
            turn.done(1)?;
        }
    }
}

/// Puts parts together, and scans again what began at a wrong guess.
fn join(bytes: &[u8], from: usize, parts: Vec<Part>, key: &Key, work: &Work<'_>) -> Step<Rows> {
    let count = parts.len();
    let mut at = from;
    let mut rows = Rows::default();
    if count > 1 {
        let found = parts.iter().filter_map(|part| part.scanned.as_ref());
        rows.reserve(found.map(|scanned| scanned.rows.starts.len()).sum())?;
    }
    for part in parts {
        if part.to <= at {
            continue; // A row reached over it.
        }
        let mut scanned = part.scanned.filter(|_| part.from == at);
        if scanned.is_none() {
            let again = Mutex::new(&mut scanned);
            work.share(1, std::iter::once(at), |turn, at| {
                **locked(&again) = Some(scan(bytes, at, part.to, key, turn));
                Ok(())
            })?;
        }
        let scanned = scanned.expect("it was scanned just now, if not before");
        if count == 1 {
            rows = scanned.rows;
        } else {
            rows.append(&scanned.rows)?;
        }
        let (end, flow) = scanned.end?;
        at = end;
        if flow.is_break() {
            break;
        }
    }
    let mut end = Lexer::new(bytes);
    end.at = at;
    end.end().map(|()| rows)
}

#[cfg(test)]
mod tests {
    use super::super::super::{Direction, sort_json};
    use super::*;
    use crate::{Alone, Crew, Silent};

    /// Threads that are all the calling one.
    struct Many;

    impl Crew for Many {
        fn size(&self) -> usize {
            3
        }

        fn run(&self, task: &(dyn Fn(usize) + Sync)) {
            task(0);
        }
    }

    /// Many parts find what one finds.
    fn check(text: &str) {
        assert!(text.len() > 8 * PART_BYTES_MIN);
        let sort = |crew: &dyn Crew| {
            let work = Work { crew, watch: &Silent };
            let sorted = sort_json(text.as_bytes(), &Key::parse("k").unwrap(), Direction::Ascending, &work)?;
            Ok::<_, KernelError>((
                sorted.permutation().to_vec(),
                sorted.starts().to_vec(),
                sorted.ends().to_vec(),
            ))
        };
        assert!(sort(&Many) == sort(&Alone));
    }

    fn text(row: impl Fn(usize) -> String) -> String {
        format!("[{}]", (0..60_000).map(row).collect::<Vec<_>>().join(" ,\n"))
    }

    #[test]
    fn rows_that_begin_alike_are_cut_rightly() {
        let text =
            text(|at| format!(r#"{{"k":{},"name":"somebody or other","x":[1,2,3]}}"#, at * 7919 % 60_000));
        let parts = cut(text.as_bytes(), 1, 3);
        assert!(parts.len() > 5);
        check(&text);
    }

    #[test]
    fn wrong_guesses_are_found_out() {
        // In texts, in arrays of objects, and of rows that are longer than a part.
        check(&text(|at| format!(r#"{{"k":{at},"text":"a ,{{\"k\":1}},{{\"k\":2}}, and on it goes"}}"#)));
        check(&text(|at| {
            format!(r#"{{"k":{},"rows":[{{"k":1}},{{"k":2}},{{"k":3}},{{"k":[]}}]}}"#, at % 77)
        }));
        check(&text(|at| {
            let inner = if at % 20_000 == 7 { r#",{"k":5}"#.repeat(200_000) } else { String::new() };
            format!(r#"{{"k":{},"rows":[{{"k":1}}{inner}],"and":"so on and on"}}"#, at % 77)
        }));
        check(&text(|at| {
            format!(r#"{{"{}":{at},"k":{},"different":"names at the beginning"}}"#, at % 9, at % 5)
        }));
    }

    #[test]
    fn the_first_error_is_told() {
        let row = |at: usize| format!(r#"{{"k":{},"name":"somebody or other"}}"#, at * 7919 % 60_000);
        check(&text(|at| if at == 40_000 || at == 50_000 { r#"{"k":}"#.to_owned() } else { row(at) }));
        check(&text(|at| if at == 45_000 { "3".to_owned() } else { row(at) }));
        check(&format!("{}{}", text(row), text(row)));
        check(&text(row)[..2_300_000]);
    }
}
