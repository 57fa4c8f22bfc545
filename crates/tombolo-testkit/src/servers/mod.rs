//! Real servers, as Debian packages them: each on a port of its own, with its data in a folder that is gone after
//! the test.

pub mod mosquitto;
pub mod mysql;
pub mod postgres;
mod process;
pub mod redis;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Child;
use std::time::{Duration, Instant};

/// A port nobody listens at. Another process may take it before the server does: then it is started anew.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Waits until `child` takes connections at `port`; false if it has ended before that.
fn listens(child: &mut Child, port: u16) -> bool {
    let until = Instant::now() + Duration::from_secs(30);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    loop {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(address).is_ok() {
            return true;
        }
        assert!(Instant::now() < until, "waited for the server on port {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
