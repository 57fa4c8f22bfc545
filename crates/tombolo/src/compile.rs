//! `tombolo compile`: what a server starts to compile in, so that an upload cannot take it down.

use std::io;
use std::process::ExitCode;

use tombolo_runtime::compile::{Job, work};

use crate::failure::Failure;

/// Compile wasm from stdin for the server that started this, within bounds
#[derive(Debug, clap::Args)]
pub(crate) struct Compile {
    /// What, and for which engine
    #[arg(required = true)]
    job: Vec<String>,
}

/// The name of the subcommand.
pub(crate) const SUBCOMMAND: &str = "compile";

impl Compile {
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let job = Job::parse(&self.job)
            .ok_or_else(|| Failure::new("this is started by `tombolo up`, and not by hand"))?;
        match work(job, io::stdin().lock(), io::stdout().lock()) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(message) => Err(Failure::bare(message)),
        }
    }
}
