//! `tombolo completions`.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::failure::Failure;

/// Print what makes a shell complete the commands of this program
///
/// Examples:
///   source <(tombolo completions bash)
///   tombolo completions zsh > ~/.zfunc/_tombolo
///   tombolo completions fish > ~/.config/fish/completions/tombolo.fish
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Completions {
    pub(crate) fn run(self, to: &mut impl Write) -> Result<ExitCode, Failure> {
        let shell = match self.shell {
            Shell::Bash => clap_complete::Shell::Bash,
            Shell::Zsh => clap_complete::Shell::Zsh,
            Shell::Fish => clap_complete::Shell::Fish,
        };
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut crate::Cli::command(), "tombolo", &mut script);
        crate::remote::told(to.write_all(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}
