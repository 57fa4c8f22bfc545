//! Metrics as Prometheus reads them: its text format, version 0.0.4.
//!
//! Names end in their units and `_total` for what only grows, as its guide to naming asks. Labels are names of
//! tenants, apps and releases that are served, and classes of statuses: nothing that a client can make up.

use std::fmt::{Display, Write};

use tombolo_api::metrics::{AppMetrics, Metrics, TenantMetrics};

/// The media type of the format.
pub(crate) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Metrics in that format.
pub(crate) fn text(metrics: &Metrics) -> String {
    let mut text = Text::default();
    text.requests(metrics);
    text.durations(metrics);
    let apps = &metrics.apps;
    let seconds = |app: &AppMetrics| app.cpu_us as f64 / 1e6;
    text.each("requests_in_flight", GAUGE, "Requests of clients under way.", apps, |app| app.in_flight);
    text.each("inside_requests_total", COUNTER, "Requests of the app's own components.", apps, |app| {
        app.inside_requests
    });
    text.each("instances", GAUGE, "Instances of components at work.", apps, |app| app.at_work);
    text.each("code_loads_total", COUNTER, "Requests that found code not in memory.", apps, |app| app.loads);
    text.each("guest_cpu_seconds_total", COUNTER, "Time of components on a core.", apps, seconds);
    text.each("instance_memory_peak_bytes", GAUGE, "The most memory that one instance had.", apps, |app| {
        app.memory_bytes_peak
    });
    text.each("outbound_requests_total", COUNTER, "Requests of components to other hosts.", apps, |app| {
        app.outbound_requests
    });
    text.each("outbound_bytes_total", COUNTER, "Bytes of those, both ways.", apps, |app| app.outbound_bytes);
    text.tenants(metrics);
    text.node(metrics);
    text.0
}

const COUNTER: &str = "counter";
const GAUGE: &str = "gauge";
const HISTOGRAM: &str = "histogram";

type Labels<'a> = &'a [(&'a str, &'a str)];

#[derive(Default)]
struct Text(String);

impl Text {
    fn requests(&mut self, metrics: &Metrics) {
        self.family("tombolo_requests_total", COUNTER, "Requests of clients that ended, by status.");
        for app in &metrics.apps {
            let [tenant, name, release] = labels(app);
            for (status, count) in &app.requests {
                let labels = [tenant, name, release, ("status", status)];
                self.sample("tombolo_requests_total", &labels, count);
            }
        }
    }

    fn durations(&mut self, metrics: &Metrics) {
        const NAME: &str = "tombolo_request_duration_seconds";
        self.family(NAME, HISTOGRAM, "From a request's head to the last byte of its answer.");
        for app in &metrics.apps {
            let [tenant, name, release] = labels(app);
            let bounds = metrics.bounds_us.iter().map(|us| (*us as f64 / 1e6).to_string());
            let mut count = 0;
            for (bound, class) in bounds.chain(["+Inf".to_owned()]).zip(&app.durations) {
                count += class;
                self.sample(&format!("{NAME}_bucket"), &[tenant, name, release, ("le", &bound)], count);
            }
            self.sample(&format!("{NAME}_sum"), &labels(app), app.took_us as f64 / 1e6);
            self.sample(&format!("{NAME}_count"), &labels(app), count);
        }
    }

    /// One number of each app.
    fn each<T: Display>(
        &mut self,
        name: &str,
        kind: &str,
        help: &str,
        apps: &[AppMetrics],
        of: impl Fn(&AppMetrics) -> T,
    ) {
        let name = format!("tombolo_{name}");
        self.family(&name, kind, help);
        apps.iter().for_each(|app| self.sample(&name, &labels(app), of(app)));
    }

    fn tenants(&mut self, metrics: &Metrics) {
        let mut each = |name: &str, kind: &str, help: &str, of: &dyn Fn(&TenantMetrics) -> f64| {
            let name = format!("tombolo_tenant_{name}");
            self.family(&name, kind, help);
            for tenant in &metrics.tenants {
                self.sample(&name, &[("tenant", tenant.tenant.as_str())], of(tenant));
            }
        };
        each("requests_in_flight", GAUGE, "Requests and messages under way.", &|tenant| {
            tenant.in_flight as f64
        });
        each("memory_bytes", GAUGE, "Instances, and what the host holds for them.", &|tenant| {
            tenant.memory_bytes as f64
        });
        each("cpu_seconds_total", COUNTER, "Time of components on a core.", &|tenant| {
            tenant.cpu_ms as f64 / 1e3
        });
        each("store_bytes", GAUGE, "Files that apps keep.", &|tenant| tenant.store_bytes as f64);
    }

    fn node(&mut self, metrics: &Metrics) {
        let Some(node) = &metrics.node else { return };
        self.family("tombolo_unknown_requests_total", COUNTER, "Requests for hosts that are no app's.");
        for (status, count) in &node.unknown_requests {
            self.sample("tombolo_unknown_requests_total", &[("status", status)], count);
        }
        self.family("tombolo_connections", GAUGE, "Connections of clients.");
        self.sample("tombolo_connections", &[], node.connections);
        self.family("tombolo_guests_waiting", GAUGE, "Guests that have more to compute and wait for a core.");
        self.sample("tombolo_guests_waiting", &[], node.waiting);
        // Under the names that every process has (Prometheus, "Writing client libraries").
        if let Some(bytes) = node.memory_bytes {
            self.family("process_resident_memory_bytes", GAUGE, "Resident memory.");
            self.sample("process_resident_memory_bytes", &[], bytes);
        }
        if let Some(files) = node.open_files {
            self.family("process_open_fds", GAUGE, "Open files, sockets among them.");
            self.sample("process_open_fds", &[], files);
        }
        self.family("tombolo_build_info", GAUGE, "Which version this is.");
        self.sample("tombolo_build_info", &[("version", &node.version)], 1);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: Labels<'_>, value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let before = if place == 0 { '{' } else { ',' };
            let _ = write!(self.0, "{before}{label}=\"{}\"", escaped(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }
}

fn labels(app: &AppMetrics) -> [(&str, &str); 3] {
    [("tenant", app.tenant.as_str()), ("app", app.app.as_str()), ("release", &app.release)]
}

/// The value of a label, without what would end it.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use proptest::prelude::*;
    use tombolo_api::metrics::{NodeMetrics, TenantMetrics};

    fn app() -> AppMetrics {
        AppMetrics {
            tenant: "ada".parse().unwrap(),
            app: "shop".parse().unwrap(),
            release: "0123456789ab".to_owned(),
            requests: BTreeMap::from([("2xx".to_owned(), 3), ("5xx".to_owned(), 1)]),
            durations: vec![2, 1, 1],
            took_us: 1_500_000,
            in_flight: 7,
            inside_requests: 0,
            at_work: 6,
            loads: 1,
            cpu_us: 250_000,
            memory_bytes_peak: 65_536,
            outbound_requests: 2,
            outbound_bytes: 300,
        }
    }

    #[test]
    fn metrics_are_told_as_prometheus_reads_them() {
        let node = NodeMetrics {
            version: "0.1.0".to_owned(),
            unknown_requests: BTreeMap::from([("4xx".to_owned(), 5)]),
            connections: 9,
            waiting: 3,
            memory_bytes: Some(1024),
            open_files: None,
        };
        let tenant = TenantMetrics {
            tenant: "ada".parse().unwrap(),
            in_flight: 2,
            memory_bytes: 1 << 40,
            cpu_ms: 1500,
            store_bytes: 5,
        };
        let metrics = Metrics {
            at_ms: 0,
            bounds_us: vec![500, 1_000_000],
            apps: vec![app()],
            tenants: vec![tenant],
            node: Some(node),
        };
        let text = text(&metrics);
        let of = r#"{tenant="ada",app="shop",release="0123456789ab""#;
        for expected in [
            "# TYPE tombolo_requests_total counter\n".to_owned(),
            format!("tombolo_requests_total{of},status=\"2xx\"}} 3\n"),
            "# TYPE tombolo_request_duration_seconds histogram\n".to_owned(),
            format!("tombolo_request_duration_seconds_bucket{of},le=\"0.0005\"}} 2\n"),
            format!("tombolo_request_duration_seconds_bucket{of},le=\"1\"}} 3\n"),
            format!("tombolo_request_duration_seconds_bucket{of},le=\"+Inf\"}} 4\n"),
            format!("tombolo_request_duration_seconds_sum{of}}} 1.5\n"),
            format!("tombolo_request_duration_seconds_count{of}}} 4\n"),
            format!("tombolo_requests_in_flight{of}}} 7\n"),
            format!("tombolo_guest_cpu_seconds_total{of}}} 0.25\n"),
            "tombolo_unknown_requests_total{status=\"4xx\"} 5\n".to_owned(),
            "tombolo_connections 9\n".to_owned(),
            "tombolo_guests_waiting 3\n".to_owned(),
            format!("tombolo_instance_memory_peak_bytes{of}}} 65536\n"),
            "tombolo_tenant_memory_bytes{tenant=\"ada\"} 1099511627776\n".to_owned(),
            "tombolo_tenant_cpu_seconds_total{tenant=\"ada\"} 1.5\n".to_owned(),
            "process_resident_memory_bytes 1024\n".to_owned(),
            "tombolo_build_info{version=\"0.1.0\"} 1\n".to_owned(),
        ] {
            assert!(text.contains(&expected), "{expected} in\n{text}");
        }
        assert!(!text.contains("process_open_fds"));
    }

    /// The value of a label as a reader of the format takes it, and what is behind it.
    fn read(text: &str) -> (String, &str) {
        let (mut value, mut chars) = (String::new(), text.char_indices());
        while let Some((place, c)) = chars.next() {
            match c {
                '"' => return (value, &text[place + 1..]),
                '\\' => match chars.next().unwrap().1 {
                    'n' => value.push('\n'),
                    c => value.push(c),
                },
                c => value.push(c),
            }
        }
        panic!("the value has no end");
    }

    proptest! {
        #[test]
        fn any_text_is_a_value_and_nothing_else(text in r#"([\\"n\n]|.){0,40}"#) {
            let mut told = Text::default();
            told.sample("x", &[("a", &text), ("b", "c")], 1);
            let (value, rest) = read(told.0.strip_prefix("x{a=\"").unwrap());
            prop_assert_eq!(value, text);
            prop_assert_eq!(rest, ",b=\"c\"} 1\n");
            prop_assert_eq!(told.0.matches('\n').count(), 1);
        }
    }
}
