//! What a request brings.

use wstd::http::Body;
use wstd::http::body::Bytes;
use wstd::http::body::util::BodyExt;

use crate::Refusal;

/// Hands each piece of a body to `take` as it comes. Nothing is kept.
pub(crate) async fn each(
    body: Body,
    mut take: impl FnMut(&Bytes) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut body = body.into_boxed_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::bad(format!("the body ended too early: {error}")))?;
        if let Some(piece) = frame.data_ref() {
            take(piece)?;
        }
    }
    Ok(())
}

/// How many bytes a body must have.
#[derive(Clone, Copy)]
pub(crate) enum Length<'a> {
    /// So many, and why.
    Exactly(usize, &'a str),
    /// As many as there are, but no more than these.
    AtMost(usize),
}

/// The whole body. One that is too long is read no further.
pub(crate) async fn whole(body: Body, length: Length<'_>) -> Result<Vec<u8>, Refusal> {
    let (bytes_max, expected) = match length {
        Length::Exactly(bytes, why) => (bytes, format!("expected {bytes}, {why}")),
        Length::AtMost(bytes) => (bytes, format!("expected at most {bytes}")),
    };
    let announced = body.content_length().and_then(|length| usize::try_from(length).ok());
    let mut bytes = Vec::new();
    let room = match length {
        Length::Exactly(bytes, _) => bytes,
        Length::AtMost(bytes_max) => announced.unwrap_or(0).min(bytes_max),
    };
    bytes
        .try_reserve_exact(room)
        .map_err(|_| Refusal::bad(format!("there is no memory for a body of {room} bytes")))?;
    each(body, |piece| {
        if piece.len() > bytes_max - bytes.len() {
            return Err(Refusal::bad(format!("the body has more bytes than that, {expected}")));
        }
        bytes.extend_from_slice(piece);
        Ok(())
    })
    .await?;
    match length {
        Length::Exactly(wanted, _) if bytes.len() != wanted => {
            Err(Refusal::bad(format!("the body has {} bytes, {expected}", bytes.len())))
        }
        _ => Ok(bytes),
    }
}
