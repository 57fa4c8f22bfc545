//! Files of releases. A tenant sends each once; one that only another tenant sent is not there for it.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use tokio::sync::mpsc;
use tombolo_api::{Blobs, MissingBlobs, Problem};
use tombolo_model::release::{FILE_BYTES_MAX, FILES_MAX};
use tombolo_model::{Digest, TenantName};

use super::read::{Asked, At, named, parsed, part, whole};
use super::{Done, Node, Of, work};
use crate::access::Principal;
use crate::control::{Answer, Control};
use crate::refuse;
use crate::stage::Stage;

/// Bytes of a question for files: those of the largest release, each a digest in quotes.
const QUESTION_BYTES_MAX: usize = 80 * FILES_MAX + 100;

/// Which of these files are still to be sent
#[utoipa::path(
    post, path = "/v1/blobs/missing", tag = "blobs", params(Of), request_body = Blobs,
    responses((status = 200, body = MissingBlobs), (status = "default", body = Problem))
)]
pub(crate) async fn missing<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    Asked(of): Asked<Of>,
    body: Body,
) -> Done<Json<MissingBlobs>> {
    let tenant = principal.sends_for(of.tenant)?;
    let blobs: Blobs = parsed(&whole(body, QUESTION_BYTES_MAX).await?)?;
    let missing = work(&control, move |control| control.missing(&tenant, &blobs.digests)).await?;
    Ok(Json(MissingBlobs { missing }))
}

/// Whether a file was sent
#[utoipa::path(
    head, path = "/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path), Of),
    responses((status = 200), (status = "default", body = Problem))
)]
pub(crate) async fn has<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(digest): At<String>,
    Asked(of): Asked<Of>,
) -> Done<StatusCode> {
    let tenant = principal.sends_for(of.tenant)?;
    let digest: Digest = named(&digest)?;
    let missing = work(&control, move |control| control.missing(&tenant, &[digest])).await?;
    match missing.is_empty() {
        true => Ok(StatusCode::OK),
        false => Err(refuse::not_found(format!("no blob {digest}")).into()),
    }
}

/// Send a file
///
/// Its digest must be that of the path. What was sent already may be sent again.
#[utoipa::path(
    put, path = "/v1/blobs/{digest}", tag = "blobs", params(("digest" = String, Path), Of),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201), (status = "default", body = Problem))
)]
pub(crate) async fn send<S: Stage>(
    State(control): Node<S>,
    principal: Principal,
    At(digest): At<String>,
    Asked(of): Asked<Of>,
    headers: HeaderMap,
    mut body: Body,
) -> Done<StatusCode> {
    let tenant = principal.sends_for(of.tenant)?;
    let digest: Digest = named(&digest)?;
    let too_large = || refuse::too_large(format!("a file has at most {FILE_BYTES_MAX} bytes"));
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > FILE_BYTES_MAX) {
        return Err(too_large().into());
    }
    // Asked before the first byte is: a client that waits for that learns why there is none to send.
    let whose = tenant.clone();
    work(&control, move |control| control.may_receive(&whose, length)).await?;
    // A few parts on their way: who sends does not wait for each write, and does not fill the memory either.
    let (parts, coming) = mpsc::channel(4);
    let writer = tokio::task::spawn_blocking({
        let control = Arc::clone(&control);
        move || write(&control, &tenant, &digest, length, coming)
    });
    let mut bytes = 0;
    let sent = loop {
        match part(&mut body).await {
            Ok(Some(part)) => {
                bytes += part.len() as u64;
                if bytes > FILE_BYTES_MAX {
                    break Err(too_large());
                }
                // A writer that is gone has a reason of its own.
                if parts.send(Some(part)).await.is_err() {
                    break Ok(());
                }
            }
            Ok(None) => {
                let _ = parts.send(None).await;
                break Ok(());
            }
            Err(problem) => break Err(problem),
        }
    };
    drop(parts);
    let written = writer.await.unwrap_or_else(|error| Err(refuse::lost(&error)));
    sent?;
    written?;
    Ok(StatusCode::CREATED)
}

/// Writes a file as its parts come, of which the head said the length or not. Only an end that is said is one.
fn write<S: Stage>(
    control: &Control<S>,
    tenant: &TenantName,
    digest: &Digest,
    length: Option<u64>,
    mut parts: mpsc::Receiver<Option<Bytes>>,
) -> Answer<()> {
    let mut receiving = control.receive(tenant, length)?;
    loop {
        match parts.blocking_recv() {
            Some(Some(part)) => receiving.write(&part)?,
            Some(None) => break,
            None => return Err(refuse::bad_request("the body ends before its end")),
        }
    }
    receiving.keep(digest)
}
