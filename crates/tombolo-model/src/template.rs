//! A text with the values of variables in it, some of which are known only when they are asked for.

use std::fmt;

/// What a component's variable is: text, and what providers are asked for between.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Template(Vec<Part>);

/// A part of a [`Template`].
#[derive(Clone, PartialEq, Eq)]
pub enum Part {
    /// What it says.
    Text(String),
    /// The value of a variable of the app, which a provider may have.
    Asked(Asked),
}

/// A variable of an app whose value a provider may have that is asked each time.
#[derive(Clone, PartialEq, Eq)]
pub struct Asked {
    /// Its name.
    pub name: String,
    /// How many of the providers that are asked come before who has the value below: those are asked, in their
    /// order.
    pub providers: usize,
    /// The value if none of them has one; without it, the variable has none.
    pub otherwise: Option<String>,
}

impl Template {
    /// A text that is known.
    pub fn fixed(text: &str) -> Self {
        Self(vec![Part::Text(text.to_owned())])
    }

    /// Adds a part behind the others.
    pub fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (Some(Part::Text(last)), Part::Text(text)) => last.push_str(&text),
            (_, part) => self.0.push(part),
        }
    }

    /// Its parts; two texts do not follow each other.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The text, if nobody need be asked.
    pub fn known(&self) -> Option<&str> {
        match &self.0[..] {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// Without the text, which may be secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Asked(asked) => Some(&asked.name),
        });
        f.debug_tuple("Template").field(&names.collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_follow_each_other_are_one() {
        let mut template = Template::default();
        assert_eq!(template.known(), Some(""));
        template.push(Part::Text("a".into()));
        template.push(Part::Text("b".into()));
        assert_eq!(template, Template::fixed("ab"));
        assert_eq!(template.known(), Some("ab"));
        let asked = Asked { name: "token".into(), providers: 1, otherwise: Some("secret".into()) };
        template.push(Part::Asked(asked));
        assert_eq!((template.parts().len(), template.known()), (2, None));
        assert_eq!(format!("{template:?}"), "Template([\"token\"])");
    }
}
