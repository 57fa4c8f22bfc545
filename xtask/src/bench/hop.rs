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
    /// That component itself, in front.
    Other,
}

/// What is looked at of a sample.
type Value = fn(&Sample) -> f64;

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
            let of = |value: Value| median(own.iter().map(value));
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
    drop(upstream);
    text += "\n| within an app | the front answers | the other does | the front asks it | added |\n|---|---|---|---|---|\n";
    for isolation in ["fresh", "pool"] {
        let servers = [
            ("the front answers", start(&format!("front-{isolation}"), To::Front, isolation)?),
            ("the other does", start(&format!("other-{isolation}"), To::Other, isolation)?),
            ("the front asks it", start(&format!("chain-{isolation}"), To::Component, isolation)?),
        ];
        let values: [(&str, Value); 2] =
            [("p50 us", |sample| sample.p50_us), ("CPU us/req", |sample| sample.cpu_us)];
        for (connections, (what, value)) in CONNECTIONS.into_iter().zip(values) {
            let samples = alternating(&servers, connections, rounds, seconds)?;
            let of = |which: usize| median(samples[which].iter().map(value));
            let pairs = samples[0].iter().zip(&samples[2]);
            let added = median(pairs.map(|(alone, through)| value(through) - value(alone)));
            text += &format!(
                "| {isolation}, {what}, {connections} connections | {:.0} | {:.0} | {:.0} | {added:.0} |\n",
                of(0),
                of(1),
                of(2),
            );
        }
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
        To::Front | To::Other => String::new(),
    };
    let front = setup.guest(if let To::Other = to { "hello-rust" } else { "proxy" });
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
