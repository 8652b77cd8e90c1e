//! DNS over HTTPS for every version of HTTP: a request in, a response out (RFC 8484).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::request::Parts;
use http::{Method, Response, StatusCode, Version};

use super::freshness::lifetime;
use super::link::{Intake, Link, Overflow};
use crate::transport::{Respond, STREAM_RESPONSE};
use crate::wire::header::Header;

/// The media type of DNS messages (RFC 8484 §6).
const MESSAGE: &str = "application/dns-message";

/// The longest query, in octets.
const QUERY_MAX: usize = STREAM_RESPONSE;

/// The longest headers of a request, in octets; a query by GET is part of them.
pub(super) const HEADERS_MAX: usize = 16 * 1024;

/// The octets of a refused request's content that are read. A client may not look at the response
/// before it has sent everything.
const DISCARD_MAX: usize = 2 * STREAM_RESPONSE;

/// The content of a request.
pub(super) trait Content {
    /// Waits for the next piece of the content; `None` at its end.
    ///
    /// # Errors
    /// If the client has broken it off.
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>>;
}

/// The end of a request that its client did not finish.
#[derive(Clone, Copy, Debug)]
pub(super) struct BrokenOff;

/// A response that is no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refusal(StatusCode, &'static str);

const NOT_HERE: Refusal =
    Refusal(StatusCode::NOT_FOUND, "DNS over HTTPS is at another path of this server\n");
const WRONG_METHOD: Refusal =
    Refusal(StatusCode::METHOD_NOT_ALLOWED, "use GET or POST (RFC 8484 section 4.1)\n");
const WRONG_TYPE: Refusal = Refusal(
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "the content of a POST has to be of type application/dns-message\n",
);
const TOO_LONG: Refusal =
    Refusal(StatusCode::PAYLOAD_TOO_LARGE, "a DNS message has 65535 octets at most\n");
const NO_HOST: Refusal = Refusal(StatusCode::BAD_REQUEST, "HTTP/1.1 needs a Host header\n");
const NO_QUERY: Refusal = Refusal(
    StatusCode::BAD_REQUEST,
    "the parameter dns has to be a DNS query in base64url, without padding\n",
);
const NOT_A_QUERY: Refusal =
    Refusal(StatusCode::BAD_REQUEST, "the content has to be a DNS query\n");
const BROKEN_OFF: Refusal = Refusal(StatusCode::BAD_REQUEST, "the content is not complete\n");
const TOO_MUCH: Refusal =
    Refusal(StatusCode::TOO_MANY_REQUESTS, "too many requests at one time on this connection\n");
const UNANSWERED: Refusal =
    Refusal(StatusCode::INTERNAL_SERVER_ERROR, "this query cannot be answered\n");

/// Answers the request of `head` and `content` if it is for `path`; refuses it otherwise.
pub(super) async fn exchange<R: Respond>(
    link: &Link<R>,
    path: &str,
    head: &Parts,
    mut content: impl Content,
) -> Response<Bytes> {
    let mut intake = link.intake(QUERY_MAX);
    match read(path, head, &mut content, &mut intake).await {
        Ok(()) => match link.answer(intake.bytes()).await {
            Some(message) => answered(message),
            None => UNANSWERED.response(),
        },
        Err(refusal) => {
            discard(content).await;
            refusal.response()
        }
    }
}

/// Reads the rest of `content` up to a limit, and forgets it.
async fn discard(mut content: impl Content) {
    let mut left = DISCARD_MAX;
    while left > 0 {
        let Some(Ok(piece)) = content.next().await else { return };
        left = left.saturating_sub(piece.len());
    }
}

/// Reads the query of a request into `intake`.
async fn read(
    path: &str,
    head: &Parts,
    content: &mut impl Content,
    intake: &mut Intake,
) -> Result<(), Refusal> {
    if head.version == Version::HTTP_11 && !head.headers.contains_key(HOST) {
        return Err(NO_HOST);
    }
    if head.uri.path() != path {
        return Err(NOT_HERE);
    }
    if head.method == Method::GET {
        let query = parameter(head.uri.query().unwrap_or_default()).ok_or(NO_QUERY)?;
        intake.take(&query)?;
        return if is_query(intake.bytes()) { Ok(()) } else { Err(NO_QUERY) };
    }
    if head.method != Method::POST {
        return Err(WRONG_METHOD);
    }
    if !head.headers.get(CONTENT_TYPE).is_some_and(is_message) {
        return Err(WRONG_TYPE);
    }
    let announced = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    if announced.and_then(|length| length.parse().ok()).is_some_and(|len: u64| len > 65_535) {
        return Err(TOO_LONG);
    }
    while let Some(piece) = content.next().await {
        intake.take(&piece.map_err(|BrokenOff| BROKEN_OFF)?)?;
    }
    if is_query(intake.bytes()) { Ok(()) } else { Err(NOT_A_QUERY) }
}

impl From<Overflow> for Refusal {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::TooLong => TOO_LONG,
            Overflow::NoRoom => TOO_MUCH,
        }
    }
}

/// Returns the query in the parameter `dns`, which must occur once (RFC 8484 §4.1, §6).
fn parameter(parameters: &str) -> Option<Vec<u8>> {
    let mut values = parameters.split('&').filter_map(|parameter| parameter.strip_prefix("dns="));
    let (value, None) = (values.next()?, values.next()) else { return None };
    URL_SAFE_NO_PAD.decode(value).ok()
}

/// Whether a media type is that of DNS messages, whatever its parameters.
fn is_message(media_type: &HeaderValue) -> bool {
    let essence = media_type.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(MESSAGE.as_bytes())
}

/// Whether a message gets a response: it has a header and is no response itself.
fn is_query(message: &[u8]) -> bool {
    Header::read(message).is_some_and(|header| !header.is_response())
}

/// Returns the response that carries `message`.
fn answered(message: Bytes) -> Response<Bytes> {
    let lifetime = HeaderValue::try_from(format!("max-age={}", lifetime(&message)));
    let length = message.len();
    let mut response = Response::new(message);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MESSAGE));
    if let Ok(lifetime) = lifetime {
        headers.insert(CACHE_CONTROL, lifetime);
    }
    headers.insert(CONTENT_LENGTH, length.into());
    response
}

impl Refusal {
    fn response(self) -> Response<Bytes> {
        let Self(status, text) = self;
        let mut response = Response::new(Bytes::from_static(text.as_bytes()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == WRONG_METHOD {
            headers.insert(ALLOW, HeaderValue::from_static("GET, POST"));
        }
        headers.insert(CONTENT_LENGTH, text.len().into());
        response
    }
}
