//! What one instance knows of its component's variables.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use tombolo_capability::{HeldMemory, HostMemory, MemoryExceeded};
use tombolo_model::template::{Asked, Part, Template};
use tombolo_remote::{Budget, TooLarge};

use crate::vault::{ProviderError, Vault};

/// The variables of one component, and who is asked for some of them.
pub struct Granted {
    pub(crate) variables: BTreeMap<String, Template>,
    pub(crate) vaults: Arc<[Vault]>,
}

/// The variables of one instance, by name.
pub struct View(pub(crate) Arc<Granted>);

/// Why there is no value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    InvalidName(String),
    Undefined(String),
    Provider(String),
}

impl From<ProviderError> for Refusal {
    fn from(ProviderError(reason): ProviderError) -> Self {
        Self::Provider(reason)
    }
}

/// What a value takes of its instance's memory.
struct Held(HeldMemory);

impl Budget for Held {
    fn take(&mut self, bytes: u64) -> Result<(), TooLarge> {
        self.0.grow(bytes).map_err(|error| TooLarge(format!("{error} (`memory_mib_max`)")))
    }
}

/// Values, and the memory they are charged to until the guest has them.
#[derive(Default)]
pub(crate) struct Charged<T> {
    pub(crate) value: T,
    held: Vec<HeldMemory>,
}

impl Granted {
    /// The value of a variable of the component, now.
    pub(crate) async fn get(&self, name: &str, memory: &HostMemory) -> Result<Charged<String>, Refusal> {
        let valid = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !valid {
            return Err(Refusal::InvalidName(format!("`{name}` is not lower_snake_case")));
        }
        let template = self.variables.get(name).ok_or_else(|| undefined(name))?;
        let mut found = Charged::<String>::default();
        for part in template.parts() {
            let text = match part {
                Part::Text(text) => Cow::from(text),
                Part::Asked(asked) => self.ask(asked, memory, &mut found.held).await?,
            };
            found.held.push(memory.take(text.len() as u64).map_err(too_large)?);
            found.value.push_str(&text);
        }
        Ok(found)
    }

    /// All variables that have a value now.
    pub(crate) async fn all(&self, memory: &HostMemory) -> Result<Charged<Vec<(String, String)>>, Refusal> {
        let mut all = Charged::<Vec<(String, String)>>::default();
        for name in self.variables.keys() {
            match self.get(name, memory).await {
                Ok(Charged { value, held }) => {
                    all.value.push((name.clone(), value));
                    all.held.extend(held);
                }
                Err(Refusal::Undefined(_)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(all)
    }

    /// The value of a variable of the app: of the first provider that has one.
    async fn ask<'a>(
        &self,
        asked: &'a Asked,
        memory: &HostMemory,
        held: &mut Vec<HeldMemory>,
    ) -> Result<Cow<'a, str>, Refusal> {
        for vault in self.vaults.iter().take(asked.providers) {
            let budget = Held(memory.take(0).map_err(too_large)?);
            if let Some((value, Held(charged))) = vault.value(&asked.name, budget).await? {
                held.push(charged);
                return Ok(value.into());
            }
        }
        asked.otherwise.as_deref().map(Cow::from).ok_or_else(|| undefined(&asked.name))
    }
}

fn undefined(name: &str) -> Refusal {
    Refusal::Undefined(format!("there is no value of a variable `{name}` for this component"))
}

fn too_large(error: MemoryExceeded) -> Refusal {
    Refusal::Provider(format!("the value is too large: {error}"))
}
