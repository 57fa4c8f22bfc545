//! What the host holds for a guest.

use crate::attack::Expect::{Status, That};
use crate::attack::attack;
use crate::ground::Ground;

#[test]
fn what_the_host_holds_for_a_guest_is_bounded() {
    let not_all = That("fewer entries than a million, or 500", |answer| {
        let response = answer.response.as_ref();
        response.is_some_and(|it| it.status == 500 || it.status == 200 && it.text() != "1000000 entries")
    });
    let not_set = That("a refusal, or 500", |answer| {
        let response = answer.response.as_ref();
        response.is_some_and(|it| it.status == 500 || it.status == 200 && it.text().ends_with("false"))
    });
    Ground::with_hostile().stands([
        attack("/hostile/fields", Status(500)),
        attack("/hostile/pollables", Status(500)),
        attack("/hostile/pollables", Status(500)).at_once(4),
        attack("/hostile/poll-list", Status(500)),
        attack("/hostile/fields-entries", not_all),
        attack("/hostile/fields-list", not_set.clone()),
        attack("/hostile/fields-list", not_set.clone()).at_once(4),
        attack("/hostile/fields-clones", Status(500)),
        attack("/hostile/argument", not_set.clone()),
        attack("/hostile/argument", not_set).at_once(4),
    ]);
}
