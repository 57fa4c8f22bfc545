//! A web server on a plain `std::net::TcpListener`: nothing here knows it is WebAssembly.
//!
//! It listens at `ADDR`, by default 127.0.0.1:3000, and may only where `tombolo run --listen` says.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let address = std::env::var("ADDR").unwrap_or_else(|_| "127.0.0.1:3000".to_owned());
    let listener = TcpListener::bind(&address)?;
    println!("listening on http://{}", listener.local_addr()?);
    let mut served = 0;
    for stream in listener.incoming() {
        served += 1;
        // A client that leaves early ends its own connection only.
        if let Err(error) = answer(stream?, served) {
            eprintln!("connection: {error}");
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream, served: u64) -> std::io::Result<()> {
    let mut lines = BufReader::new(&stream).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    while let Some(line) = lines.next().transpose()? {
        if line.is_empty() {
            break;
        }
    }
    let (status, body) = match request.split(' ').nth(1) {
        Some("/") => ("200 OK", format!("{{\"message\":\"Hello over TCP\",\"served\":{served}}}\n")),
        Some("/health") => ("200 OK", "{\"status\":\"ok\"}\n".to_owned()),
        _ => ("404 Not Found", "{\"error\":\"not found\"}\n".to_owned()),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}
