//! The `tombolo` command.
//!
//! One file, or folder, a subcommand. `main` alone reads the environment: what a subcommand needs of
//! it comes as a value.

mod access_log;
mod allocator;
mod cache;
mod compile;
mod completions;
mod doctor;
mod failure;
mod inspect;
mod log;
mod pairs;
mod remote;
mod run;
mod serve;
mod up;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

/// The self-hosted WebAssembly application platform
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Up(up::Up),
    Run(run::Run),
    Serve(serve::Serve),
    Login(remote::Login),
    Deploy(remote::Deploy),
    Apps(remote::Apps),
    Releases(remote::Releases),
    Promote(remote::Promote),
    Rollback(remote::Rollback),
    Preview(remote::ShowPreview),
    #[command(visible_alias = "secret")]
    Variables(remote::Variables),
    Tokens(remote::Tokens),
    Tenants(remote::Tenants),
    Logs(remote::Logs),
    Events(remote::Events),
    Top(remote::Top),
    Domains(remote::Domains),
    Kv(remote::Kv),
    Inspect(inspect::Inspect),
    #[command(name = compile::SUBCOMMAND, hide = true)]
    Compile(compile::Compile),
    Doctor(doctor::Doctor),
    Completions(completions::Completions),
}

fn main() -> ExitCode {
    // A page of 2 MiB for a buffer of 8 KiB: idle connections would cost many times what they need. Where
    // the kernel does not know this, it is as it was.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let cli = Cli::parse();
    let format = match &cli.command {
        Command::Serve(serve) => serve.log,
        _ => log::Format::Text,
    };
    format.begin(std::env::var("TOMBOLO_LOG").ok());
    let result = match cli.command {
        Command::Up(up) => up.run(&cache::folder(|name| std::env::var_os(name)), environment()),
        Command::Run(run) => run.run(&cache::folder(|name| std::env::var_os(name))),
        Command::Serve(serve) => {
            serve.run(cache::folder(|name| std::env::var_os(name)), &environment().collect())
        }
        Command::Login(login) => login.run(&environment().collect()),
        Command::Deploy(deploy) => deploy.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Apps(apps) => apps.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Releases(releases) => releases.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Promote(promote) => promote.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Preview(preview) => preview.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Rollback(rollback) => rollback.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Variables(variables) => variables.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Tenants(tenants) => tenants.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Tokens(tokens) => tokens.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Logs(logs) => logs.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Events(events) => events.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Top(top) => top.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Domains(domains) => domains.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Kv(kv) => kv.run(&environment().collect(), &mut io::stdout().lock()),
        Command::Completions(completions) => completions.run(&mut io::stdout().lock()),
        Command::Inspect(inspect) => inspect.run(environment(), &mut io::stdout().lock()),
        Command::Compile(compile) => compile.run(),
        Command::Doctor(doctor) => {
            let cache = cache::folder(|name| std::env::var_os(name));
            doctor.run(cache, std::env::var_os("PATH"), &mut io::stdout().lock())
        }
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            // If even this cannot be written, the exit code still says it.
            let _ = write!(io::stderr().lock(), "{failure}");
            ExitCode::from(failure.code)
        }
    }
}

/// The environment, without what is no text: no variable of ours is.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
