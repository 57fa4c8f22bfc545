//! What Rust cannot say: components written in text, in `guests/hostile/wat`.

use std::fs;

use crate::attack::Expect::{OneOf, Status};
use crate::attack::attack;
use crate::ground::{Ground, Hostile, sandbox};

#[test]
fn a_component_written_by_hand_is_bounded_too() {
    let attacks = [
        attack("/start-loop/", Status(504)),
        attack("/table/", Status(500)),
        attack("/memories/", Status(500)),
        attack("/memory-first/", Status(500)),
        attack("/gc/", OneOf(&[500, 504])),
        attack("/gc-array/", Status(500)),
        attack("/fill/", Status(504)),
        attack("/wait/", Status(500)),
    ];
    let sandbox = sandbox();
    let sources: Vec<String> = attacks.iter().map(|attack| attack.name.replace('/', "")).collect();
    let files: Vec<String> = sources.iter().map(|name| format!("{name}.wat")).collect();
    for file in &files {
        let folder = tombolo_testkit::root().join("guests/hostile/wat");
        sandbox.file(file, fs::read(folder.join(file)).unwrap());
    }
    let components = sources.iter().zip(&files);
    let components: Vec<_> = components.map(|(name, source)| Hostile::new(name, source)).collect();
    Ground::new(&sandbox, &components).stands(attacks);
}
