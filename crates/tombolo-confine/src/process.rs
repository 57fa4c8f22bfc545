//! Walls that are one setting of the process.

use std::fs::File;
use std::io;

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

use crate::report::State;

pub(crate) fn without_new_privileges() -> State {
    match rustix::thread::set_no_new_privs(true) {
        Ok(()) => State::on("no_new_privs"),
        Err(error) => State::off(io::Error::from(error)),
    }
}

/// One byte, not none: a handler that cores are piped to gets them whatever the limit is, but for a
/// limit of one, which the kernel takes as "no core" (core(5), `do_coredump`). A file that small is
/// not written either.
pub(crate) fn without_core_dumps() -> State {
    match setrlimit(Resource::Core, Rlimit { current: Some(1), maximum: Some(1) }) {
        Ok(()) => State::on("RLIMIT_CORE"),
        // The limit was lower.
        Err(_) if getrlimit(Resource::Core).current == Some(0) => State::on("RLIMIT_CORE"),
        Err(error) => State::off(io::Error::from(error)),
    }
}

/// Undone where it would cost the engine `/proc/self/pagemap`: the files of a process that may not be
/// inspected belong to root.
pub(crate) fn without_inspection() -> State {
    let has_pagemap = || File::open("/proc/self/pagemap").is_ok();
    let had_pagemap = has_pagemap();
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        return State::off(io::Error::from(error));
    }
    if has_pagemap() == had_pagemap {
        return State::on("not dumpable");
    }
    // What was possible a moment ago is possible again.
    let _ = set_dumpable_behavior(DumpableBehavior::Dumpable);
    State::off("the engine reads /proc/self/pagemap, which would belong to root")
}

pub(crate) fn raise_open_files() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused only if somebody lowered the limit meanwhile; then it is what it is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}
