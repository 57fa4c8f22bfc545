//! A component of WASI as of October 2023, with something of each of its packages: one path for each, each answers `ok`.

wit_bindgen::generate!({
    inline: "package tombolo:guest; world october {
        import wasi:cli/environment@0.2.0-rc-2023-10-18;
        import wasi:cli/stdout@0.2.0-rc-2023-10-18;
        import wasi:clocks/monotonic-clock@0.2.0-rc-2023-10-18;
        import wasi:clocks/wall-clock@0.2.0-rc-2023-10-18;
        import wasi:filesystem/preopens@0.2.0-rc-2023-10-18;
        import wasi:random/random@0.2.0-rc-2023-10-18;
        import wasi:random/insecure@0.2.0-rc-2023-10-18;
        import wasi:sockets/instance-network@0.2.0-rc-2023-10-18;
        import wasi:sockets/tcp-create-socket@0.2.0-rc-2023-10-18;
        export wasi:http/incoming-handler@0.2.0-rc-2023-10-18;
    }",
    path: [
        "../../wit/wasi-io@0.2.0-rc-2023-10-18",
        "../../wit/wasi-clocks@0.2.0-rc-2023-10-18",
        "../../wit/wasi-filesystem@0.2.0-rc-2023-10-18",
        "../../wit/wasi-random@0.2.0-rc-2023-10-18",
        "../../wit/wasi-sockets@0.2.0-rc-2023-10-18",
        "../../wit/wasi-cli@0.2.0-rc-2023-10-18",
        "../../wit/wasi-http@0.2.0-rc-2023-10-18",
    ],
    world: "tombolo:guest/october",
    generate_all,
});

use exports::wasi::http::incoming_handler::Guest;
use wasi::cli::{environment, stdout};
use wasi::clocks::{monotonic_clock, wall_clock};
use wasi::filesystem::preopens;
use wasi::filesystem::types::{DescriptorFlags, ErrorCode as FileError, Modes, OpenFlags, PathFlags};
use wasi::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasi::io::poll::poll_one;
use wasi::io::streams::{InputStream, StreamError};
use wasi::random::{insecure, random};
use wasi::sockets::network::{ErrorCode as SocketError, IpAddressFamily, IpSocketAddress, Ipv4SocketAddress};
use wasi::sockets::{instance_network, tcp_create_socket};

struct Component;

export!(Component);

impl Guest for Component {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.as_str() {
            "/cli" => cli(),
            "/clocks" => clocks(),
            "/filesystem" => filesystem(),
            "/random" => random(),
            "/sockets" => sockets(),
            other => panic!("{other}"),
        }
        let response = OutgoingResponse::new(200, &Fields::new(&[]));
        let body = response.write().unwrap();
        ResponseOutparam::set(out, Ok(response));
        body.write().unwrap().blocking_write_and_flush(b"ok").unwrap();
        OutgoingBody::finish(body, None);
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

fn cli() {
    assert!(environment::get_environment().contains(&("LEVEL".to_owned(), "info".to_owned())));
    stdout::get_stdout().blocking_write_and_flush(b"a line of October\n").unwrap();
}

fn clocks() {
    let before = monotonic_clock::now();
    poll_one(&monotonic_clock::subscribe(5_000_000, false));
    let between = monotonic_clock::now();
    assert!(between >= before + 5_000_000);
    poll_one(&monotonic_clock::subscribe(between + 5_000_000, true));
    assert!(monotonic_clock::now() >= between + 5_000_000);
    // Later than this was written.
    assert!(wall_clock::now().seconds > 1_700_000_000);
}

fn filesystem() {
    let folders = preopens::get_directories();
    let [(folder, path)] = &folders[..] else { panic!("{folders:?}") };
    assert_eq!(path, "/files");
    let open = |path: &str| {
        folder.open_at(PathFlags::empty(), path, OpenFlags::empty(), DescriptorFlags::READ, Modes::READABLE)
    };
    let file = open("a.txt").unwrap();
    assert_eq!((file.stat().unwrap().size, file.read(3, 1).unwrap()), (5, (b"ell".to_vec(), false)));
    assert_eq!(all(&file.read_via_stream(0).unwrap()), b"hello");
    assert!(file.is_same_object(&open("a.txt").unwrap()) && !file.is_same_object(folder));
    assert_eq!(open("none.txt").unwrap_err(), FileError::NoEntry);
    let entries = folder.read_directory().unwrap();
    let names: Vec<_> = std::iter::from_fn(|| entries.read_directory_entry().unwrap()).collect();
    assert_eq!(names.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>(), ["a.txt"]);
    let flags = (OpenFlags::CREATE, DescriptorFlags::WRITE);
    assert!(folder.open_at(PathFlags::empty(), "b.txt", flags.0, flags.1, Modes::WRITABLE).is_err());
}

fn random() {
    assert_ne!(random::get_random_u64(), random::get_random_u64());
    assert_eq!((random::get_random_bytes(7).len(), insecure::get_insecure_random_bytes(9).len()), (7, 9));
}

/// Nothing was granted.
fn sockets() {
    let socket = tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).unwrap();
    socket.set_unicast_hop_limit(7).unwrap();
    assert_eq!(socket.unicast_hop_limit().unwrap(), 7);
    let address = IpSocketAddress::Ipv4(Ipv4SocketAddress { port: 80, address: (127, 0, 0, 1) });
    let started = socket.start_connect(&instance_network::instance_network(), address);
    assert_eq!(started.unwrap_err(), SocketError::AccessDenied);
}
