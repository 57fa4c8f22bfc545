//! Filling the operator's log.

use std::io::Write;

pub fn stdout() {
    let line = "x".repeat(1000);
    loop {
        println!("{line}");
    }
}

pub fn stderr() {
    let line = "x".repeat(1000);
    loop {
        eprintln!("{line}");
    }
}

/// One line without an end.
pub fn line() {
    let part = [b'x'; 4096];
    loop {
        let _ = std::io::stdout().write_all(&part).and_then(|()| std::io::stdout().flush());
    }
}

/// Writes without asking how much may be written.
pub fn unasked() {
    let stream = wasip2::cli::stdout::get_stdout();
    let part = vec![b'x'; 8 << 20];
    loop {
        let _ = stream.write(&part);
    }
}
