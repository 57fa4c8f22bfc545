//! The same on WASI 0.3, and what only that has.

use crate::attack::Expect::{Cut, OneOf, Status, Text, That};
use crate::attack::{Next, attack};
use crate::ground::{Ground, Hostile, sandbox};

#[test]
fn a_guest_on_wasi_0_3_is_bounded_too() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let sandbox = sandbox();
    sandbox.guest("hostile-wasi3", "wasi3.wasm");
    let ground = Ground::new(&sandbox, &[Hostile::new("wasi3", "wasi3.wasm")]);
    let begun = That("the part that was written, cut or not", |answer| {
        answer.response.as_ref().is_some_and(|it| it.status == 200 && it.text() == "so far\n")
    });
    // Where the machine is busy the head may be on its way when the trailers fail; then nothing else can be said.
    let refused = That("502, or an end in place of an answer", |answer| match &answer.response {
        Some(response) => response.status == 502,
        None => answer.next == Next::Closed,
    });
    ground.stands([
        attack("/wasi3/loop", Status(504)),
        attack("/wasi3/loop", Status(504)).at_once(cores + 2),
        attack("/wasi3/yield", Status(504)),
        attack("/wasi3/sleep", Status(504)),
        attack("/wasi3/panic", Status(500)),
        attack("/wasi3/error", Status(502)),
        attack("/wasi3/body-endless", Cut),
        attack("/wasi3/body-stalls", Cut),
        attack("/wasi3/loop-later", Cut),
        attack("/wasi3/panic-later", Cut),
        attack("/wasi3/trailers-never", begun),
        attack("/wasi3/trailers-fail", refused),
        attack("/wasi3/work-after", Text("done\n")),
        attack("/wasi3/streams", Status(500)),
        attack("/wasi3/futures", Status(500)),
        attack("/wasi3/calls", Status(500)),
        attack("/wasi3/calls", Status(500)).at_once(4),
        attack("/wasi3/spawned", OneOf(&[500, 504])),
        attack("/wasi3/fields", Status(500)),
    ]);
}
