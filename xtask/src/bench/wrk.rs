//! One run of the load generator.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::server::Server;

/// What one run measured.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) requests_per_s: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// Processor time of the server, a request.
    pub(crate) cpu_us: f64,
}

/// Loads a server from the second core.
pub(crate) fn run(server: &Server, connections: u32, seconds: u32) -> Result<Sample, String> {
    run_path(server, connections, seconds, "/", None)
}

/// The same at another path, or with a script that says which.
pub(crate) fn run_path(
    server: &Server,
    connections: u32,
    seconds: u32,
    path: &str,
    script: Option<&Path>,
) -> Result<Sample, String> {
    let more: Vec<&OsStr> = script.iter().flat_map(|script| ["-s".as_ref(), script.as_os_str()]).collect();
    run_with(server, connections, seconds, path, &more)
}

/// The same at a host's `/`.
pub(crate) fn run_host(
    server: &Server,
    connections: u32,
    seconds: u32,
    host: &str,
) -> Result<Sample, String> {
    // Under another name wrk would add its own beside it.
    let header = format!("Host: {host}");
    run_with(server, connections, seconds, "/", &["-H".as_ref(), header.as_ref()])
}

fn run_with(
    server: &Server,
    connections: u32,
    seconds: u32,
    path: &str,
    more: &[&OsStr],
) -> Result<Sample, String> {
    let cpu = server.cpu_us();
    let output = Command::new("taskset")
        .args(["-c", "1", "wrk", "--latency", "-t1"])
        .args(more)
        .args([
            format!("-c{connections}"),
            format!("-d{seconds}s"),
            format!("http://{}{path}", server.address),
        ])
        .output()
        .map_err(|error| format!("cannot run wrk: {error}; on Debian: apt-get install wrk"))?;
    let cpu = server.cpu_us() - cpu;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("wrk against {} went wrong:\n{text}", server.name));
    }
    let word = |line: &str, place: usize| {
        let line = text.lines().map(str::trim).find(|found| found.starts_with(line))?;
        line.split_whitespace().nth(place).map(str::to_owned)
    };
    let sample = || {
        let requests = text.lines().find(|line| line.contains(" requests in "))?;
        let requests: f64 = requests.split_whitespace().next()?.parse().ok()?;
        Some(Sample {
            requests_per_s: word("Requests/sec:", 1)?.parse().ok()?,
            p50_us: microseconds(&word("50%", 1)?)?,
            p99_us: microseconds(&word("99%", 1)?)?,
            cpu_us: cpu / requests,
        })
    };
    sample().ok_or_else(|| format!("wrk printed what was not expected:\n{text}"))
}

/// `12.3us`, `4.5ms` or `1.2s`.
fn microseconds(text: &str) -> Option<f64> {
    for (unit, factor) in [("us", 1.0), ("ms", 1e3), ("s", 1e6)] {
        if let Some(number) = text.strip_suffix(unit) {
            return number.parse::<f64>().ok().map(|number| number * factor);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::microseconds;

    #[test]
    fn times_are_read_in_every_unit() {
        assert_eq!(microseconds("12.5us"), Some(12.5));
        assert_eq!(microseconds("2ms"), Some(2000.0));
        assert_eq!(microseconds("1.5s"), Some(1_500_000.0));
        assert_eq!(microseconds("x"), None);
    }
}
