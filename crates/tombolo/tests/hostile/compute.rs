//! Processor, stack, memory, time.

use crate::attack::Expect::{OneOf, Status, That};
use crate::attack::attack;
use crate::ground::Ground;

#[test]
fn what_a_guest_computes_is_bounded() {
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let bounded = That("at most 64 MiB", |answer| {
        let text = answer.response.as_ref().map(tombolo_testkit::Response::text).unwrap_or_default();
        let mib = text.strip_prefix("took ").and_then(|text| text.strip_suffix(" MiB"));
        mib.and_then(|mib| mib.parse::<u64>().ok()).is_some_and(|mib| (32..64).contains(&mib))
    });
    Ground::with_hostile().stands([
        attack("/hostile/loop", Status(504)),
        attack("/hostile/loop", Status(504)).at_once(cores + 2),
        attack("/hostile/recursion", Status(500)),
        attack("/hostile/memory", bounded.clone()),
        attack("/hostile/memory", bounded).at_once(8),
        attack("/hostile/clock", Status(504)),
        attack("/hostile/random", Status(504)),
        attack("/hostile/random-huge", Status(500)),
        attack("/hostile/random-large", Status(504)),
        attack("/hostile/sleep", Status(504)),
        attack("/hostile/busy-poll", Status(504)),
        attack("/hostile/poll-nothing", Status(500)),
        attack("/hostile/panic", Status(500)),
        attack("/hostile/exit?0", OneOf(&[500, 502])),
        attack("/hostile/exit?1", OneOf(&[500, 502])),
    ]);
}
