//! Sockets and requests to where nothing was granted.

use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use wasip2::http::outgoing_handler;
use wasip2::http::types::{ErrorCode, Fields, FutureIncomingResponse, OutgoingBody, OutgoingRequest, Scheme};
use wasip2::io::poll;

use crate::Attempt;

/// `open` is an address of this machine at which somebody listens.
pub fn sockets(open: &str) -> Vec<Attempt> {
    let udp = |to: &str| UdpSocket::bind("0.0.0.0:0").and_then(|socket| socket.send_to(b"x", to));
    let mut attempts = vec![
        Attempt::new("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        Attempt::new("listen anywhere", TcpListener::bind("0.0.0.0:0").map(drop)),
        Attempt::new("listen on IPv6", TcpListener::bind("[::1]:0").map(drop)),
        Attempt::new("bind for datagrams", UdpSocket::bind("127.0.0.1:0").map(drop)),
    ];
    for to in [open, "127.0.0.1:22", "[::1]:22", "169.254.169.254:80", "0.0.0.0:80"] {
        attempts.push(Attempt::new(format!("connect to {to}"), TcpStream::connect(to).map(drop)));
        attempts.push(Attempt::new(format!("send to {to}"), udp(to)));
    }
    for name in ["localhost:80", "example.com:80", "a-secret.attacker.example:80"] {
        attempts.push(Attempt::new(format!("resolve {name}"), name.to_socket_addrs().map(|it| it.count())));
    }
    attempts
}

/// One request to each of these authorities, separated by commas.
pub fn outbound(authorities: &str) -> Vec<Attempt> {
    let attempt = |authority: &str| {
        let answered = send(authority).and_then(|response| {
            response.subscribe().block();
            let response = response.get().expect("ready").expect("taken once")?;
            Ok(response.status())
        });
        // Only a host that says no was refused: a connection that failed had been tried.
        let answered = match answered {
            Err(ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited) => Err("denied".to_owned()),
            // A name that leads nowhere on this machine's network.
            Err(ErrorCode::DnsError(_)) => Err("no such name".to_owned()),
            other => Ok(format!("{other:?}")),
        };
        Attempt::new(format!("ask {authority}"), answered)
    };
    authorities.split(',').map(attempt).collect()
}

/// A thousand requests at once, and nobody reads an answer.
pub fn flood(authority: &str) -> Vec<Attempt> {
    let sent: Vec<_> = (0..1000).filter_map(|_| send(authority).ok()).collect();
    let waiting: Vec<_> = sent.iter().map(FutureIncomingResponse::subscribe).collect();
    let (mut answers, mut denied) = (Vec::new(), 0);
    for (response, ready) in sent.iter().zip(&waiting) {
        poll::poll(&[ready]);
        match response.get() {
            Some(Ok(Ok(response))) => answers.push(response),
            _ => denied += 1,
        }
    }
    vec![Attempt::new("ask a thousand times", if denied > 0 { Err(denied) } else { Ok(answers.len()) })]
}

fn send(authority: &str) -> Result<FutureIncomingResponse, ErrorCode> {
    let request = OutgoingRequest::new(Fields::new());
    let _ = request.set_scheme(Some(&Scheme::Http));
    let _ = request.set_authority(Some(authority));
    let _ = request.set_path_with_query(Some("/"));
    let body = request.body().expect("taken once");
    let response = outgoing_handler::handle(request, None);
    let _ = OutgoingBody::finish(body, None);
    response
}
