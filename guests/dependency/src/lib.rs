//! Answers what another component imports, and tells what it finds itself of what that was granted.

wit_bindgen::generate!({ path: "wit", world: "dependency" });

struct Dependency;

export!(Dependency);

fn found(who: &str) -> Vec<(String, String)> {
    let mut found = look::look();
    found.push(("who".to_owned(), who.to_owned()));
    found
}

impl exports::tombolo::parts::probe::Guest for Dependency {
    fn look() -> Vec<(String, String)> {
        found("first")
    }
}

impl exports::tombolo::parts::second::Guest for Dependency {
    fn look() -> Vec<(String, String)> {
        found("second")
    }
}
