//! Answers: read part by part, each asked for before it is read.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::{Budget, TooLarge};

/// What a server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A word: `OK`.
    Status(String),
    /// A refusal or a failure, in the server's words.
    Error(String),
    /// A number.
    Integer(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Answers.
    Array(Vec<Reply>),
}

/// Why an answer cannot be read. The connection is of no use then.
#[derive(Debug, thiserror::Error)]
pub enum ReplyError {
    /// The connection failed.
    #[error("the connection to the server failed: {}", _0.kind())]
    Io(#[from] io::Error),
    /// The server does not speak the protocol.
    #[error("the server's answer is not of Redis' protocol")]
    Protocol,
    /// It is larger than it may be.
    #[error("the answer is too large: {0}")]
    TooLarge(String),
}

impl From<TooLarge> for ReplyError {
    fn from(TooLarge(reason): TooLarge) -> Self {
        Self::TooLarge(reason)
    }
}

/// Bytes in a line: the words of an error, at most.
const LINE_BYTES_MAX: u64 = 64 << 10;
/// Arrays within arrays.
const DEPTH_MAX: usize = 64;
/// What one part takes besides its bytes.
const PART_BYTES: u64 = size_of::<Reply>() as u64;

/// The next answer of `stream`; what it takes is asked of `budget` first.
///
/// # Errors
///
/// If it is none, or `budget` refuses.
pub async fn read<S>(stream: &mut S, budget: &mut impl Budget) -> Result<Reply, ReplyError>
where
    S: AsyncBufRead + Unpin + Send,
{
    budget.take(PART_BYTES)?;
    // Arrays that are not complete, outermost first, with how many of their parts are to come.
    let mut open: Vec<(Vec<Reply>, usize)> = Vec::new();
    loop {
        let mut reply = match part(stream, budget).await? {
            Part::Whole(reply) => reply,
            Part::Array(0) => Reply::Array(Vec::new()),
            Part::Array(parts) if open.len() < DEPTH_MAX => {
                budget.take((parts as u64).saturating_mul(PART_BYTES))?;
                open.push((Vec::with_capacity(parts), parts));
                continue;
            }
            Part::Array(_) => return Err(ReplyError::Protocol),
        };
        loop {
            let Some((mut parts, left)) = open.pop() else { return Ok(reply) };
            parts.push(reply);
            if left > 1 {
                open.push((parts, left - 1));
                break;
            }
            reply = Reply::Array(parts);
        }
    }
}

enum Part {
    Whole(Reply),
    /// An array of so many parts, which follow.
    Array(usize),
}

async fn part<S>(stream: &mut S, budget: &mut impl Budget) -> Result<Part, ReplyError>
where
    S: AsyncBufRead + Unpin + Send,
{
    let line = line(stream).await?;
    let (&kind, rest) = line.split_first().ok_or(ReplyError::Protocol)?;
    let reply = match kind {
        b'+' | b'-' => {
            // What is not text takes more than it came with.
            let text = String::from_utf8_lossy(rest).into_owned();
            budget.take(text.len() as u64)?;
            if kind == b'+' { Reply::Status(text) } else { Reply::Error(text) }
        }
        b':' => Reply::Integer(number(rest)?),
        b'$' => match number(rest)? {
            -1 => Reply::Nil,
            length => Reply::Bytes(bytes(stream, length, budget).await?),
        },
        b'*' => match number(rest)? {
            -1 => Reply::Nil,
            length => return usize::try_from(length).map(Part::Array).map_err(|_| ReplyError::Protocol),
        },
        _ => return Err(ReplyError::Protocol),
    };
    Ok(Part::Whole(reply))
}

async fn line<S: AsyncBufRead + Unpin + Send>(stream: &mut S) -> Result<Vec<u8>, ReplyError> {
    let mut line = Vec::new();
    let read = (&mut *stream).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await?;
    match line.strip_suffix(b"\r\n") {
        Some(text) => {
            let length = text.len();
            line.truncate(length);
            Ok(line)
        }
        None if read as u64 == LINE_BYTES_MAX || line.ends_with(b"\n") => Err(ReplyError::Protocol),
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
    }
}

fn number(text: &[u8]) -> Result<i64, ReplyError> {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).ok_or(ReplyError::Protocol)
}

async fn bytes<S>(stream: &mut S, length: i64, budget: &mut impl Budget) -> Result<Vec<u8>, ReplyError>
where
    S: AsyncBufRead + Unpin + Send,
{
    let length = usize::try_from(length).map_err(|_| ReplyError::Protocol)?;
    budget.take(length as u64)?;
    let mut bytes = Vec::with_capacity(length);
    (&mut *stream).take(length as u64).read_to_end(&mut bytes).await?;
    let mut end = [0; 2];
    // What is missing here was missing above.
    stream.read_exact(&mut end).await?;
    if end != *b"\r\n" {
        return Err(ReplyError::Protocol);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Bytes;

    fn read_all(text: &[u8], bytes_max: u64) -> Result<Reply, ReplyError> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(read(&mut &*text, &mut Bytes(bytes_max)))
    }

    fn written(reply: &Reply) -> Vec<u8> {
        match reply {
            Reply::Nil => b"$-1\r\n".to_vec(),
            Reply::Status(text) => format!("+{text}\r\n").into_bytes(),
            Reply::Error(text) => format!("-{text}\r\n").into_bytes(),
            Reply::Integer(number) => format!(":{number}\r\n").into_bytes(),
            Reply::Bytes(bytes) => [format!("${}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat(),
            Reply::Array(parts) => {
                let head = format!("*{}\r\n", parts.len()).into_bytes();
                parts.iter().map(written).fold(head, |all, part| [all, part].concat())
            }
        }
    }

    #[test]
    fn what_is_not_of_the_protocol_is_refused() {
        let deep = "*1\r\n".repeat(DEPTH_MAX + 2);
        for text in ["\r\n", "?1\r\n", ":x\r\n", "$-2\r\n", "*-2\r\n", "$1\r\nabc", "+a\n", deep.as_str()] {
            assert!(matches!(read_all(text.as_bytes(), 1 << 20), Err(ReplyError::Protocol)), "{text}");
        }
        let long = format!("+{}\r\n", "x".repeat(LINE_BYTES_MAX as usize));
        assert!(matches!(read_all(long.as_bytes(), 1 << 20), Err(ReplyError::Protocol)));
        for text in ["", "+OK", "$5\r\nab", "*2\r\n:1\r\n"] {
            assert!(matches!(read_all(text.as_bytes(), 1 << 20), Err(ReplyError::Io(_))), "{text}");
        }
    }

    /// It is refused for what it says it has, before any of that is there.
    #[test]
    fn an_answer_is_refused_before_it_is_read() {
        for text in ["$1000000\r\n", "*100000\r\n", "*2\r\n$600\r\n", "*9223372036854775807\r\n"] {
            assert!(matches!(read_all(text.as_bytes(), 600), Err(ReplyError::TooLarge(_))), "{text}");
        }
        // Whatever a part says: also what each of many errors says, and what is longer as text than it came.
        for part in ["-".to_owned() + &"e".repeat(200), "+".to_owned() + &"s".repeat(200)] {
            let text = format!("*3\r\n{part}\r\n{part}\r\n{part}\r\n");
            assert!(matches!(read_all(text.as_bytes(), 600), Err(ReplyError::TooLarge(_))), "{text}");
        }
        let no_text = [b"-".as_slice(), &[0xff; 250], b"\r\n"].concat();
        assert!(matches!(read_all(&no_text, 600), Err(ReplyError::TooLarge(_))));
        assert_eq!(read_all(b"$5\r\nhello\r\n", 100).unwrap(), Reply::Bytes(b"hello".to_vec()));
        assert_eq!(read_all(b"*-1\r\n", 100).unwrap(), Reply::Nil);
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let leaf = prop_oneof![
            Just(Reply::Nil),
            "[^\r\n]{0,9}".prop_map(Reply::Status),
            "[^\r\n]{0,9}".prop_map(Reply::Error),
            any::<i64>().prop_map(Reply::Integer),
            any::<Vec<u8>>().prop_map(Reply::Bytes),
        ];
        leaf.prop_recursive(4, 40, 5, |part| proptest::collection::vec(part, 0..5).prop_map(Reply::Array))
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(reply in reply()) {
            prop_assert_eq!(read_all(&written(&reply), u64::MAX).unwrap(), reply);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in "[*$:+\\-]?[0-9]{0,3}(\r\n)?[*$:+0-9\r\n]{0,30}") {
            let _ = read_all(bytes.as_bytes(), 1 << 20);
        }
    }
}
