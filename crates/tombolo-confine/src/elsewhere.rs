//! Systems other than Linux: nothing of this is there.

use crate::plan::Plan;
use crate::report::{Report, State, Wall};

/// Puts nothing up.
pub fn confine(_plan: &Plan) -> Report {
    let off = |wall| (wall, State::off("this system is not Linux"));
    Report { walls: [Wall::Privileges, Wall::Files, Wall::Syscalls].map(off).into() }
}

/// Puts nothing up.
pub fn confine_files(plan: &Plan) -> Report {
    confine(plan)
}

/// Says that nothing would be up.
pub fn probe(plan: &Plan) -> Report {
    confine(plan)
}

/// Does nothing.
pub fn settle() -> Report {
    Report::default()
}

/// How many files may be open is not known.
pub fn raise_open_files() -> Option<u64> {
    None
}
