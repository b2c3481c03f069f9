//! Requests over HTTP, by the `ureq` crate. `HTTPS_PROXY` is heeded.

use std::time::Duration;

use oxtorch_boundary::Answer;
use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, header};

use crate::certificates::{explained, tls};

pub(crate) fn get(url: &str, offset: u64, patience: Duration) -> Result<Answer, String> {
    let agent: Agent = Agent::config_builder()
        .http_status_as_error(false)
        // What begins encrypted a redirection must not lead elsewhere.
        .https_only(url.starts_with("https:"))
        // A file that is compressed is wanted as it is, and a length is wanted for every file.
        .accept_encoding("identity")
        .tls_config(tls()?)
        .timeout_resolve(Some(patience))
        .timeout_connect(Some(patience))
        .timeout_recv_response(Some(patience))
        .timeout_per_read(Some(patience))
        .build()
        .into();
    let mut request = agent.get(url);
    if offset > 0 {
        request = request.header(header::RANGE, format!("bytes={offset}-"));
    }
    let response = request.call().map_err(|error| explained(error.to_string()))?;
    let headers = response.headers();
    let (offset, length) = match response.status() {
        StatusCode::OK => (0, number(headers, header::CONTENT_LENGTH.as_str())),
        StatusCode::PARTIAL_CONTENT => content_range(headers)
            .filter(|(begins, _)| *begins == offset)
            .ok_or("it sends another part of the file than the one that it was asked for")?,
        StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 => return Ok(Answer::NothingMore),
        status => return Err(format!("the server answers {status}")),
    };
    Ok(Answer::Body { offset, length, body: Box::new(response.into_body().into_reader()) })
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Where the part begins and how long the whole is, of `bytes 100-199/200`; the length may be `*`.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let value = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (begins, _) = range.split_once('-')?;
    Some((begins.trim().parse().ok()?, total.trim().parse().ok()))
}
