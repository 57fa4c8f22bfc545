//! Against servers that mean harm, as one that a guest's author runs.
//!
//! Each must end in an error of the call, soon, in little memory, and without a panic.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tombolo_testkit::servers::scripted::{PeakMemory, scripted, silent, without_end};

use crate::refusal::Refusal;
use crate::tests::{Instance, memory};
use crate::view::OpenConnection;

/// What a call may take that a server does not end: far less than its guest has.
const SOON: Duration = Duration::from_secs(20);
/// How much larger this process may have become, for a guest of 64 MiB; other tests are in it too.
const MEMORY_BYTES_MAX: u64 = 512 << 20;

/// A type that is built in, `int4`, and the first of those that are not.
const INT4: u32 = 23;
const CUSTOM: u32 = 1 << 20;

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&[kind], &length[..], body].concat()
}

/// Reads what a client begins with, without encryption, and takes it for whoever it is.
fn greet(stream: &mut TcpStream) -> io::Result<()> {
    const ENCRYPT: u32 = 80_877_103;
    loop {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body)?;
        if body[..4] != ENCRYPT.to_be_bytes() {
            break;
        }
        stream.write_all(b"N")?;
    }
    let welcome = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), message(b'Z', b"I")].concat();
    stream.write_all(&welcome)
}

/// What a server answers: to the description of a statement, by its text, and to its execution.
struct Answers {
    described: fn(&str) -> Vec<u8>,
    executed: fn(&mut TcpStream, u32) -> io::Result<()>,
}

/// No parameters, and columns of these types.
fn columns(types: &[u32]) -> Vec<u8> {
    [message(b't', &[0, 0]), row_description(types)].concat()
}

fn row_description(types: &[u32]) -> Vec<u8> {
    let mut body = (types.len() as u16).to_be_bytes().to_vec();
    for kind in types {
        body.extend(b"a\0\0\0\0\0\0\0");
        body.extend(kind.to_be_bytes());
        body.extend([0, 4, 0xff, 0xff, 0xff, 0xff, 0, 1]);
    }
    message(b'T', &body)
}

fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        body.extend((value.len() as u32).to_be_bytes());
        body.extend(*value);
    }
    message(b'D', &body)
}

/// Speaks the protocol as far as `answers` lets it. An execution is told the number that was bound, for questions for
/// types have one.
fn serve(stream: &mut TcpStream, answers: &Answers) -> io::Result<()> {
    greet(stream)?;
    let (mut sql, mut bound) = (String::new(), 0);
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let mut body = vec![0; u32::from_be_bytes(length) as usize - 4];
        stream.read_exact(&mut body)?;
        match kind {
            b'P' => {
                let text = body.split(|byte| *byte == 0).nth(1).unwrap_or_default();
                sql = String::from_utf8_lossy(text).into_owned();
                stream.write_all(&message(b'1', b""))?;
            }
            b'D' => stream.write_all(&(answers.described)(&sql))?,
            b'B' => {
                // The value is before the number of formats of columns, which is one, and that format.
                let end = body.len().saturating_sub(4);
                let value = body.get(end.saturating_sub(4)..end).and_then(|value| value.try_into().ok());
                bound = value.map_or(0, u32::from_be_bytes);
                stream.write_all(&message(b'2', b""))?;
            }
            b'E' => (answers.executed)(stream, bound)?,
            b'S' => stream.write_all(&message(b'Z', b"I"))?,
            b'X' => return Ok(()),
            _ => {}
        }
    }
}

fn server(described: fn(&str) -> Vec<u8>, executed: fn(&mut TcpStream, u32) -> io::Result<()>) -> String {
    let answers = Answers { described, executed };
    address(scripted(move |stream| serve(stream, &answers)))
}

fn address(port: u16) -> String {
    format!("postgres://me:secret@127.0.0.1:{port}/data?sslmode=disable")
}

/// What comes of opening a connection.
async fn opened(url: &str) -> Result<OpenConnection, Refusal> {
    let mut instance = Instance::new(4);
    let opened = tokio::time::timeout(SOON, instance.open(url)).await;
    opened.expect("it ends soon, whatever the server does")
}

/// What comes of a question, and that the next call on the connection ends too.
async fn asked(url: &str) -> Result<usize, Refusal> {
    let instance = Instance::new(4);
    let connection = opened(url).await.unwrap();
    let before = PeakMemory::now();
    let query = async {
        let rows = instance.query(&connection, "SELECT a FROM b").await.map(|rows| rows.len());
        let _ = instance.execute(&connection, "SELECT 1").await;
        rows
    };
    let rows = tokio::time::timeout(SOON, query).await.expect("it ends soon, whatever the server does");
    let grown = before.grown();
    assert!(grown < MEMORY_BYTES_MAX, "{grown} bytes more");
    rows
}

/// It speaks the protocol, so what the others refuse is what they say it is.
#[tokio::test]
async fn a_server_that_means_no_harm_is_asked() {
    let url = server(
        |_| columns(&[INT4]),
        |stream, _| {
            stream.write_all(&row(&[&7_u32.to_be_bytes()]))?;
            stream.write_all(&message(b'C', b"SELECT 1\0"))
        },
    );
    assert_eq!(asked(&url).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_greets_with_anything_else_is_refused() {
    let huge = [&[b'R', 0xff, 0xff, 0xff, 0xff][..], &[0; 1000]].concat();
    let large = [&[b'R', 0x7f, 0xff, 0xff, 0xff][..], &[0; 1000]].concat();
    let notice = message(b'N', b"SERROR\0C01000\0Mdear me\0\0");
    let setting = message(b'S', b"a\0b\0");
    let endless =
        [huge, large, notice, setting, message(b'R', &[0, 0, 0, 99]), b"HTTP/1.1 200 OK\r\n".to_vec()];
    for bytes in endless {
        let before = PeakMemory::now();
        let told = bytes.clone();
        let port = scripted(move |stream| without_end(stream, &told));
        let refused = opened(&address(port)).await.err().unwrap();
        assert!(matches!(refused, Refusal::Connection(_)), "{}: {refused:?}", bytes.escape_ascii());
        assert!(before.grown() < MEMORY_BYTES_MAX, "{}", bytes.escape_ascii());
    }
    // Work of the server's choice: rounds of a hash.
    let port = scripted(|stream| {
        let mut bytes = [0; 1024];
        let _ = stream.read(&mut bytes)?;
        stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0"))?;
        let read = stream.read(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes[..read]).into_owned();
        let nonce = text.split("r=").nth(1).unwrap_or_default();
        let first = format!("\0\0\0\x0br={nonce}x,s=c2FsdA==,i=4294967295");
        stream.write_all(&message(b'R', first.as_bytes()))?;
        silent(stream)
    });
    let since = Instant::now();
    let refused = opened(&address(port)).await.err().unwrap().to_string();
    assert!(refused.contains("iteration count"), "{refused}");
    assert!(since.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let half = scripted(|stream| {
        let mut bytes = [0; 8];
        stream.read_exact(&mut bytes)?;
        stream.write_all(&message(b'R', &[0; 4])[..7])?;
        silent(stream)
    });
    for port in [scripted(silent), half] {
        let refused = opened(&(address(port) + "&connect_timeout=1")).await.err().unwrap().to_string();
        assert!(refused.contains("did not answer in time"), "{refused}");
    }
}

#[tokio::test]
async fn a_value_larger_than_the_memory_is_refused_at_its_head() {
    let url = server(
        |_| columns(&[INT4]),
        |stream, _| {
            stream.write_all(&[b'D', 0x7f, 0xff, 0xff, 0xff])?;
            without_end(stream, &[0])
        },
    );
    let refused = asked(&url).await.unwrap_err().to_string();
    assert!(refused.contains("too large"), "{refused}");
}

/// Rows that have no columns take a place each, too.
#[tokio::test]
async fn rows_without_end_are_refused_when_the_memory_is_full() {
    let empty = server(|_| columns(&[]), |stream, _| without_end(stream, &row(&[])));
    let small = server(|_| columns(&[INT4]), |stream, _| without_end(stream, &row(&[&[0, 0, 0, 1]])));
    for url in [empty, small] {
        let mut instance = Instance::new(4);
        // So that little is enough.
        instance.memory = memory(4 << 20);
        let connection = instance.open(&url).await.unwrap();
        let query = instance.query(&connection, "SELECT");
        let refused = tokio::time::timeout(SOON, query).await.expect("it ends soon").unwrap_err();
        assert!(refused.to_string().contains("too large"), "{refused}");
    }
}

/// The name of a type comes once, and each of its columns has it.
#[tokio::test]
async fn descriptions_take_the_memory_of_who_asked() {
    let url = server(
        |sql| match sql.contains("pg_type") {
            true => typeinfo(),
            false => columns(&[CUSTOM; 60_000]),
        },
        |stream, _| {
            stream.write_all(&type_row("x".repeat(60_000).as_bytes(), b'p', 0))?;
            stream.write_all(&message(b'C', b"SELECT 1\0"))
        },
    );
    let refused = asked(&url).await.unwrap_err().to_string();
    assert!(refused.contains("too large"), "{refused}");
}

/// The columns of the client's own question for a type.
fn typeinfo() -> Vec<u8> {
    const NAME: u32 = 19;
    const CHAR: u32 = 18;
    const OID: u32 = 26;
    let parameter = message(b't', &[0, 1, 0, 0, 0, 26]);
    [parameter, row_description(&[NAME, CHAR, OID, OID, OID, NAME, OID])].concat()
}

/// Its answer: a type of that name and kind, which is made of another.
fn type_row(name: &[u8], kind: u8, base: u32) -> Vec<u8> {
    let (none, base) = (0_u32.to_be_bytes(), base.to_be_bytes());
    row(&[name, &[kind], &none, &none, &base, b"public", &none])
}

/// Each look for a type is within the one before, on the stack of the guest's fiber: half a MiB is left of that.
#[test]
fn types_that_lead_to_others_without_end_are_refused_before_the_stack_is_full() {
    let domains = server(
        |sql| if sql.contains("pg_type") { typeinfo() } else { columns(&[CUSTOM]) },
        |stream, bound| {
            stream.write_all(&type_row(b"domain", b'd', bound + 1))?;
            stream.write_all(&message(b'C', b"SELECT 1\0"))
        },
    );
    // The question for types has a parameter of a type that it takes to ask for.
    let questions = server(
        |_| [message(b't', &[0, 1, 0, 0x10, 0, 0]), row_description(&[INT4])].concat(),
        |stream, _| stream.write_all(&message(b'C', b"SELECT 0\0")),
    );
    for url in [domains, questions] {
        let ask = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(asked(&url)).unwrap_err().to_string()
        };
        let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(ask).unwrap();
        let refused = thread.join().unwrap();
        assert!(refused.contains("too many others"), "{refused}");
    }
}

/// Every kind of message without what belongs in it, with too little and with too much.
#[tokio::test]
async fn messages_of_any_form_are_an_answer_or_an_error() {
    for kind in b'1'..=b'z' {
        for body in [&[][..], &[0], &[0xff; 2], &[0xff; 4], &[0xff; 9], b"a\0b\0\0"] {
            let told = [message(kind, body), message(b'Z', b"I")].concat();
            let described = told.clone();
            let port = scripted(move |stream| {
                greet(stream)?;
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes)?;
                stream.write_all(&message(b'1', b""))?;
                stream.write_all(&described)
            });
            let _ = asked(&address(port)).await;
            let port = scripted(move |stream| {
                greet(stream)?;
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes)?;
                stream.write_all(&[message(b'1', b""), columns(&[INT4]), message(b'Z', b"I")].concat())?;
                let _ = stream.read(&mut bytes)?;
                stream.write_all(&message(b'2', b""))?;
                stream.write_all(&told)
            });
            let _ = asked(&address(port)).await;
        }
    }
}
