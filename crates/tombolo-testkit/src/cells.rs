//! That what a page of the documentation names as a test is one.

use std::process::Command;

/// Looks whether each test that the tables of `page` name in backquotes, as `a::b`, is one of the program that runs: of
/// those that begin with `<group>::`, without that; or of all others but those of `groups`, where no group is named.
///
/// # Panics
///
/// With those that are not, and if there is none at all.
pub fn name_tests(page: &str, group: Option<&str>, groups: &[&str]) {
    let program = std::env::current_exe().expect("it runs");
    let listed =
        Command::new(program).args(["--list", "--format", "terse"]).output().expect("it lists its tests");
    let listed = String::from_utf8(listed.stdout).expect("names are text");
    let tests: Vec<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    let cells = page.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('|'));
    let named = cells.filter_map(|cell| cell.trim().strip_prefix('`')?.strip_suffix('`'));
    let named = named.filter(|name| name.contains("::") && !name.contains([' ', '/', '@']));
    let own: Vec<&str> = named
        .filter_map(|name| match (name.split_once("::"), group) {
            (Some((first, rest)), Some(group)) => (first == group).then_some(rest),
            (Some((first, _)), None) => (!groups.contains(&first)).then_some(name),
            (None, _) => None,
        })
        .collect();
    assert!(!own.is_empty(), "the page names none");
    let none: Vec<&&str> = own.iter().filter(|name| !tests.contains(name)).collect();
    assert!(none.is_empty(), "the page names what is no test: {none:?}");
}
