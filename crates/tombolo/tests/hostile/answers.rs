//! Answers that never end, that lie, that are none, or are two.

use crate::attack::Expect::{Cut, OneOf, Refused, Status, StatusOrCut, Text, That};
use crate::attack::{Next, attack};
use crate::ground::Ground;

#[test]
fn an_answer_is_bounded_and_harms_no_other() {
    // Where the machine is busy the head may be on its way when the length is found wrong; then nothing else can be said.
    let unlike = || {
        That("502, or an end in place of an answer", |answer| match &answer.response {
            Some(response) => response.status == 502 || !response.is_complete,
            None => answer.next == Next::Closed,
        })
    };
    // The same, where an answer without a body is whole with its head.
    let nothing = || {
        That("502, or nothing", |answer| match &answer.response {
            Some(response) => response.status == 502 || response.body.is_empty(),
            None => answer.next == Next::Closed,
        })
    };
    Ground::with_hostile().stands([
        attack("/hostile/body-endless", Cut),
        attack("/hostile/body-endless", Cut).at_once(4),
        attack("/hostile/body-stalls", Cut),
        attack("/hostile/never-reads", Status(504)).with_body(4 << 20),
        attack("/hostile/early", Text("early")),
        attack("/hostile/early", Text("early")).with_body(64 << 10),
        attack("/hostile/early", Text("early")).with_body(8 << 20),
        attack("/hostile/headers-many", OneOf(&[200, 500, 502])),
        attack("/hostile/header-long", OneOf(&[200, 500])),
        attack("/hostile/header-injection", Refused(12)),
        attack("/hostile/headers-forbidden", Refused(20)),
        attack("/hostile/length?5", Text("hello")),
        attack("/hostile/length?100", unlike()),
        attack("/hostile/length?3", unlike()),
        attack("/hostile/length?0", nothing()),
        attack("/hostile/length?5,6", Text("not taken")),
        attack("/hostile/length?abc", Text("not taken")),
        attack("/hostile/length?-1", Text("not taken")),
        attack("/hostile/length?18446744073709551616", Text("not taken")),
        attack("/hostile/trailers", Text("hello")),
        attack("/hostile/trailers-many", StatusOrCut(500)),
        attack("/hostile/status-invalid", Refused(5)),
        attack("/hostile/status?100", OneOf(&[500, 502])),
        attack("/hostile/status?101", OneOf(&[500, 502])),
        attack("/hostile/status?204", Status(204)),
        attack("/hostile/status?304", Status(304)),
        attack("/hostile/status?999", Status(999)),
        attack("/hostile/twice", Status(500)),
        attack("/hostile/never", Status(502)),
        attack("/hostile/error", Status(502)),
    ]);
}
