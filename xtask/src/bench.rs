//! `cargo xtask bench`: ours against native hyper and `wasmtime serve`, in one run.
//!
//! Every server is pinned to the first core and the load generator (wrk) to the second. Runs
//! alternate, so that a noisy moment hits all; figures are medians, ratios are medians of the
//! ratios within a round.

mod hop;
mod idle;
mod many;
pub(crate) mod native;
mod neighbour;
mod node;
mod server;
mod start;
mod wrk;

use std::path::Path;

use server::{Kind, Server};
use wrk::Sample;

use crate::say;

const CONNECTIONS: [u32; 3] = [1, 32, 128];

/// How long and how often.
#[derive(clap::Args)]
pub(crate) struct Bench {
    /// Rounds; each runs every server at every number of connections
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 2)]
    seconds: u32,
    /// Starts of each server
    #[arg(long, default_value_t = 9)]
    starts: u32,
    /// Components in one process, compiled in the first run, which takes minutes; 0 leaves them out
    #[arg(long, default_value_t = 10_000)]
    components: usize,
    /// Apps on one node, deployed and compiled in each run, which takes minutes; 0 leaves them out
    #[arg(long, default_value_t = 1000)]
    apps: usize,
    /// Only what a hop costs: to another server, and to a component of the same app
    #[arg(long)]
    outbound_only: bool,
    /// Only a node with many apps, and what tenants notice of each other
    #[arg(long, conflicts_with = "outbound_only")]
    node_only: bool,
}

impl Bench {
    pub(crate) fn run(self, root: &Path) -> Result<(), String> {
        let setup = server::Setup::new(root)?;
        if self.node_only {
            print(&self.node(&setup)?);
            return Ok(());
        }
        let hops = hop::report(&setup, self.rounds, self.seconds)?;
        if self.outbound_only {
            print(&hops);
            return Ok(());
        }
        let mut report = String::from("## Throughput of the hello component\n\n");
        report += &self.throughput(&setup)?;
        report += "\n## From exec to the first answer\n\n";
        report += &start::table(&setup, self.starts)?;
        report += "\n## The same with nothing compiled before\n\n";
        report += &start::uncached(&setup, self.starts)?;
        report += "\n## From exec to the end of a program that says hello\n\n";
        report += &start::programs(&setup, self.starts)?;
        report += "\n## A hop\n\n";
        report += &hops;
        report += "\n## Idle connections\n\n";
        report += &idle::table(&setup)?;
        if self.components > 0 {
            report += "\n## Many components\n\n";
            report += &many::report(&setup, self.components, self.seconds)?;
        }
        report += &self.node(&setup)?;
        print(&report);
        Ok(())
    }

    fn node(&self, setup: &server::Setup) -> Result<String, String> {
        let mut report = String::new();
        if self.apps > 0 {
            report += "\n## A node with many apps\n\n";
            report += &node::report(setup, self.apps, self.rounds, self.seconds)?;
        }
        report += "\n## Beside a tenant at its limits\n\n";
        report += &neighbour::report(setup, self.rounds)?;
        Ok(report)
    }

    fn throughput(&self, setup: &server::Setup) -> Result<String, String> {
        let servers: Vec<Server> =
            Kind::ALL.iter().map(|kind| setup.start(*kind)).collect::<Result<_, _>>()?;
        let idle: Vec<u64> = servers.iter().map(Server::memory_kb).collect();
        // samples[kind][connections][round]
        let mut samples = vec![vec![Vec::<Sample>::new(); CONNECTIONS.len()]; servers.len()];
        for server in &servers {
            wrk::run(server, 8, 1)?;
        }
        for round in 0..self.rounds {
            say(&format!("round {} of {}", round + 1, self.rounds));
            for (place, connections) in CONNECTIONS.into_iter().enumerate() {
                for turn in 0..servers.len() {
                    // Each round begins with another server.
                    let kind = (turn + round as usize) % servers.len();
                    samples[kind][place].push(wrk::run(&servers[kind], connections, self.seconds)?);
                }
            }
        }
        let mut text = String::from(
            "| server | connections | req/s | p50 us | p99 us | CPU us/req | x hyper | x wasmtime serve |\n\
             |---|---|---|---|---|---|---|---|\n",
        );
        for (place, connections) in CONNECTIONS.into_iter().enumerate() {
            for (kind, server) in servers.iter().enumerate() {
                let own = &samples[kind][place];
                let of = |value: fn(&Sample) -> f64| median(own.iter().map(value));
                let against = |other: usize| {
                    let pairs = own.iter().zip(&samples[other][place]);
                    median(pairs.map(|(a, b)| a.requests_per_s / b.requests_per_s))
                };
                text += &format!(
                    "| {} | {connections} | {:.0} | {:.0} | {:.0} | {:.1} | {:.3} | {:.2} |\n",
                    server.name,
                    of(|sample| sample.requests_per_s),
                    of(|sample| sample.p50_us),
                    of(|sample| sample.p99_us),
                    of(|sample| sample.cpu_us),
                    against(0),
                    against(1),
                );
            }
        }
        text += "\n| server | idle RSS MB | RSS MB after load |\n|---|---|---|\n";
        for (server, idle) in servers.iter().zip(idle) {
            let name = server.name;
            text += &format!("| {name} | {} | {} |\n", idle / 1024, server.memory_kb() / 1024);
        }
        Ok(text)
    }
}

/// The middle of some values; of an even number, the upper one.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[expect(clippy::print_stdout, reason = "the report is this chore's data")]
fn print(report: &str) {
    print!("{report}");
}
