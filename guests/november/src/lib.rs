//! A component of WASI as of November 2023, with something of each of its packages: one path for each, each answers `ok`.

wit_bindgen::generate!({
    inline: "package tombolo:guest; world november {
        import wasi:cli/environment@0.2.0-rc-2023-11-10;
        import wasi:cli/stdout@0.2.0-rc-2023-11-10;
        import wasi:clocks/monotonic-clock@0.2.0-rc-2023-11-10;
        import wasi:clocks/wall-clock@0.2.0-rc-2023-11-10;
        import wasi:filesystem/preopens@0.2.0-rc-2023-11-10;
        import wasi:http/outgoing-handler@0.2.0-rc-2023-11-10;
        import wasi:random/random@0.2.0-rc-2023-11-10;
        import wasi:random/insecure@0.2.0-rc-2023-11-10;
        import wasi:sockets/instance-network@0.2.0-rc-2023-11-10;
        import wasi:sockets/tcp-create-socket@0.2.0-rc-2023-11-10;
        export wasi:http/incoming-handler@0.2.0-rc-2023-11-10;
    }",
    path: [
        "../../wit/wasi-io@0.2.0-rc-2023-11-10",
        "../../wit/wasi-clocks@0.2.0-rc-2023-11-10",
        "../../wit/wasi-filesystem@0.2.0-rc-2023-11-10",
        "../../wit/wasi-random@0.2.0-rc-2023-11-10",
        "../../wit/wasi-sockets@0.2.0-rc-2023-11-10",
        "../../wit/wasi-cli@0.2.0-rc-2023-11-10",
        "../../wit/wasi-http@0.2.0-rc-2023-11-10",
    ],
    world: "tombolo:guest/november",
    generate_all,
});

use exports::wasi::http::incoming_handler::Guest;
use wasi::cli::{environment, stdout};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::preopens;
use wasi::filesystem::types::{DescriptorFlags, ErrorCode as FileError, OpenFlags, PathFlags};
use wasi::http::outgoing_handler;
use wasi::http::types::{
    ErrorCode, Fields, IncomingRequest, Method, OutgoingBody, OutgoingRequest, OutgoingResponse, RequestOptions,
    ResponseOutparam, Scheme,
};
use wasi::io::streams::{InputStream, StreamError};
use wasi::random::{insecure, random};
use wasi::sockets::network::{ErrorCode as SocketError, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasi::sockets::{instance_network, tcp_create_socket};

struct Component;

export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let (path, query) = path.split_once('?').unwrap_or((&path, ""));
        let text = match path {
            "/cli" => cli(),
            "/clocks" => clocks(),
            "/echo" => echo(&request),
            "/filesystem" => filesystem(),
            "/http" => http(query),
            "/random" => random(),
            "/sockets" => sockets(),
            other => panic!("{other}"),
        };
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().unwrap();
        ResponseOutparam::set(out, Ok(response));
        write(&body, text.as_bytes());
        OutgoingBody::finish(body, None).unwrap();
    }
}

fn ok() -> String {
    "ok".to_owned()
}

fn write(body: &OutgoingBody, bytes: &[u8]) {
    let stream = body.write().unwrap();
    for part in bytes.chunks(4096) {
        stream.blocking_write_and_flush(part).unwrap();
    }
}

fn all(stream: &InputStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(4096) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => return bytes,
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn cli() -> String {
    assert!(environment::get_environment().contains(&("LEVEL".to_owned(), "info".to_owned())));
    stdout::get_stdout().blocking_write_and_flush(b"a line of November\n").unwrap();
    ok()
}

fn clocks() -> String {
    let before = monotonic_clock::now();
    monotonic_clock::subscribe_duration(5_000_000).block();
    assert!(monotonic_clock::now() >= before + 5_000_000);
    // Later than this was written.
    assert!(wall_clock::now().seconds > 1_700_000_000);
    ok()
}

/// What was sent.
fn echo(request: &IncomingRequest) -> String {
    assert!(matches!(request.method(), Method::Post));
    let body = request.consume().unwrap();
    String::from_utf8(all(&body.stream().unwrap())).unwrap()
}

fn filesystem() -> String {
    let folders = preopens::get_directories();
    let [(folder, path)] = &folders[..] else { panic!("{folders:?}") };
    assert_eq!(path, "/files");
    let open = |path: &str| folder.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ);
    let file = open("a.txt").unwrap();
    assert_eq!(file.stat().unwrap().size, 5);
    assert_eq!(all(&file.read_via_stream(0).unwrap()), b"hello");
    assert_eq!(open("none.txt").unwrap_err(), FileError::NoEntry);
    let written = folder.open_at(PathFlags::empty(), "b.txt", OpenFlags::CREATE, DescriptorFlags::WRITE);
    assert!(written.is_err());
    ok()
}

/// What the address, a host and a port, answers.
fn http(authority: &str) -> String {
    let send = |authority: &str| {
        let request = OutgoingRequest::new(Fields::new());
        request.set_scheme(Some(&Scheme::Http)).unwrap();
        request.set_authority(Some(authority)).unwrap();
        request.set_path_with_query(Some("/")).unwrap();
        let options = RequestOptions::new();
        options.set_connect_timeout_ms(Some(5_000_000_000)).unwrap();
        assert_eq!(options.connect_timeout_ms(), Some(5_000_000_000));
        outgoing_handler::handle(request, Some(options)).and_then(|future| {
            future.subscribe().block();
            future.get().unwrap().unwrap()
        })
    };
    let refused = send("127.0.0.2:80").unwrap_err();
    assert!(matches!(refused, ErrorCode::HttpRequestDenied), "{refused:?}");
    let answer = send(authority).unwrap();
    assert_eq!(answer.status(), 200);
    String::from_utf8(all(&answer.consume().unwrap().stream().unwrap())).unwrap()
}

fn random() -> String {
    assert_ne!(random::get_random_u64(), random::get_random_u64());
    assert_eq!((random::get_random_bytes(7).len(), insecure::get_insecure_random_bytes(9).len()), (7, 9));
    ok()
}

/// Nothing was granted.
fn sockets() -> String {
    let socket = tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).unwrap();
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 80, address: (127, 0, 0, 1) });
    let started = socket.start_connect(&instance_network::instance_network(), address);
    assert_eq!(started.unwrap_err(), SocketError::AccessDenied);
    ok()
}
