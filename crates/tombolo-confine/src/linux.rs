//! All walls, in the order they go up.

use std::fs;
use std::thread;

use crate::plan::Plan;
use crate::report::{Report, State, Wall};
use crate::{files, process, syscalls};

/// Whom a wall is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// All threads.
    Process,
    /// The calling one.
    Thread,
}

/// Confines this process for the rest of its life to `plan` and to what a server does. As far as this
/// kernel can: what is not up is in the report.
///
/// Must be called before other threads are started: see the [crate](crate#when).
pub fn confine(plan: &Plan) -> Report {
    let mut report = settle();
    let mut walls = enclose(plan, Reach::Process);
    walls.append(&mut report.walls);
    Report { walls }
}

/// The part of [`confine`] that costs a program's start little: privileges, files and neighbours. The
/// kernel takes longer over a filter of system calls than over all of this.
pub fn confine_files(plan: &Plan) -> Report {
    Report { walls: around_files(plan, Reach::Process) }
}

/// What [`confine`] would put up here. It is really put up, around a thread that then ends; of what
/// is the process's, core dumps and inspection, this process keeps it.
pub fn probe(plan: &Plan) -> Report {
    let mut report = settle();
    let enclosed = thread::scope(|scope| scope.spawn(|| enclose(plan, Reach::Thread)).join());
    let mut walls = enclosed.unwrap_or_default();
    walls.append(&mut report.walls);
    Report { walls }
}

/// No core dumps, no inspection by others, and as many open files as this process may have. A
/// child of it dumps no core either and is free otherwise.
pub fn settle() -> Report {
    raise_open_files();
    let core_dumps = (Wall::CoreDumps, process::without_core_dumps());
    Report { walls: vec![core_dumps, (Wall::Inspection, process::without_inspection())] }
}

/// Raises the limit of open files as far as it goes, and says how far that is; `None` is no limit.
/// The usual soft limit, 1024, is for programs that `select`; a connection is a file.
pub fn raise_open_files() -> Option<u64> {
    process::raise_open_files()
}

fn enclose(plan: &Plan, reach: Reach) -> Vec<(Wall, State)> {
    let mut walls = around_files(plan, reach);
    // Last: it refuses what putting up the others takes.
    walls.push((Wall::Syscalls, syscalls::filter(reach, plan.links)));
    walls
}

fn around_files(plan: &Plan, reach: Reach) -> Vec<(Wall, State)> {
    let alone = reach == Reach::Thread || threads() == 1;
    // First, as the other two need it.
    let privileges = process::without_new_privileges();
    let (files, neighbours) = files::restrict(plan, reach, alone);
    vec![(Wall::Privileges, privileges), (Wall::Files, files), (Wall::Neighbours, neighbours)]
}

/// Threads that run; many if it cannot be told.
fn threads() -> usize {
    fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count)
}
