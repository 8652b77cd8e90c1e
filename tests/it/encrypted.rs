//! One client for every transport, and certificates for the servers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use crate::dns::{PATIENCE, Tcp, Udp};
use crate::server::TestServer;

/// The transports, as log lines name them.
pub(crate) const TRANSPORTS: [&str; 6] = ["UDP", "TCP", "TLS", "HTTPS", "QUIC", "H3"];

/// A self-signed certificate of `localhost`.
pub(crate) struct Issued {
    certificate: CertificateDer<'static>,
    pem: [String; 2],
}

impl Issued {
    /// Makes a new certificate.
    pub(crate) fn new() -> Self {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let issued = issued.expect("a certificate");
        let pem = [issued.cert.pem(), issued.signing_key.serialize_pem()];
        Self { certificate: issued.cert.der().clone(), pem }
    }

    /// Writes `fullchain.pem` and `privkey.pem`, each by a rename.
    pub(crate) fn write(&self, directory: &Path) {
        for (name, text) in ["fullchain.pem", "privkey.pem"].iter().zip(&self.pem) {
            let new = directory.join(format!("{name}.new"));
            std::fs::write(&new, text).expect("the directory is ours");
            std::fs::rename(&new, directory.join(name)).expect("the directory is ours");
        }
    }

    /// Configures a client that trusts this certificate and no other.
    fn trusting(&self, alpn: &[u8]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        config
    }
}

impl Issued {
    /// Begins a QUIC handshake with `address`; the connection then sends a PING every 100 ms.
    ///
    /// Must be called inside a runtime.
    pub(crate) fn dial(
        &self,
        address: SocketAddr,
        alpn: &[u8],
    ) -> (quinn::Endpoint, quinn::Connecting) {
        let config = quinn::crypto::rustls::QuicClientConfig::try_from(self.trusting(alpn));
        let mut config = quinn::ClientConfig::new(Arc::new(config.expect("TLS 1.3")));
        let mut transport = quinn::TransportConfig::default();
        transport.keep_alive_interval(Some(Duration::from_millis(100)));
        config.transport_config(Arc::new(transport));
        let endpoint = quinn::Endpoint::client(([127, 0, 0, 1], 0).into()).expect("a socket");
        let connecting = endpoint.connect_with(config, address, "localhost").expect("a name");
        (endpoint, connecting)
    }

    /// Connects to `address` over TLS.
    ///
    /// # Errors
    /// Returns the error of the connection or of the handshake.
    pub(crate) fn over_tls(
        &self,
        address: SocketAddr,
        alpn: &[u8],
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let name = ServerName::try_from("localhost").expect("a name");
        let config = Arc::new(self.trusting(alpn));
        let connection = ClientConnection::new(config, name).expect("a client");
        let stream = TcpStream::connect(address).map_err(text)?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut stream = StreamOwned::new(connection, stream);
        stream.conn.complete_io(&mut stream.sock).map_err(text)?;
        Ok(stream)
    }

    /// Makes a TLS handshake over `stream`.
    ///
    /// # Errors
    /// Returns the error of the handshake.
    pub(crate) async fn secure(
        &self,
        stream: tokio::net::TcpStream,
        alpn: &[u8],
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let name = ServerName::try_from("localhost").expect("a name");
        tokio_rustls::TlsConnector::from(Arc::new(self.trusting(alpn))).connect(name, stream).await
    }
}

/// Serves `zones` over every transport, with the certificate in `directory`; `settings` is more of
/// waypost.toml.
pub(crate) fn serve(zones: &Path, directory: &Path, settings: &str) -> TestServer {
    let config = directory.join("waypost.toml");
    let file = |name| directory.join(name).display().to_string();
    let text = format!(
        "[listen]\ntls = \"127.0.0.1:0\"\nhttps = \"127.0.0.1:0\"\nquic = \"127.0.0.1:0\"\n\
         h3 = \"127.0.0.1:0\"\n[tls]\ncertificate = {:?}\nkey = {:?}\n{settings}",
        file("fullchain.pem"),
        file("privkey.pem"),
    );
    std::fs::write(&config, text).expect("the directory is ours");
    TestServer::start_with(zones, &["--workers", "1", "--config", &config.display().to_string()])
}

/// A connection over one of the transports.
pub(crate) struct Client {
    /// Ends before the runtime that it runs on.
    link: Link,
    runtime: Runtime,
}

enum Link {
    Udp(Udp),
    Tcp(Tcp),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Https(reqwest::Client, String),
    Quic(quinn::Connection),
    H3(h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>, String),
}

impl Client {
    /// Connects to the address at which `server` answers over `transport`.
    ///
    /// # Errors
    /// Returns the error of the handshake, for example that the client does not trust the server.
    pub(crate) fn connect(
        server: &TestServer,
        transport: &str,
        issued: &Issued,
    ) -> Result<Self, String> {
        let runtime = Runtime::new().expect("a runtime");
        let address = match transport {
            "UDP" | "TCP" => server.address(),
            _ => server.encrypted_address(transport),
        };
        let link = match transport {
            "UDP" => Link::Udp(Udp::connect(address)),
            "TCP" => Link::Tcp(Tcp::connect(address)),
            "TLS" => Link::Tls(Box::new(issued.over_tls(address, b"dot")?)),
            "HTTPS" => https(address, issued),
            "QUIC" => Link::Quic(runtime.block_on(quic(address, issued, b"doq"))?),
            "H3" => runtime.block_on(h3(address, issued))?,
            other => unreachable!("{other}"),
        };
        Ok(Self { link, runtime })
    }

    /// Sends a message and waits for the response to it.
    ///
    /// # Errors
    /// Says what went wrong, or that nothing came.
    pub(crate) fn exchange(&mut self, query: &[u8]) -> Result<Vec<u8>, String> {
        let silence = || "no response".to_owned();
        match &mut self.link {
            Link::Udp(udp) => udp.exchange(query, PATIENCE).ok_or_else(silence),
            Link::Tcp(tcp) => {
                tcp.send(query);
                tcp.receive().ok_or_else(silence)
            }
            Link::Tls(stream) => over_stream(stream, query).map_err(|error| error.to_string()),
            Link::Https(client, url) => self.runtime.block_on(post(client, url, query)),
            Link::Quic(connection) => self.runtime.block_on(soon(over_quic(connection, query))),
            Link::H3(sender, url) => self.runtime.block_on(soon(over_h3(sender, url, query))),
        }
    }
}

impl Client {
    /// Sends a request without content over HTTPS or HTTP/3 and returns the status of the response.
    ///
    /// # Errors
    /// Says what went wrong, or that nothing came.
    pub(crate) fn status(
        &mut self,
        method: &str,
        target: &str,
        media_type: &str,
    ) -> Result<u16, String> {
        let (Link::Https(_, url) | Link::H3(_, url)) = &self.link else { unreachable!() };
        let request = http::Request::builder()
            .method(method)
            .uri(url.replace("/dns-query", target))
            .header("content-type", media_type);
        match &mut self.link {
            Link::Https(client, _) => self.runtime.block_on(async {
                let request = request.body("").expect("a request").try_into().map_err(text)?;
                Ok(client.execute(request).await.map_err(text)?.status().as_u16())
            }),
            Link::H3(sender, _) => self.runtime.block_on(soon(async {
                let request = request.body(()).expect("a request");
                let mut stream = sender.send_request(request).await.map_err(text)?;
                stream.finish().await.map_err(text)?;
                Ok(stream.recv_response().await.map_err(text)?.status().as_u16())
            })),
            _ => unreachable!("it was looked at before"),
        }
    }
}

/// Awaits an exchange, but no longer than a test waits.
async fn soon<T>(exchange: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Err("no response".to_owned()))
}

fn text(error: impl std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn over_stream(stream: &mut (impl Read + Write), query: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(&[&(query.len() as u16).to_be_bytes(), query].concat())?;
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn https(address: SocketAddr, issued: &Issued) -> Link {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(issued.trusting(b"h2"))
        .resolve("localhost", address)
        .no_proxy()
        .timeout(PATIENCE)
        .build();
    let url = format!("https://localhost:{}/dns-query", address.port());
    Link::Https(client.expect("a client"), url)
}

async fn post(client: &reqwest::Client, url: &str, query: &[u8]) -> Result<Vec<u8>, String> {
    let request = client
        .post(url)
        .header("content-type", "application/dns-message")
        .header("accept", "application/dns-message")
        .body(query.to_vec());
    let response = request.send().await.map_err(text)?;
    let kind = response.headers().get("content-type").cloned();
    if response.status() != 200 || kind.is_none_or(|kind| kind != "application/dns-message") {
        return Err(format!("{response:?}"));
    }
    Ok(response.bytes().await.map_err(text)?.to_vec())
}

async fn quic(
    address: SocketAddr,
    issued: &Issued,
    alpn: &[u8],
) -> Result<quinn::Connection, String> {
    let (_, connecting) = issued.dial(address, alpn);
    soon(async { connecting.await.map_err(text) }).await
}

async fn over_quic(connection: &quinn::Connection, query: &[u8]) -> Result<Vec<u8>, String> {
    let (mut send, mut receive) = connection.open_bi().await.map_err(text)?;
    send.write_all(&(query.len() as u16).to_be_bytes()).await.map_err(text)?;
    send.write_all(query).await.map_err(text)?;
    send.finish().map_err(text)?;
    let framed = receive.read_to_end(2 + 65_535).await.map_err(text)?;
    let (len, message) = framed.split_first_chunk::<2>().ok_or("an empty stream")?;
    assert_eq!(usize::from(u16::from_be_bytes(*len)), message.len(), "the length is true");
    Ok(message.to_vec())
}

async fn h3(address: SocketAddr, issued: &Issued) -> Result<Link, String> {
    let connection = quic(address, issued, b"h3").await?;
    let (mut driver, sender) =
        h3::client::new(h3_quinn::Connection::new(connection)).await.map_err(text)?;
    tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
    Ok(Link::H3(sender, format!("https://localhost:{}/dns-query", address.port())))
}

async fn over_h3(
    sender: &mut h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>,
    url: &str,
    query: &[u8],
) -> Result<Vec<u8>, String> {
    let request = http::Request::post(url)
        .header("content-type", "application/dns-message")
        .header("accept", "application/dns-message")
        .body(())
        .expect("a request");
    let mut stream = sender.send_request(request).await.map_err(text)?;
    stream.send_data(Bytes::copy_from_slice(query)).await.map_err(text)?;
    stream.finish().await.map_err(text)?;
    let response = stream.recv_response().await.map_err(text)?;
    if response.status() != 200 {
        return Err(format!("{response:?}"));
    }
    let mut message = Vec::new();
    while let Some(mut data) = stream.recv_data().await.map_err(text)? {
        message.extend(data.copy_to_bytes(data.remaining()));
    }
    Ok(message)
}

/// The time the server has to notice that a file has changed.
pub(crate) const NOTICE: Duration = Duration::from_secs(10);
