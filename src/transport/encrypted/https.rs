//! DNS over HTTPS (RFC 8484): TLS by rustls, HTTP/1.1 and HTTP/2 by hyper.

use std::convert::Infallible;
use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::http::{BrokenOff, Content, HEADERS_MAX, exchange};
use super::link::{FAREWELL, Link, ROOM, STREAMS};
use crate::transport::Respond;
use crate::transport::door::Peer;

/// The protocols that clients may ask for in the handshake.
pub(super) const ALPN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The most headers of a request over HTTP/1.1.
const HEADER_COUNT_MAX: usize = 64;

/// The flow-control window of one HTTP/2 request, in octets: what may come before it is read.
const STREAM_WINDOW: u32 = 16 * 1024;

/// Serves one connection, from its handshake to its close.
pub(super) async fn serve<R: Respond>(
    stream: TcpStream,
    peer: Peer<R>,
    tls: TlsAcceptor,
    path: Rc<str>,
) {
    let Some(stream) = peer.secure(&tls, stream).await else { return };
    let link = Link::new(peer);
    let answer = |request| answer(request, Rc::clone(&link), Rc::clone(&path));
    let server = server();
    let mut connection = pin!(server.serve_connection(TokioIo::new(stream), service_fn(answer)));
    tokio::select! {
        biased;
        () = link.over() => {}
        // An error is the client's: it broke off, or does not speak HTTP.
        _ = connection.as_mut() => return,
    }
    // Requests under way may end; HTTP/2 says which requests were not processed.
    connection.as_mut().graceful_shutdown();
    let _ = timeout(FAREWELL, connection).await;
}

/// Returns an HTTP server with our limits.
fn server() -> auto::Builder<Local> {
    let mut server = auto::Builder::new(Local);
    server.http1().max_buf_size(HEADERS_MAX).max_headers(HEADER_COUNT_MAX);
    server
        .http2()
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(ROOM as u32)
        .max_header_list_size(HEADERS_MAX as u32)
        .max_send_buf_size(ROOM);
    server
}

/// Answers one request.
async fn answer<R: Respond>(
    request: Request<Incoming>,
    link: Rc<Link<R>>,
    path: Rc<str>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    Ok(exchange(&link, &path, &head, body).await.map(Full::new))
}

impl Content for Incoming {
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        loop {
            match self.frame().await?.map(|frame| frame.into_data()) {
                Ok(Ok(data)) => return Some(Ok(data)),
                // Trailers do not matter here.
                Ok(Err(_)) => {}
                Err(_) => return Some(Err(BrokenOff)),
            }
        }
    }
}

/// An executor that runs the requests of HTTP/2 on the thread of their connection.
#[derive(Clone, Copy)]
struct Local;

impl<F: Future<Output = ()> + 'static> Executor<F> for Local {
    fn execute(&self, request: F) {
        spawn_local(request);
    }
}
