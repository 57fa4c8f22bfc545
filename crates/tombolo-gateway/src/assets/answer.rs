//! One request for a file.

use std::io;
use std::sync::Arc;
use std::time::SystemTime;

use http::response::Builder;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri, header};
use httpdate::HttpDate;
use tokio::sync::OwnedSemaphorePermit;
use tombolo_model::file_path::{FilePath, FilePathError};

use super::conditions::{Selected, Verdict, judge};
use super::look::{Content, Found, Look};
use super::range::Asked;
use super::sending::{AssetBody, Open};
use super::tags::TagError;
use super::{Assets, Shelf, content_type};

/// What becomes of a request.
pub(crate) enum Reply {
    /// A file, or that the client has it already.
    Answer(Response<AssetBody>),
    /// A status, and what it says in a header.
    Refusal(StatusCode, Option<(HeaderName, HeaderValue)>),
    /// It is the node's fault: a status, and what its operator is told.
    Failure(StatusCode, io::Error),
}

/// The parts of a request that its answer depends on.
pub(crate) struct AssetRequest {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// The path that the route's wildcard stands for.
    pub(crate) path: Result<FilePath, FilePathError>,
}

/// How often a file may be written to while it is looked at.
const LOOKS_MAX: usize = 3;

impl Assets {
    /// Answers one request.
    pub(crate) async fn answer(self: &Arc<Self>, shelf: &Arc<Shelf>, request: AssetRequest) -> Reply {
        let AssetRequest { method, uri, headers, path } = request;
        let is_get = method == Method::GET;
        if !is_get && method != Method::HEAD {
            let allow = HeaderValue::from_static("GET, HEAD");
            return Reply::Refusal(StatusCode::METHOD_NOT_ALLOWED, Some((header::ALLOW, allow)));
        }
        let path = match path {
            Ok(path) => Arc::new(path),
            Err(FilePathError::Encoding) => return Reply::Refusal(StatusCode::BAD_REQUEST, None),
            Err(FilePathError::Name) => return Reply::Refusal(StatusCode::NOT_FOUND, None),
        };
        let Ok(mut place) = Arc::clone(&shelf.places).try_acquire_owned() else { return busy() };
        let headers = Arc::new(headers);
        for _ in 0..LOOKS_MAX {
            let look = {
                let (this, shelf) = (Arc::clone(self), Arc::clone(shelf));
                let (path, headers) = (Arc::clone(&path), Arc::clone(&headers));
                // The place goes along: if the client leaves, the look goes on without it.
                let look = move || (this.look(&shelf, &path, &headers), place);
                tokio::task::spawn_blocking(look).await
            };
            let look = match look {
                Ok((look, its)) => {
                    place = its;
                    look
                }
                Err(error) => return failure(io::Error::other(error)),
            };
            let found = match look {
                Ok(Look::Found(found)) => found,
                Ok(Look::Nothing) => return Reply::Refusal(StatusCode::NOT_FOUND, None),
                Ok(Look::Folder) => return with_slash(&uri),
                Err(error) => return failure(error),
            };
            let tag = match &found.content {
                Content::Read(_, tag) => Ok(tag.clone()),
                Content::Open(file) => shelf.tags.read(file, found.version).await,
            };
            match tag {
                Ok(tag) => return self.send(shelf, found, &tag, &headers, is_get, place),
                Err(TagError::Changed) => {}
                Err(TagError::Read(error)) => return failure(error),
            }
        }
        // It is being written, and will be there soon.
        busy()
    }

    fn send(
        &self,
        shelf: &Shelf,
        found: Found,
        tag: &HeaderValue,
        headers: &HeaderMap,
        is_get: bool,
        place: OwnedSemaphorePermit,
    ) -> Reply {
        let length = match &found.content {
            Content::Read(content, _) => content.len() as u64,
            Content::Open(_) => found.version.length,
        };
        // A time to come says nothing (RFC 9110 §8.8.2.1).
        let modified = found.version.modified().map(|modified| modified.min(SystemTime::now()));
        let selected = Selected { tag, modified, length };
        let (status, bytes) = match judge(headers, is_get, selected) {
            Verdict::Failed => return Reply::Refusal(StatusCode::PRECONDITION_FAILED, None),
            Verdict::Send(Asked::Unsatisfiable) => {
                let range = (header::CONTENT_RANGE, value(format_args!("bytes */{length}")));
                return Reply::Refusal(StatusCode::RANGE_NOT_SATISFIABLE, Some(range));
            }
            Verdict::NotModified => (StatusCode::NOT_MODIFIED, 0..0),
            Verdict::Send(Asked::Whole) => (StatusCode::OK, 0..length),
            Verdict::Send(Asked::Part(bytes)) => (StatusCode::PARTIAL_CONTENT, bytes),
        };
        let mut response = self.head(Response::builder().status(status), &found, tag);
        if status != StatusCode::NOT_MODIFIED {
            response = content_head(response, &found, modified, bytes.end - bytes.start);
        }
        if status == StatusCode::PARTIAL_CONTENT {
            let range = value(format_args!("bytes {}-{}/{length}", bytes.start, bytes.end - 1));
            response = response.header(header::CONTENT_RANGE, range);
        }
        let body = match found.content {
            _ if !is_get || bytes.is_empty() => AssetBody::EMPTY,
            Content::Read(content, _) => {
                let at = |position| usize::try_from(position).expect("a position in memory");
                AssetBody::Memory(Some(content.slice(at(bytes.start)..at(bytes.end))))
            }
            Content::Open(file) => {
                AssetBody::file(Open { file, version: found.version, _place: place }, bytes, shelf.pace)
            }
        };
        Reply::Answer(response.body(body).expect("names and values were headers before"))
    }

    /// What a client that has the file already is told too.
    fn head(&self, response: Builder, found: &Found, tag: &HeaderValue) -> Builder {
        let control = self.settings.caching.control(&found.path).clone();
        let mut response = response.header(header::ETAG, tag).header(header::CACHE_CONTROL, control);
        let varies = [
            (!self.settings.precompressed.is_empty()).then_some("accept-encoding"),
            // Who asks for anything but a page gets none here.
            found.is_fallback.then_some("accept"),
        ];
        for name in varies.into_iter().flatten() {
            response = response.header(header::VARY, HeaderValue::from_static(name));
        }
        response
    }

    /// What every answer says, a refusal too.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.settings.headers {
            headers.append(name, value.clone());
        }
    }
}

fn content_head(response: Builder, found: &Found, modified: Option<SystemTime>, length: u64) -> Builder {
    let mut response = response
        .header(header::CONTENT_TYPE, HeaderValue::from_static(content_type::of(&found.path)))
        .header(header::CONTENT_LENGTH, HeaderValue::from(length))
        .header(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(encoding) = found.encoding {
        response = response.header(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.name()));
    }
    match modified {
        Some(modified) => {
            response.header(header::LAST_MODIFIED, value(format_args!("{}", HttpDate::from(modified))))
        }
        None => response,
    }
}

/// To where the folder's own links work: relative ones start behind its slash.
fn with_slash(uri: &Uri) -> Reply {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    match HeaderValue::from_str(&format!("{}/{query}", uri.path())) {
        Ok(location) => Reply::Refusal(StatusCode::MOVED_PERMANENTLY, Some((header::LOCATION, location))),
        Err(_) => Reply::Refusal(StatusCode::NOT_FOUND, None),
    }
}

fn busy() -> Reply {
    let soon = HeaderValue::from_static("1");
    Reply::Refusal(StatusCode::SERVICE_UNAVAILABLE, Some((header::RETRY_AFTER, soon)))
}

/// A file that may not be read is the only failure that is no fault of the node.
fn failure(error: io::Error) -> Reply {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Reply::Failure(StatusCode::FORBIDDEN, error),
        _ => Reply::Failure(StatusCode::INTERNAL_SERVER_ERROR, error),
    }
}

fn value(text: std::fmt::Arguments<'_>) -> HeaderValue {
    HeaderValue::from_str(&text.to_string()).expect("digits and plain text are a value a header can have")
}
