//! `{{ name }}` in a text of the manifest.

use std::collections::BTreeMap;

/// Puts the value of each variable in its place. There is no escape for `{{`: Spin has none.
///
/// # Errors
///
/// A message, if a brace has no end or a variable has no value.
pub(super) fn fill(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").ok_or("`{{` has no `}}`")?;
        let name = name.trim();
        let value = values.get(name).ok_or_else(|| {
            format!("`{{{{ {name} }}}}` names no variable of `[variables]` that has a value")
        })?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_in_braces_becomes_its_value() {
        let values = BTreeMap::from([("a".to_owned(), "1".to_owned())]);
        assert_eq!(fill("x{{a}}y{{ a }}z", &values).unwrap(), "x1y1z");
        assert_eq!(fill("{a}", &values).unwrap(), "{a}");
        assert!(fill("{{a", &values).is_err());
        assert!(fill("{{b}}", &values).is_err());
    }

    proptest! {
        #[test]
        fn a_text_without_braces_stays_as_it_is(text in "[^{]{0,40}") {
            prop_assert_eq!(fill(&text, &BTreeMap::new()), Ok(text));
        }
    }
}
