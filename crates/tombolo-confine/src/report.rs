//! What is up, and what is not and why.

use std::fmt;

/// One thing the kernel refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wall {
    /// No program that is run gives more rights than this one has: `no_new_privs`.
    Privileges,
    /// No file but those of the plan: Landlock.
    Files,
    /// No signal to a process outside, no abstract socket of one: Landlock, ABI 6.
    Neighbours,
    /// No system call but those a server makes: seccomp.
    Syscalls,
    /// No memory written to disk at a crash.
    CoreDumps,
    /// No look into this process's memory for others of its user.
    Inspection,
}

impl Wall {
    /// Its name, for people and for JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Privileges => "privileges",
            Self::Files => "files",
            Self::Neighbours => "neighbours",
            Self::Syscalls => "system calls",
            Self::CoreDumps => "core dumps",
            Self::Inspection => "inspection",
        }
    }
}

/// Whether a wall is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is.
    On {
        /// By what means, and how far.
        detail: String,
    },
    /// It is not.
    Off {
        /// Why.
        reason: String,
    },
}

impl State {
    pub(crate) fn on(detail: impl fmt::Display) -> Self {
        Self::On { detail: detail.to_string() }
    }

    pub(crate) fn off(reason: impl fmt::Display) -> Self {
        Self::Off { reason: reason.to_string() }
    }
}

/// Every wall that was asked for, in the order of [`Wall`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The walls.
    pub walls: Vec<(Wall, State)>,
}

impl Report {
    /// What holds back code that got out of its sandbox and could not be put up. The other walls
    /// are of less weight, and missing on kernels in wide use.
    pub fn missing(&self) -> impl Iterator<Item = (Wall, &str)> {
        let weighty = |wall| matches!(wall, Wall::Privileges | Wall::Files | Wall::Syscalls);
        self.walls.iter().filter_map(move |(wall, state)| match state {
            State::Off { reason } if weighty(*wall) => Some((*wall, reason.as_str())),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_walls_of_weight_are_missed() {
        let off = || State::off("an old kernel");
        let walls = vec![
            (Wall::Privileges, State::on("no_new_privs")),
            (Wall::Files, off()),
            (Wall::Neighbours, off()),
            (Wall::Inspection, off()),
        ];
        let report = Report { walls };
        assert_eq!(report.missing().collect::<Vec<_>>(), [(Wall::Files, "an old kernel")]);
    }
}
