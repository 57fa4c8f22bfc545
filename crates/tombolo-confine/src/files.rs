//! Landlock: which files, and which other processes.

use landlock::{
    ABI, Access, AccessFs, BitFlags, LandlockStatus, RestrictSelfAttr, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};
use rustix::fs::{Mode, OFlags};

use crate::linux::Reach;
use crate::plan::Plan;
use crate::report::State;

/// The newest this was tested on. What an older kernel does not know it does not refuse.
const TESTED: ABI = ABI::V7;

/// The states of the walls around files and around other processes.
pub(crate) fn restrict(plan: &Plan, reach: Reach, alone: bool) -> (State, State) {
    let both = |reason: String| (State::off(&reason), State::off(&reason));
    let status = match apply(plan, reach) {
        Ok(status) => status,
        Err(error) => return both(error.to_string()),
    };
    let abi = match status.landlock {
        LandlockStatus::NotImplemented => return both("this kernel has no Landlock".to_owned()),
        LandlockStatus::NotEnabled => return both("Landlock is switched off in this kernel".to_owned()),
        LandlockStatus::Available { effective_abi, .. } => effective_abi.min(TESTED),
    };
    if status.ruleset == RulesetStatus::NotEnforced {
        return both("the kernel took no rule".to_owned());
    }
    if !alone && !status.all_threads {
        return both("threads were started before, and this kernel confines none that run".to_owned());
    }
    let truncate = if abi < ABI::V3 { ", which leaves truncating files free" } else { "" };
    let files = State::on(format!("Landlock ABI {}{truncate}", abi as u8));
    let neighbours = match abi {
        abi if abi >= ABI::V6 => State::on(format!("Landlock ABI {}", abi as u8)),
        abi => State::off(format!("it takes Landlock ABI 6 (Linux 6.12), and this is {}", abi as u8)),
    };
    (files, neighbours)
}

fn apply(plan: &Plan, reach: Reach) -> Result<landlock::RestrictionStatus, RulesetError> {
    if reach == Reach::Process {
        pin_own_proc();
    }
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let run = make_bitflags!(AccessFs::{ReadFile | Execute});
    Ruleset::default()
        .handle_access(AccessFs::from_all(TESTED))?
        .scope(Scope::from_all(TESTED))?
        .create()?
        .add_rules(path_beneath_rules(&plan.read, read))?
        .add_rules(path_beneath_rules(&plan.write, read | write()))?
        .add_rules(path_beneath_rules(&plan.run, run))?
        .all_threads(reach == Reach::Process)?
        .restrict_self()
}

/// No devices, sockets or pipes: what this process writes is files.
fn write() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | MakeSym | RemoveFile | RemoveDir | Refer
    })
}

/// Keeps `/proc/self` open for good. A rule is for an inode, and the kernel drops that of a process's
/// folder when memory is short and nobody holds it: the next look-up would find one without a rule.
fn pin_own_proc() {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(folder) = rustix::fs::open("/proc/self", flags, Mode::empty()) {
        std::mem::forget(folder);
    }
}
