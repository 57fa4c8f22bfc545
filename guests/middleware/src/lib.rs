//! Passes requests on, but for `/refused`; tells each answer that it saw it, and which variable it can read.

use spin_sdk::http::{IntoResponse, Request, Result, StatusCode, next};
use spin_sdk::{http_service, variables};

#[http_service]
async fn handle(request: Request) -> Result<impl IntoResponse> {
    if request.uri().path() == "/refused" {
        return Ok((StatusCode::FORBIDDEN, String::new()).into_response()?);
    }
    let name = variables::get("name").await.unwrap_or_else(|_| "nothing".to_owned());
    let mut answer = next(request).await?;
    answer.headers_mut().append("x-layer", name.parse().expect("it is plain text"));
    Ok(answer.into_response()?)
}
