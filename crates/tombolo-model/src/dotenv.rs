//! Lines of names and values, as in a `.env` file.

use std::collections::BTreeMap;

/// Why a line was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct DotenvError {
    /// Which line, from 1.
    pub line: usize,
    reason: &'static str,
}

/// Reads `NAME=value` from each line of `text`. A value may be in single quotes, which keep all as it is, or in
/// double quotes, where `\n`, `\"`, `\\` and `\$` stand for themselves; else it ends before ` #`. `export` in front
/// is for shells. Of two lines with one name the first counts, as in Spin.
///
/// # Errors
///
/// The first line that says none of that, or names another variable with `$`.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, DotenvError> {
    let mut values = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let refuse = |reason| DotenvError { line: number + 1, reason };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, rest) = line.split_once('=').ok_or_else(|| refuse("expected NAME=value"))?;
        let name = name.trim();
        let fits = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !fits {
            return Err(refuse("the name is not of letters, digits and `_`"));
        }
        let value = value(rest.trim_start()).map_err(refuse)?;
        values.entry(name.to_owned()).or_insert(value);
    }
    Ok(values)
}

fn value(text: &str) -> Result<String, &'static str> {
    const NAMES_ANOTHER: &str =
        "`$` would name another variable, which is not supported: put the value in single quotes";
    let (value, after) = match text.as_bytes().first() {
        Some(b'\'') => {
            let (value, after) = text[1..].split_once('\'').ok_or("the single quote has no end")?;
            (value.to_owned(), after)
        }
        Some(b'"') => double_quoted(&text[1..], NAMES_ANOTHER)?,
        _ => {
            let end = text.find(" #").unwrap_or(text.len());
            let value = text[..end].trim_end();
            if value.contains('$') {
                return Err(NAMES_ANOTHER);
            }
            return Ok(value.to_owned());
        }
    };
    let after = after.trim();
    match after.is_empty() || after.starts_with('#') {
        true => Ok(value),
        false => Err("there is more behind the quoted value"),
    }
}

fn double_quoted<'a>(text: &'a str, names_another: &'static str) -> Result<(String, &'a str), &'static str> {
    let mut value = String::new();
    let mut rest = text.chars();
    loop {
        match rest.next().ok_or("the double quote has no end")? {
            '"' => return Ok((value, rest.as_str())),
            '$' => return Err(names_another),
            '\\' => match rest.next() {
                Some('n') => value.push('\n'),
                Some(itself @ ('"' | '\\' | '$')) => value.push(itself),
                _ => return Err("behind `\\` expected one of `n`, `\"`, `\\`, `$`"),
            },
            other => value.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_are_names_and_values() {
        let text = "# comment\n\nA=1\nexport B = two words # comment\nC='$ \\n'\nD=\"a\\n\\\"\\$\" # c\nE=\nA=2\nF=a#b\n";
        let values = parse(text).unwrap();
        let found: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let expected =
            [("A", "1"), ("B", "two words"), ("C", "$ \\n"), ("D", "a\n\"$"), ("E", ""), ("F", "a#b")];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_line_that_says_something_else_is_refused() {
        for (text, line, part) in [
            ("A=1\nnothing", 2, "NAME=value"),
            ("a b=1", 1, "name"),
            ("A='x", 1, "no end"),
            ("A=\"x", 1, "no end"),
            ("A='x' y", 1, "more behind"),
            ("A=$HOME", 1, "another variable"),
            ("A=\"$HOME\"", 1, "another variable"),
            ("A=\"\\x\"", 1, "expected one of"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.line == line && error.to_string().contains(part), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn single_quotes_keep_a_value(value in "[^'\r\n]{0,40}") {
            let values = parse(&format!("A='{value}'")).unwrap();
            prop_assert_eq!(&values["A"], &value);
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
