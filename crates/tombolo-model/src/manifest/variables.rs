//! `[variables]`, and `{{ name }}` in a text of the manifest.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::ManifestError;
use super::fields::Fields;
use super::read::lower_snake;
use crate::app::Variable;
use crate::template::{Asked, Part, Template};

/// Values, by name.
pub type Values = BTreeMap<String, String>;

/// What an operator says of the values of variables.
#[derive(Default)]
pub struct Given<'a> {
    /// Those that are known.
    pub known: BTreeMap<String, Known>,
    /// Those that are asked for.
    pub live: Live<'a>,
}

/// A value that a provider has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The value.
    pub value: String,
    /// How many of the providers that are asked come before the one that has it.
    pub behind: usize,
}

/// Providers that are asked each time.
#[derive(Default)]
pub struct Live<'a> {
    /// How many there are.
    pub providers: usize,
    /// Asks so many of the first for a value, now: for what must be known when the app is read. The error says why
    /// there is no answer.
    pub ask: Option<Ask<'a>>,
}

/// See [`Live::ask`].
pub type Ask<'a> = &'a dyn Fn(&str, usize) -> Result<Option<String>, String>;

impl Given<'_> {
    /// Known values alone.
    pub fn known(values: &Values) -> Self {
        let known =
            |(name, value): (&String, &String)| (name.clone(), Known { value: value.clone(), behind: 0 });
        Self { known: values.iter().map(known).collect(), live: Live::default() }
    }
}

impl fmt::Debug for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.known.keys().collect();
        f.debug_struct("Given").field("known", &names).finish_non_exhaustive()
    }
}

/// The variables of an app.
pub(super) struct Variables<'a> {
    of: BTreeMap<String, Asked>,
    ask: Option<Ask<'a>>,
}

/// `[variables]`: what there are.
pub(super) fn declared(root: &Fields<'_>) -> Result<BTreeMap<String, Variable>, ManifestError> {
    let mut declared = BTreeMap::new();
    let Some(tables) = root.table("variables")? else { return Ok(declared) };
    for (key, value) in tables.entries() {
        lower_snake(&tables, &key)?;
        let fields = tables.entry_table(key.value, value)?;
        let default = fields.text("default")?.map(|text| text.value.to_owned());
        let required = fields.flag("required")?.unwrap_or(false);
        if required == default.is_some() {
            let message = format!("`{}` must have either `default` or `required = true`", fields.name);
            return Err(fields.error(key.span, message));
        }
        let description = fields.text("description")?.map(|text| text.value.to_owned());
        let is_secret = fields.flag("secret")?.unwrap_or(false);
        fields.done()?;
        declared.insert(key.value.to_owned(), Variable { description, default, is_secret });
    }
    Ok(declared)
}

const HINT: &str = "a required variable gets its value from the environment, as SPIN_VARIABLE_<NAME>";

impl<'a> Variables<'a> {
    /// What each is, by the operator or by default.
    pub(super) fn of(declared: &BTreeMap<String, Variable>, given: &Given<'a>) -> Self {
        let live = &given.live;
        let asked = |(name, variable): (&String, &Variable)| {
            let asked = match given.known.get(name) {
                Some(known) => Asked {
                    name: name.clone(),
                    providers: known.behind,
                    otherwise: Some(known.value.clone()),
                },
                None => Asked {
                    name: name.clone(),
                    providers: live.providers,
                    otherwise: variable.default.clone(),
                },
            };
            (name.clone(), asked)
        };
        Self { of: declared.iter().map(asked).collect(), ask: live.ask }
    }

    /// A text with the value of each variable in its place, or with who is to be asked for it.
    pub(super) fn template(
        &self,
        fields: &Fields<'_>,
        text: &str,
        span: Range<usize>,
    ) -> Result<Template, ManifestError> {
        self.parsed(text).map_err(|message| refusal(fields, span, message))
    }

    /// A text with the value of each variable in its place, now.
    pub(super) fn filled(
        &self,
        fields: &Fields<'_>,
        text: &str,
        span: Range<usize>,
    ) -> Result<String, ManifestError> {
        let template = self.template(fields, text, span.clone())?;
        let parts = template.parts().iter().map(|part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Asked(asked) => self.now(asked),
        });
        parts.collect::<Result<_, _>>().map_err(|message| refusal(fields, span, message))
    }

    fn now(&self, asked: &Asked) -> Result<String, String> {
        let value = match self.ask {
            None => None,
            Some(ask) => ask(&asked.name, asked.providers).map_err(|reason| {
                format!("the value of `{{{{ {} }}}}` is not known: {reason}", asked.name)
            })?,
        };
        value.or_else(|| asked.otherwise.clone()).ok_or_else(|| without_value(&asked.name))
    }

    /// There is no escape for `{{`: Spin has none.
    fn parsed(&self, text: &str) -> Result<Template, String> {
        let mut template = Template::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or("`{{` has no `}}`")?;
            let name = name.trim();
            let asked = self.of.get(name).ok_or_else(|| without_value(name))?;
            template.push(Part::Text(before.to_owned()));
            template.push(match asked {
                Asked { providers: 0, otherwise: None, .. } => return Err(without_value(name)),
                Asked { providers: 0, otherwise: Some(value), .. } => Part::Text(value.clone()),
                asked => Part::Asked(asked.clone()),
            });
            rest = after;
        }
        template.push(Part::Text(rest.to_owned()));
        Ok(template)
    }
}

fn without_value(name: &str) -> String {
    format!("`{{{{ {name} }}}}` names no variable of `[variables]` that has a value")
}

fn refusal(fields: &Fields<'_>, span: Range<usize>, message: String) -> ManifestError {
    ManifestError { hint: Some(HINT.to_owned()), ..fields.error(span, message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `a` is known, `b` is asked for, `c` is known behind one that is asked.
    fn variables(ask: Option<Ask<'_>>) -> Variables<'_> {
        let asked = |name: &str, providers, otherwise: Option<&str>| {
            (
                name.to_owned(),
                Asked { name: name.to_owned(), providers, otherwise: otherwise.map(str::to_owned) },
            )
        };
        let of =
            [asked("a", 0, Some("1")), asked("b", 2, None), asked("c", 1, Some("3")), asked("d", 0, None)];
        Variables { of: BTreeMap::from(of), ask }
    }

    fn known(text: &str) -> Result<Option<String>, String> {
        variables(None).parsed(text).map(|template| template.known().map(str::to_owned))
    }

    #[test]
    fn a_name_in_braces_becomes_its_value() {
        assert_eq!(known("x{{a}}y{{ a }}z").unwrap().as_deref(), Some("x1y1z"));
        assert_eq!(known("{a}").unwrap().as_deref(), Some("{a}"));
        for text in ["{{a", "{{e}}", "{{d}}"] {
            assert!(known(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_must_be_asked_for_stays_a_question() {
        let template = variables(None).parsed("x{{ b }}y{{a}}").unwrap();
        let [Part::Text(x), Part::Asked(asked), Part::Text(y)] = template.parts() else {
            panic!("{template:?}")
        };
        assert_eq!((x.as_str(), asked.name.as_str(), asked.providers, y.as_str()), ("x", "b", 2, "y1"));
    }

    #[test]
    fn what_must_be_known_is_asked_for_at_once() {
        let ask = |name: &str, providers: usize| match (name, providers) {
            ("b", 2) => Ok(Some("2".to_owned())),
            ("c", 1) => Ok(None),
            other => Err(format!("{other:?}")),
        };
        let asked = |name: &str| variables(Some(&ask)).now(&variables(None).of[name]);
        assert_eq!((asked("b"), asked("c")), (Ok("2".to_owned()), Ok("3".to_owned())));
        let failed = |_: &str, _: usize| Err("it is away".to_owned());
        let refused = variables(Some(&failed)).now(&variables(None).of["b"]);
        assert_eq!(refused.unwrap_err(), "the value of `{{ b }}` is not known: it is away");
    }

    proptest! {
        #[test]
        fn a_text_without_braces_stays_as_it_is(text in "[^{]{0,40}") {
            prop_assert_eq!(known(&text), Ok(Some(text)));
        }
    }
}
