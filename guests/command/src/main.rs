//! A program that tries what it is asked to, and says how it went.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let result = match words.as_slice() {
        ["exit", code] => return ExitCode::from(code.parse::<u8>().expect("a code")),
        ["panic"] => panic!("as asked"),
        ["cgi", rest @ ..] => return cgi(rest),
        ["environment"] => {
            let mut all: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            all.sort();
            Ok(all.join("\n"))
        }
        ["read", path] => std::fs::read_to_string(path),
        ["write", path, text] => std::fs::write(path, text).map(|()| "written".to_owned()),
        ["list", path] => list(path),
        ["stdin"] => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        }
        ["connect", address] => connect(address),
        ["listen", address] => TcpListener::bind(address).and_then(|it| it.local_addr()).map(|it| it.to_string()),
        ["clock"] => Ok(format!("{}", std::time::SystemTime::now() > std::time::UNIX_EPOCH)),
        _ => Ok(format!("arguments: {words:?}")),
    };
    match result {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("failed: {error}");
            ExitCode::from(3)
        }
    }
}

fn list(path: &str) -> std::io::Result<String> {
    let names = std::fs::read_dir(path)?.map(|entry| entry.map(|it| it.file_name().to_string_lossy().into_owned()));
    let mut names: Vec<String> = names.collect::<Result<_, _>>()?;
    names.sort();
    Ok(names.join("\n"))
}

fn connect(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"ping")?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Answers a request as CGI has it.
fn cgi(words: &[&str]) -> ExitCode {
    let mut out = std::io::stdout();
    let mut print = |text: &str| out.write_all(text.as_bytes()).expect("somebody reads");
    match words {
        ["large"] => {
            print("content-type: text/plain\n\n");
            (0..1000).for_each(|_| print(&"x".repeat(1000)));
        }
        ["moved"] => print("location: /elsewhere\n\n"),
        ["missing"] => print("status: 404 Not Found\nset-cookie: a=1\nset-cookie: b=2\n\nnot here"),
        ["cut"] => {
            print("content-type: text/plain\n\nbegun");
            return ExitCode::from(3);
        }
        ["failed"] => {
            eprintln!("something is wrong");
            return ExitCode::from(3);
        }
        _ => {
            let mut body = String::new();
            std::io::stdin().read_to_string(&mut body).expect("text");
            let all: Vec<String> = std::env::args().collect();
            let mut environment: Vec<String> =
                std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
            environment.sort();
            print("content-type: text/plain\n\n");
            print(&format!("arguments: {all:?}\n{}\n\n{body}", environment.join("\n")));
        }
    }
    ExitCode::SUCCESS
}
