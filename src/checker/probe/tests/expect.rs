//! Expectations of a response beyond its status and a text.

use super::*;
use crate::zone::{Pattern, Pointer, Scalar};

async fn expecting(address: SocketAddr, expect: HttpExpect) -> Result<Reason, Reason> {
    probe_http(address, HttpCheck { expect, ..http() }).await
}

async fn probe_regex(address: SocketAddr, text: &str) -> Result<Reason, Reason> {
    let body_regex = Some(Pattern::new(text).unwrap());
    expecting(address, HttpExpect { body_regex, ..http().expect }).await
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

const JSON: &str = "HTTP/1.1 200 OK\r\nX-Ready: yes\r\n\r\n\
    {\"status\": \"ok\", \"checks\": [{\"a/b\": true, \"n\": 3.0, \"big\": 9007199254740993}], \"none\": null}";

async fn probe_json(address: SocketAddr, wanted: &[(&str, Scalar)]) -> Result<Reason, Reason> {
    let wanted = wanted.iter().cloned();
    let json = wanted.map(|(at, value)| (Pointer::new(at).unwrap(), value)).collect();
    expecting(address, HttpExpect { json, ..http().expect }).await
}

#[tokio::test]
async fn places_of_the_body_must_have_their_values() {
    let address = http_server(JSON).await;
    let text = |text: &str| Scalar::Text(text.into());
    let all = [
        ("/status", text("ok")),
        ("/checks/0/a~1b", Scalar::Truth(true)),
        ("/checks/0/n", Scalar::Integer(3)),
        ("/checks/0/big", Scalar::Integer(9_007_199_254_740_993)),
    ];
    assert_eq!(probe_json(address, &all).await, Ok(Reason::Status(200)));
    for (at, value) in [
        ("/status", text("OK")),
        ("/status", Scalar::Truth(true)),
        ("/none", text("null")),
        ("/checks", text("")),
        ("/checks/1", Scalar::Integer(0)),
        ("/checks/0/big", Scalar::Integer(9_007_199_254_740_992)),
        ("", text("ok")),
    ] {
        let reason = probe_json(address, &[all[0].clone(), (at, value)]).await.unwrap_err();
        assert_eq!(reason.to_string(), format!("body lacks the expected value at {at:?}"));
    }
}

#[tokio::test]
async fn what_is_not_json_fails_whatever_it_is() {
    let deep = format!("HTTP/1.1 200 OK\r\n\r\n{}", "[".repeat(10_000));
    let long = format!("HTTP/1.1 200 OK\r\n\r\n\"{}\"", "x".repeat(WINDOW));
    for body in ["HTTP/1.1 200 OK\r\n\r\nok".to_owned(), deep, long, JSON[..90].to_owned()] {
        let address = http_server(body.leak()).await;
        let outcome = probe_json(address, &[("/0", Scalar::Truth(true))]).await;
        assert_eq!(outcome, Err(Reason::BodyNotJson));
    }
}

#[tokio::test]
async fn a_header_must_have_its_value() {
    let address = http_server(JSON).await;
    let expecting = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        expecting(address, HttpExpect { headers, ..http().expect })
    };
    assert_eq!(expecting("x-ready", "yes").await, Ok(Reason::Status(200)));
    for (name, value) in [("x-ready", "no"), ("x-ready", "ye"), ("x-other", "yes")] {
        assert_eq!(expecting(name, value).await, Err(Reason::LacksHeader(name.to_owned())));
    }
}

#[tokio::test]
async fn a_request_has_its_content_and_says_how_long_it_is() {
    let address = server(|mut stream| async move {
        let head = request(&mut stream).await.to_lowercase();
        let mut content = [0; 7];
        stream.read_exact(&mut content).await.unwrap();
        let is_it = head.contains("\r\ncontent-length: 7\r\n") && &content == b"{\"a\":1}";
        let response = if is_it { OK } else { "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n" };
        let _ = stream.write_all(response.as_bytes()).await;
    })
    .await;
    let posting = HttpCheck { method: "POST".into(), body: Some("{\"a\":1}".into()), ..http() };
    assert_eq!(probe_http(address, posting).await, Ok(Reason::Status(200)));
}
