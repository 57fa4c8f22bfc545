use std::collections::BTreeMap;
use std::time::Duration;

use tombolo_capability::{MemoryBudget, Meter, conformance};
use tombolo_egress::EgressConfig;
use tombolo_model::template::{Asked, Part, Template};
use tombolo_model::{Endpoint, Secret, Source, runtime_config};

use super::*;
use crate::view::Refusal;

/// A component with a variable that is known, and one that a vault may have.
fn component() -> Component {
    let mut token = Template::fixed("token-");
    let asked = |otherwise: Option<&str>| {
        let otherwise = otherwise.map(str::to_owned);
        Part::Asked(Asked { name: "token".to_owned(), providers: 1, otherwise })
    };
    token.push(asked(Some("none")));
    let mut required = Template::default();
    required.push(asked(None));
    Component {
        variables: BTreeMap::from([
            ("region".to_owned(), Template::fixed("eu")),
            ("required".to_owned(), required),
            ("token".to_owned(), token),
        ]),
        ..Component::bare("api".parse().unwrap(), Source::Path("api.wasm".into()))
    }
}

fn view(variables: &Variables) -> View {
    let egress = Egress::new(EgressConfig::none());
    variables.open(&variables.grant(&"shop".parse().unwrap(), &component(), &egress).unwrap())
}

async fn get(view: &View, name: &str) -> Result<String, Refusal> {
    let budget = MemoryBudget::new(10, Arc::new(Meter::new(Duration::MAX)));
    view.0.get(name, budget.host()).await.map(|found| found.value)
}

#[test]
fn it_provides_what_it_names() {
    conformance::provides_what_it_names(&Variables::default());
}

#[tokio::test]
async fn a_component_sees_its_own_variables_only() {
    let view = view(&Variables::default());
    assert_eq!(get(&view, "region").await.unwrap(), "eu");
    assert_eq!(get(&view, "token").await.unwrap(), "token-none");
    for name in ["required", "other"] {
        assert!(matches!(get(&view, name).await, Err(Refusal::Undefined(_))), "{name}");
    }
    assert!(matches!(get(&view, "Not-A-Name").await, Err(Refusal::InvalidName(_))));
    let budget = MemoryBudget::new(100, Arc::new(Meter::new(Duration::MAX)));
    let all = view.0.all(budget.host()).await.unwrap().value;
    let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["region", "token"], "what has no value is not there");
}

#[tokio::test]
async fn a_vault_that_is_away_fails_what_it_might_have() {
    let endpoint: Endpoint = "http://127.0.0.1:1".parse().unwrap();
    let vault = runtime_config::Vault {
        endpoint,
        token: Secret::new("t"),
        mount: "secret".into(),
        prefix: Some("shop/of us".into()),
    };
    let vault = Vault::new(&vault);
    assert_eq!(format!("{vault:?}"), "Vault { path: \"/v1/secret/data/shop/of%20us/\", .. }");
    let view = view(&Variables::new(vec![vault]));
    assert_eq!(get(&view, "region").await.unwrap(), "eu");
    let failed = Refusal::Provider("the provider failed: cannot connect".to_owned());
    assert_eq!(get(&view, "token").await, Err(failed));
}
