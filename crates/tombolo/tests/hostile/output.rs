//! Filling the operator's log.

use crate::attack::Expect::{OneOf, Status};
use crate::attack::attack;
use crate::ground::Ground;

#[test]
fn what_a_guest_prints_is_bounded() {
    Ground::with_hostile().stands([
        attack("/hostile/log-stdout", Status(504)),
        attack("/hostile/log-stderr", Status(504)),
        attack("/hostile/log-line", Status(504)),
        attack("/hostile/log-unasked", OneOf(&[500, 504])),
    ]);
}
