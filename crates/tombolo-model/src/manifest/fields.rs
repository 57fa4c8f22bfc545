//! A table of a TOML document, read field by field, that knows which fields were asked for.

use std::cell::RefCell;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::ManifestError;

/// The text being read, for places in messages.
pub(crate) struct Document<'a> {
    pub(crate) file: &'a str,
    pub(crate) text: &'a str,
}

impl Document<'_> {
    /// An error at `span` of the text.
    pub(crate) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ManifestError {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        ManifestError {
            file: self.file.to_owned(),
            place: Some((line, column)),
            message: message.into(),
            hint: None,
        }
    }

    /// The whole text as a table.
    pub(crate) fn parse(&self) -> Result<Spanned<DeTable<'_>>, ManifestError> {
        DeTable::parse(self.text).map_err(|error| {
            let message = format!("not TOML: {}", error.message().replace('\n', "; "));
            self.error(error.span().unwrap_or(0..0), message)
        })
    }
}

/// One table. [`Fields::done`] refuses what nobody asked for.
pub(crate) struct Fields<'a> {
    document: &'a Document<'a>,
    table: &'a DeTable<'a>,
    /// The table's name in messages, such as `component.api`; empty for the root.
    pub(crate) name: String,
    pub(crate) span: Range<usize>,
    asked: RefCell<Vec<&'static str>>,
}

/// A value together with where it stands.
pub(crate) struct Placed<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
}

/// An item of an array of more than one kind.
pub(crate) enum Item<'a> {
    Text(Placed<&'a str>),
    Table(Fields<'a>),
}

impl<'a> Fields<'a> {
    pub(crate) fn root(document: &'a Document<'a>, table: &'a Spanned<DeTable<'a>>) -> Self {
        Self::new(document, String::new(), table.get_ref(), table.span())
    }

    fn new(document: &'a Document<'a>, name: String, table: &'a DeTable<'a>, span: Range<usize>) -> Self {
        Self { document, table, name, span, asked: RefCell::default() }
    }

    pub(crate) fn error(&self, span: Range<usize>, message: impl Into<String>) -> ManifestError {
        self.document.error(span, message)
    }

    /// The path of a field in messages.
    pub(crate) fn path(&self, field: &str) -> String {
        if self.name.is_empty() { field.to_owned() } else { format!("{}.{field}", self.name) }
    }

    pub(crate) fn get(&self, field: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(field);
        self.table.get(field)
    }

    fn mistyped(&self, field: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> ManifestError {
        let message = format!("`{}` is {}, expected {expected}", self.path(field), article(value.get_ref()));
        self.error(value.span(), message)
    }

    /// The error for a field that must be there.
    pub(crate) fn missing(&self, field: &str, expected: &str) -> ManifestError {
        let table = if self.name.is_empty() { "the manifest".into() } else { format!("`[{}]`", self.name) };
        let error = self.error(self.span.clone(), format!("{table} has no `{field}`, expected {expected}"));
        let misspelt = self.table.keys().map(|key| &**key.get_ref()).find(|key| is_close(key, field));
        ManifestError { hint: misspelt.map(|key| format!("is `{key}` meant to be `{field}`?")), ..error }
    }

    pub(crate) fn text(&self, field: &'static str) -> Result<Option<Placed<&'a str>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let text = value.get_ref().as_str().ok_or_else(|| self.mistyped(field, value, "a string"))?;
        Ok(Some(Placed { value: text, span: value.span() }))
    }

    pub(crate) fn integer(&self, field: &'static str) -> Result<Option<Placed<u64>>, ManifestError> {
        self.whole(field, 1, "a whole number of 1 or more")
    }

    /// The same, and 0 says something too.
    pub(crate) fn count(&self, field: &'static str) -> Result<Option<Placed<u64>>, ManifestError> {
        self.whole(field, 0, "a whole number")
    }

    fn whole(
        &self,
        field: &'static str,
        least: u64,
        expected: &str,
    ) -> Result<Option<Placed<u64>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        let refuse = || self.mistyped(field, value, expected);
        let number = value.get_ref().as_integer().ok_or_else(refuse)?;
        let number = u64::from_str_radix(number.as_str(), number.radix()).ok();
        let number = number.filter(|&number| number >= least);
        let number = number.ok_or_else(|| {
            self.error(value.span(), format!("`{}` is out of range, expected {expected}", self.path(field)))
        })?;
        Ok(Some(Placed { value: number, span: value.span() }))
    }

    pub(crate) fn flag(&self, field: &'static str) -> Result<Option<bool>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        value.get_ref().as_bool().map(Some).ok_or_else(|| self.mistyped(field, value, "true or false"))
    }

    /// The strings of an array; none if the field is absent.
    pub(crate) fn texts(&self, field: &'static str) -> Result<Vec<Placed<&'a str>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let expected = "an array of strings";
        let array = value.get_ref().as_array().ok_or_else(|| self.mistyped(field, value, expected))?;
        let item = |item: &'a Spanned<DeValue<'a>>| {
            let text = item.get_ref().as_str().ok_or_else(|| self.mistyped(field, item, expected))?;
            Ok(Placed { value: text, span: item.span() })
        };
        array.iter().map(item).collect()
    }

    pub(crate) fn table(&self, field: &'static str) -> Result<Option<Fields<'a>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(None) };
        self.as_table(field, value).map(Some)
    }

    /// The tables of an array of tables; none if the field is absent.
    pub(crate) fn tables(&self, field: &'static str) -> Result<Vec<Fields<'a>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let expected = format!("an array of tables, `[[{}]]`", self.path(field));
        let array = value.get_ref().as_array().ok_or_else(|| self.mistyped(field, value, &expected))?;
        array.iter().map(|item| self.as_table(field, item)).collect()
    }

    /// The items of an array that holds strings and tables; none if the field is absent.
    pub(crate) fn items(&self, field: &'static str) -> Result<Vec<Item<'a>>, ManifestError> {
        let Some(value) = self.get(field) else { return Ok(Vec::new()) };
        let expected = "an array of strings and tables";
        let array = value.get_ref().as_array().ok_or_else(|| self.mistyped(field, value, expected))?;
        let item = |item: &'a Spanned<DeValue<'a>>| match item.get_ref().as_str() {
            Some(text) => Ok(Item::Text(Placed { value: text, span: item.span() })),
            None if item.get_ref().is_table() => self.as_table(field, item).map(Item::Table),
            None => Err(self.mistyped(field, item, expected)),
        };
        array.iter().map(item).collect()
    }

    fn as_table(&self, field: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Fields<'a>, ManifestError> {
        let table = value.get_ref().as_table().ok_or_else(|| self.mistyped(field, value, "a table"))?;
        Ok(Fields::new(self.document, self.path(field), table, value.span()))
    }

    /// Every entry of a table whose keys are names, such as `[component]`.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (Placed<&'a str>, &'a Spanned<DeValue<'a>>)> {
        let entry = |(key, value): (&'a Spanned<std::borrow::Cow<'a, str>>, _)| {
            (Placed { value: &**key.get_ref(), span: key.span() }, value)
        };
        self.table.iter().map(entry)
    }

    /// An entry of [`Fields::entries`] as a table.
    pub(crate) fn entry_table(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Result<Fields<'a>, ManifestError> {
        self.as_table(key, value)
    }

    /// An entry of [`Fields::entries`] as a string.
    pub(crate) fn entry_text(
        &self,
        key: &str,
        value: &'a Spanned<DeValue<'a>>,
    ) -> Result<&'a str, ManifestError> {
        value.get_ref().as_str().ok_or_else(|| self.mistyped(key, value, "a string"))
    }

    /// Accepts a field that says nothing about how the app runs.
    pub(crate) fn ignore(&self, fields: &[&'static str]) {
        self.asked.borrow_mut().extend(fields);
    }

    /// Refuses a field that Spin knows and this build does not yet act on: ignoring it would run
    /// another app than the one written.
    pub(crate) fn unsupported(&self, field: &'static str, hint: &str) -> Result<(), ManifestError> {
        let Some(value) = self.get(field) else { return Ok(()) };
        let empty = value.get_ref().as_array().is_some_and(|array| array.is_empty())
            || value.get_ref().as_table().is_some_and(toml::map::Map::is_empty);
        if empty {
            return Ok(());
        }
        let message = format!("`{}` is not supported by this version of tombolo", self.path(field));
        Err(ManifestError { hint: Some(hint.to_owned()), ..self.error(value.span(), message) })
    }

    /// Refuses every field that was not asked for.
    pub(crate) fn done(&self) -> Result<(), ManifestError> {
        let asked = self.asked.borrow();
        let unknown = self.table.iter().find(|(key, _)| !asked.contains(&&**key.get_ref()));
        let Some((key, _)) = unknown else { return Ok(()) };
        let table = if self.name.is_empty() { String::new() } else { format!(" in `[{}]`", self.name) };
        let error = self.error(key.span(), format!("unknown field `{}`{table}", key.get_ref()));
        Err(ManifestError { hint: nearest(key.get_ref(), &asked), ..error })
    }
}

/// `did you mean …`, if a name is close enough; else all the names there are.
pub(crate) fn nearest(text: &str, names: &[&str]) -> Option<String> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.dedup();
    let close = names.iter().map(|name| (strsim::damerau_levenshtein(text, name), name)).min();
    match close {
        Some((_, name)) if is_close(text, name) => Some(format!("did you mean `{name}`?")),
        Some(_) => Some(format!(
            "expected one of {}",
            names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
        )),
        None => None,
    }
}

/// Whether one in three letters, or a single one, sets two names apart.
fn is_close(text: &str, name: &str) -> bool {
    strsim::damerau_levenshtein(text, name) <= (text.len() / 3).max(1)
}

fn article(value: &DeValue<'_>) -> String {
    match value.type_str() {
        kind @ ("array" | "integer") => format!("an {kind}"),
        kind => format!("a {kind}"),
    }
}
