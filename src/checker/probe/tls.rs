//! TLS for the probes: the configurations, shared between probers with the same trust, and the
//! handshake.
//!
//! Every configuration names ring as its provider; no process-wide default is set or needed.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::attempt::Attempt;
use super::connect::Connection;
use super::vouched::Vouched;
use super::{Outlets, Reason};
use crate::x509::{Validity, certified};
use crate::zone::{ClientCertificate, TlsOptions};

const UNUSABLE_CA: Reason =
    Reason::Unusable("the check's ca holds no usable certificates: it must be PEM");
const NO_SYSTEM_CA: Reason = Reason::Unusable(
    "this system has no certificate authorities: install them, or set ca in the check",
);
const UNUSABLE_NAME: Reason = Reason::Unusable("the check's server_name is not a host name");
const UNUSABLE_OWN: Reason = Reason::Unusable(
    "the check's client_certificate and client_key do not hold a certificate and its key as PEM",
);
const UNUSABLE_TLS: Reason = Reason::Unusable("no TLS could be set up for the check");

/// The configurations in use, by their terms. Loading the system's authorities costs milliseconds
/// and a few hundred KiB; a thousand endpoints share them.
#[derive(Debug, Default)]
pub(super) struct Configs(Mutex<HashMap<Terms, Weak<ClientConfig>>>);

/// The trust of a probe, and its own certificate.
type Terms = (Trust, Option<ClientCertificate>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trust {
    Anyone,
    System,
    Pem(String),
}

/// A handshake, the same with each peer.
#[derive(Debug)]
pub(super) struct Handshake {
    config: Arc<ClientConfig>,
    /// The name that the certificate must be for; `None` for the address.
    name: Option<ServerName<'static>>,
}

impl Handshake {
    /// Makes a handshake for the server name of `options`, otherwise `host`, otherwise the address.
    ///
    /// # Errors
    /// [`Reason::Unusable`], which says what about the check to change.
    pub(super) fn new(
        options: &TlsOptions,
        host: Option<&str>,
        outlets: &Outlets,
    ) -> Result<Self, Reason> {
        let name = options.server_name.as_deref().or(host);
        let name = name.map(|name| ServerName::try_from(name.to_owned()));
        let name = name.transpose().map_err(|_| UNUSABLE_NAME)?;
        Ok(Self { config: outlets.tls.config_for(options)?, name })
    }

    /// Offers `protocol` as the only one to speak (RFC 7301).
    pub(super) fn speaking(self, protocol: &[u8]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = vec![protocol.to_vec()];
        Self { config: Arc::new(config), ..self }
    }

    /// Shakes hands with `address` over `stream`; returns also when its certificate is valid.
    pub(super) async fn shake(
        &self,
        address: SocketAddr,
        stream: Connection,
        attempt: &Attempt,
    ) -> Result<(TlsStream<Connection>, Option<Validity>), Reason> {
        attempt.shakes();
        let name = self.name.clone().unwrap_or_else(|| ServerName::from(address.ip()));
        let shaken = TlsConnector::from(Arc::clone(&self.config)).connect(name, stream).await;
        let stream = shaken.map_err(|error| Reason::of_tls(&error))?;
        let chain = stream.get_ref().1.peer_certificates();
        let validity = chain.and_then(|chain| Validity::read(chain.first()?));
        Ok((stream, validity))
    }
}

/// Returns the name in a host such as `web.example.com:8443`, or the address in
/// `[2001:db8::1]:8443`.
pub(super) fn host_name(host: &str) -> &str {
    let is_port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let bare = match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && (!name.contains(':') || name.ends_with(']')) => name,
        _ => host,
    };
    bare.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(bare)
}

impl Configs {
    /// Returns the configuration for `options`, which others may share.
    ///
    /// # Errors
    /// [`Reason::Unusable`] if the check's authorities or its own certificate, or the system's
    /// authorities, cannot be used.
    pub(super) fn config_for(&self, options: &TlsOptions) -> Result<Arc<ClientConfig>, Reason> {
        let trust = match &options.ca_pem {
            _ if !options.verify => Trust::Anyone,
            Some(pem) => Trust::Pem(pem.clone()),
            None => Trust::System,
        };
        let terms = (trust, options.own.clone());
        let mut configs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&terms).and_then(Weak::upgrade) {
            return Ok(config);
        }
        let config = Arc::new(build(&terms)?);
        configs.retain(|_, config| config.strong_count() > 0);
        configs.insert(terms, Arc::downgrade(&config));
        Ok(config)
    }
}

fn build((trust, own): &Terms) -> Result<ClientConfig, Reason> {
    let builder = versions().ok_or(UNUSABLE_TLS)?;
    let provider = Arc::clone(builder.crypto_provider());
    let builder = match trust {
        Trust::Anyone => {
            let verifier = Arc::new(TrustAnyone(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        Trust::System => builder.with_platform_verifier().map_err(|_| NO_SYSTEM_CA)?,
        Trust::Pem(pem) => {
            let verifier = Arc::new(Vouched::new(pem, provider).ok_or(UNUSABLE_CA)?);
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
    };
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let (chain, key) = shown(own).ok_or(UNUSABLE_OWN)?;
            let certified = certified(chain, key).map_err(|_| UNUSABLE_OWN)?;
            builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
    };
    // A resumed session would not show that its certificate has expired since.
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Reads the chain and the key that a client shows; `None` if either cannot be read.
fn shown(
    own: &ClientCertificate,
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = CertificateDer::pem_slice_iter(own.certificate_pem.as_bytes());
    let chain: Vec<_> = chain.collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(own.key_pem.as_bytes()).ok()?;
    (!chain.is_empty()).then_some((chain, key))
}

fn versions() -> Option<ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()
}

/// The trust of `verify = false`: any certificate and signature that a peer shows, of any age.
#[derive(Debug)]
struct TrustAnyone(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
