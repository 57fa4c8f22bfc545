//! What it costs to ask another one: a server over HTTP, against a native proxy; and a component of the same app.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::median;
use super::server::{Caches, Cores, Kind, Server, Setup};
use super::wrk::{self, Sample};

const CONNECTIONS: [u32; 2] = [1, 32];

/// Who answers.
enum To<'a> {
    /// This server.
    Server(&'a Server),
    /// A component of the app, asked by the front.
    Component,
    /// The front itself.
    Front,
}

/// All of it, as text.
pub(crate) fn report(setup: &Setup, rounds: u32, seconds: u32) -> Result<String, String> {
    // Beside the load generator, so that the core of what is measured is its own.
    let upstream = setup.start_with(Kind::Hyper, Caches::Kept, Cores::Second)?;
    let start = |name: &str, to: To<'_>, isolation: &str| {
        setup.start_app(&app(setup, name, &to, isolation)?, Duration::from_secs(60))
    };
    let proxies = [
        ("native hyper proxy", setup.start_proxy(upstream.address)?),
        ("tombolo up, proxy", start("proxy-fresh", To::Server(&upstream), "fresh")?),
        ("tombolo up, proxy, pool", start("proxy-pool", To::Server(&upstream), "pool")?),
    ];
    let mut text = String::from(
        "| proxy | connections | req/s | p50 us | p99 us | CPU us/req | x native |\n|---|---|---|---|---|---|---|\n",
    );
    for connections in CONNECTIONS {
        let samples = alternating(&proxies, connections, rounds, seconds)?;
        for ((name, _), own) in proxies.iter().zip(&samples) {
            let of = |value: fn(&Sample) -> f64| median(own.iter().map(value));
            let pairs = own.iter().zip(&samples[0]);
            text += &format!(
                "| {name} | {connections} | {:.0} | {:.0} | {:.0} | {:.1} | {:.2} |\n",
                of(|sample| sample.requests_per_s),
                of(|sample| sample.p50_us),
                of(|sample| sample.p99_us),
                of(|sample| sample.cpu_us),
                median(pairs.map(|(own, native)| own.requests_per_s / native.requests_per_s)),
            );
        }
    }
    drop(proxies);
    text += "\n| within an app | p50 us, the front answers | p50 us, it asks another | hop us |\n|---|---|---|---|\n";
    for isolation in ["fresh", "pool"] {
        let pair = [
            ("the front answers", start(&format!("front-{isolation}"), To::Front, isolation)?),
            ("it asks another", start(&format!("chain-{isolation}"), To::Component, isolation)?),
        ];
        let samples = alternating(&pair, 1, rounds, seconds)?;
        let p50 = |of: usize| median(samples[of].iter().map(|sample| sample.p50_us));
        let pairs = samples[0].iter().zip(&samples[1]);
        let hop = median(pairs.map(|(alone, through)| through.p50_us - alone.p50_us));
        text += &format!("| {isolation} | {:.0} | {:.0} | {hop:.0} |\n", p50(0), p50(1));
    }
    Ok(text)
}

/// What each server did in each round; each round begins with another one.
fn alternating(
    servers: &[(&str, Server)],
    connections: u32,
    rounds: u32,
    seconds: u32,
) -> Result<Vec<Vec<Sample>>, String> {
    let mut samples = vec![Vec::new(); servers.len()];
    for (_, server) in servers {
        wrk::run(server, connections, 1)?;
    }
    for round in 0..rounds as usize {
        for turn in 0..servers.len() {
            let which = (turn + round) % servers.len();
            samples[which].push(wrk::run(&servers[which].1, connections, seconds)?);
        }
    }
    Ok(samples)
}

/// A folder with an app whose front sends all requests on.
fn app(setup: &Setup, name: &str, to: &To<'_>, isolation: &str) -> Result<PathBuf, String> {
    let folder = setup.work().join(name);
    let upstream = match to {
        To::Server(server) => format!("http://{}", server.address),
        To::Component => "http://hello.spin.internal".to_owned(),
        To::Front => String::new(),
    };
    let front = setup.guest("proxy");
    let mut text = format!(
        "spin_manifest_version = 2\n[application]\nname = \"{name}\"\n\
         [application.tool.tombolo]\nisolation = \"{isolation}\"\n\
         [[trigger.http]]\nroute = \"/...\"\ncomponent = \"front\"\n\
         [component.front]\nsource = \"{}\"\nenvironment = {{ UPSTREAM = \"{upstream}\" }}\n",
        front.display()
    );
    if !upstream.is_empty() {
        text += &format!("allowed_outbound_hosts = [\"{upstream}\"]\n");
    }
    if let To::Component = to {
        text += &format!(
            "[[trigger.http]]\nroute = {{ private = true }}\ncomponent = \"hello\"\n\
             [component.hello]\nsource = \"{}\"\n",
            setup.guest("hello-rust").display()
        );
    }
    let write = |error: std::io::Error| format!("cannot write `{}`: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(write)?;
    fs::write(folder.join("spin.toml"), text).map_err(write)?;
    Ok(folder)
}
