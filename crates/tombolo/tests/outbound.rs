//! Where a guest's requests end up, and where they do not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed, and says where")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::Arc;

use tokio_rustls::rustls;
use tombolo_testkit::{Sandbox, Up};

/// The guest `web` with grants. It fetches what it is told to.
fn web(grants: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_tombolo"));
    sandbox.web_app(&format!("allowed_outbound_hosts = {grants:?}"));
    sandbox
}

fn fetch(up: &Up, url: &str) -> String {
    up.get(&format!("/fetch?url={url}")).text()
}

fn answer(stream: &mut (impl Read + Write)) {
    // Closing with a request unread would reset the connection.
    let _ = stream.read(&mut [0; 4096]);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\norigin");
}

/// A server of this machine, on the loopback interface.
fn origin() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || listener.incoming().flatten().for_each(|mut stream| answer(&mut stream)));
    address
}

#[test]
fn an_address_that_was_written_out_is_reached() {
    let at = origin();
    let port = at.port();
    let sandbox = web(&[&format!("http://{at}")]);
    let up = Up::start(&sandbox, &[]);
    assert_eq!(fetch(&up, &format!("http://{at}/")), "origin");
    assert_eq!(fetch(&up, &format!("http://[::ffff:127.0.0.1]:{port}/")), "origin", "another spelling");
    // The address was granted, its name was not.
    let refused = fetch(&up, &format!("http://localhost:{port}/"));
    assert!(refused.contains("HttpRequestDenied"), "{refused}");

    for grant in [format!("http://127.0.0.0/8:{port}"), format!("http://localhost:{port}")] {
        let host = if grant.contains("localhost") { "localhost" } else { "127.0.0.1" };
        let sandbox = web(&[&grant]);
        let up = Up::start(&sandbox, &[]);
        assert_eq!(fetch(&up, &format!("http://{host}:{port}/")), "origin", "{grant}");
    }
}

#[test]
fn a_wildcard_opens_no_address_of_this_machine() {
    let port = origin().port();
    let sandbox = web(&["http://*:*"]);
    let up = Up::start(&sandbox, &[]);
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "127.1", "169.254.169.254"] {
        let refused = fetch(&up, &format!("http://{host}:{port}/"));
        assert!(refused.contains("DestinationIpProhibited"), "{host}: {refused}");
    }
}

/// A server for which names resolve as `hosts` says, in a namespace of the test's own.
fn resolving(sandbox: &Sandbox, hosts: &str) -> Up {
    let hosts = sandbox.file("hosts", hosts);
    let program = sandbox.command(&["up", "--listen", "127.0.0.1:0"]);
    let mut command = Command::new("unshare");
    let script = r#"mount --bind "$0" /etc/hosts && exec "$@""#;
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
    command.arg(hosts).arg(program.get_program()).args(program.get_args());
    command.current_dir(sandbox.path()).env("TOMBOLO_CACHE_DIR", sandbox.cache());
    command.env_remove("RUST_BACKTRACE");
    Up::spawn(command)
}

/// Whoever owns a name may let it lead here. That opens nothing: neither to a name that a pattern
/// grants, nor to one that is granted as it is.
#[test]
fn a_name_that_leads_to_this_machine_or_to_metadata_is_refused() {
    let port = origin().port();
    let hosts = "127.0.0.1 localhost rebind.test\n169.254.169.254 metadata.test\n::1 six.test\n\
                 10.255.255.1 private.test\n";
    let granted = ["rebind.test", "metadata.test", "six.test"].map(|host| format!("http://{host}:{port}"));
    let grants = [vec!["http://*:*"], granted.iter().map(String::as_str).collect()];
    for grants in &grants {
        let sandbox = web(grants);
        let up = resolving(&sandbox, hosts);
        for host in ["rebind.test", "metadata.test", "six.test"] {
            let refused = fetch(&up, &format!("http://{host}:{port}/"));
            assert!(refused.contains("DestinationIpProhibited"), "{grants:?} {host}: {refused}");
        }
        let private = fetch(&up, &format!("http://private.test:{port}/"));
        let expected = if grants.len() == 1 { "DestinationIpProhibited" } else { "HttpRequestDenied" };
        assert!(private.contains(expected), "{private}");
    }
    // With the address granted as well, the name leads there: the guest could go without it.
    let sandbox = web(&[&format!("http://rebind.test:{port}"), &format!("http://127.0.0.1:{port}")]);
    let up = resolving(&sandbox, hosts);
    assert_eq!(fetch(&up, &format!("http://rebind.test:{port}/")), "origin");
}

/// Of several addresses of a name, those that are refused are left out and the others are tried.
#[test]
fn a_name_with_good_and_bad_addresses_leads_to_the_good_ones() {
    let port = origin().port();
    // Loopback is good for `localhost`; private is not.
    let sandbox = web(&[&format!("http://localhost:{port}")]);
    let up = resolving(&sandbox, "10.255.255.1 localhost\n127.0.0.1 localhost\n");
    assert_eq!(fetch(&up, &format!("http://localhost:{port}/")), "origin");
}

/// A server whose certificate nobody has signed but itself.
fn untrusted() -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![made.cert.der().clone()], key.into()).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            answer(&mut rustls::Stream::new(&mut session, &mut stream));
        }
    });
    address
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let port = untrusted().port();
    let sandbox = web(&["https://localhost:*"]);
    let up = Up::start(&sandbox, &[]);
    let refused = fetch(&up, &format!("https://localhost:{port}/"));
    assert!(refused.contains("TlsCertificateError"), "{refused}");
    // What does not speak TLS at all.
    let refused = fetch(&up, &format!("https://localhost:{}/", origin().port()));
    assert!(refused.contains("TlsProtocolError"), "{refused}");
}
