//! What a response must hold, beyond its status and a text.

use super::*;
use crate::zone::Pattern;

async fn probe_regex(address: SocketAddr, text: &str) -> Result<Reason, Reason> {
    let body_regex = Some(Pattern::new(text).unwrap());
    probe_http(address, HttpCheck { body_regex, ..http() }).await
}

#[tokio::test]
async fn the_body_must_match_the_pattern() {
    let address = http_server(OK).await;
    for text in ["^all is w.ll$", "(?i)WELL", r"\bis\b", ""] {
        assert_eq!(probe_regex(address, text).await, Ok(Reason::Status(200)), "{text}");
    }
    for text in ["^is", "all$", "ill"] {
        assert_eq!(probe_regex(address, text).await, Err(Reason::BodyLacksMatch), "{text}");
    }
}

#[tokio::test]
async fn a_pattern_is_judged_on_16_kib_of_whatever_comes() {
    let body = [b"\xff\xfe well ".as_slice(), &[0xff; 20_000], b"late"].concat();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let response = [head.into_bytes(), body].concat();
    let address = server(move |mut stream| {
        let response = response.clone();
        async move {
            request(&mut stream).await;
            let _ = stream.write_all(&response).await;
        }
    });
    let address = address.await;
    assert_eq!(probe_regex(address, r"\bwell\b").await, Ok(Reason::Status(200)));
    assert_eq!(probe_regex(address, "late").await, Err(Reason::BodyLacksMatch));
}
