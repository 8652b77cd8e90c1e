//! DNS over HTTP/3 (RFC 8484, RFC 9114).

use std::rc::Rc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use h3::error::Code;
use h3::server::{RequestResolver, RequestStream};
use h3_quinn::BidiStream;
use http::Response;
use quinn::{Incoming, VarInt};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::http::{BrokenOff, Content, HEADERS_MAX, exchange};
use super::link::{FAREWELL, Link};
use super::quic::shake;
use crate::transport::Respond;
use crate::transport::door::Peer;

/// The protocols that clients may ask for in the handshake.
pub(super) const ALPN: [&[u8]; 1] = [b"h3"];

/// The streams that a client may open beside requests: the control stream, two of QPACK, and some
/// without a meaning (RFC 9114 §6.2).
pub(super) const UNIDIRECTIONAL: u32 = 8;

/// The time for a client to close a connection after it is told that the connection ends.
const LULL: Duration = Duration::from_millis(50);

/// H3_NO_ERROR (RFC 9114 §8.1).
const NO_ERROR: VarInt = VarInt::from_u32(0x100);

/// Serves one connection, from its handshake to its close.
pub(super) async fn serve<R: Respond>(incoming: Incoming, peer: Peer<R>, path: Rc<str>) {
    let Some(established) = shake(incoming, &peer).await else { return };
    let link = Link::new(peer);
    let mut builder = h3::server::builder();
    builder.max_field_section_size(HEADERS_MAX as u64).send_grease(false);
    let connection = h3_quinn::Connection::new(established.connection().clone());
    let mut requests = JoinSet::new();
    let opened = async { builder.build::<_, Bytes>(connection).await.ok() };
    let Some(mut http) = (tokio::select! {
        () = link.over() => None,
        http = opened => http,
    }) else {
        return;
    };
    loop {
        tokio::select! {
            biased;
            () = link.over() => break,
            Some(_) = requests.join_next() => {}
            accepted = http.accept() => {
                // The client closes, or does not keep to HTTP/3.
                let Ok(Some(resolver)) = accepted else { return };
                requests.spawn_local(request(Rc::clone(&link), Rc::clone(&path), resolver));
            }
        }
    }
    // Requests under way may end; the client is told that no others will be answered.
    let _ = timeout(FAREWELL, async {
        let _ = http.shutdown(0).await;
        while requests.join_next().await.is_some() {}
    })
    .await;
    // Responses are still on their way, and would be lost with the connection.
    let _ = timeout(LULL, established.connection().closed()).await;
    established.connection().close(NO_ERROR, b"");
}

/// Answers one request; one that the client breaks off gets no answer.
async fn request<R: Respond>(
    link: Rc<Link<R>>,
    path: Rc<str>,
    resolver: RequestResolver<h3_quinn::Connection, Bytes>,
) {
    let Ok((request, mut stream)) = resolver.resolve_request().await else { return };
    let (head, ()) = request.into_parts();
    let (head_out, message) = exchange(&link, &path, &head, &mut stream).await.into_parts();
    // The rest of a refused request is not read.
    stream.stop_sending(Code::H3_NO_ERROR);
    let sent = async {
        stream.send_response(Response::from_parts(head_out, ())).await?;
        stream.send_data(message).await?;
        stream.finish().await
    };
    let _ = sent.await;
}

impl Content for &mut RequestStream<BidiStream<Bytes>, Bytes> {
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        match self.recv_data().await {
            Ok(data) => data.map(|mut data| Ok(data.copy_to_bytes(data.remaining()))),
            Err(_) => Some(Err(BrokenOff)),
        }
    }
}
