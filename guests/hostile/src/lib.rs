//! Attacks on the host, one for each path: what a guest that means harm does on WASI 0.2.
//!
//! The last segment of the path names the attack. One that only tries whether it gets somewhere
//! answers with a report, a line for each attempt: `refused` or `reached`, and what it tried.

mod answer;
mod compute;
mod files;
mod handles;
mod network;
mod output;
mod surroundings;

use wasip2::http::types::{IncomingRequest, ResponseOutparam};

wasip2::http::proxy::export!(Hostile);

struct Hostile;

impl wasip2::exports::http::incoming_handler::Guest for Hostile {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let target = request.path_with_query().unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        match path.rsplit('/').next().unwrap_or("") {
            "loop" => compute::endless(),
            "recursion" => compute::recursion(out),
            "memory" => compute::memory(out),
            "clock" => compute::clock(),
            "random" => compute::random(),
            "random-huge" => compute::random_huge(out),
            "random-large" => compute::random_large(),
            "sleep" => compute::sleep(),
            "busy-poll" => compute::busy_poll(),
            "poll-nothing" => compute::poll_nothing(),

            "fields" => handles::fields(),
            "pollables" => handles::pollables(),
            "poll-list" => handles::poll_list(),
            "fields-entries" => handles::fields_entries(out),
            "fields-list" => handles::fields_list(out),
            "fields-clones" => handles::fields_clones(),
            "argument" => handles::argument(out),

            "body-endless" => answer::endless(out),
            "body-stalls" => answer::stalls(out),
            "never-reads" => answer::never_reads(request, out),
            "early" => answer::early(request, out),
            "headers-many" => answer::headers_many(out),
            "header-long" => answer::header_long(out),
            "header-injection" => answer::header_injection(out),
            "headers-forbidden" => answer::headers_forbidden(out),
            "length" => answer::length(out, query),
            "trailers" => answer::trailers(out),
            "trailers-many" => answer::trailers_many(out),
            "status-invalid" => answer::status_invalid(out),
            "status" => answer::status(out, query),
            "twice" => answer::twice(out),
            "never" => answer::never(out),
            "error" => answer::error(out),
            "panic" => panic!("as asked"),
            "exit" => std::process::exit(query.parse().unwrap_or(0)),

            "log-stdout" => output::stdout(),
            "log-stderr" => output::stderr(),
            "log-line" => output::line(),
            "log-unasked" => output::unasked(),

            "files" => answer::report(out, &files::escape(query)),
            "rename-race" => answer::report(out, &files::race()),
            "surroundings" => answer::report(out, &surroundings::probe()),
            "sockets" => answer::report(out, &network::sockets(query)),
            "outbound" => answer::report(out, &network::outbound(query)),
            "outbound-flood" => answer::report(out, &network::flood(query)),
            _ => answer::status(out, "404"),
        }
    }
}

/// One attempt and how it ended.
pub struct Attempt {
    what: String,
    /// What it got hold of, or what it was told instead.
    got: Result<String, String>,
}

impl Attempt {
    pub fn new<T: std::fmt::Debug, E: std::fmt::Debug>(what: impl Into<String>, got: Result<T, E>) -> Self {
        let brief = |text: String| text.chars().take(120).collect::<String>().replace('\n', " ");
        let got = got.map(|it| brief(format!("{it:?}"))).map_err(|error| brief(format!("{error:?}")));
        Self { what: what.into(), got }
    }
}
