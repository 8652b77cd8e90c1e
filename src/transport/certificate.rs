//! The certificate that TLS handshakes present; it can be replaced while the listeners serve.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, crypto::CryptoProvider};

/// A certificate with its key, for every listener. Only handshakes read it.
pub struct Certificate(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    /// Creates a certificate that presents `certified`.
    pub fn new(certified: CertifiedKey) -> Self {
        Self(RwLock::new(Arc::new(certified)))
    }

    /// Presents `certified` from the next handshake on; open connections stay.
    pub fn replace(&self, certified: CertifiedKey) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }

    /// Returns what is presented now.
    pub fn newest(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the cryptography of all listeners.
    pub fn provider() -> CryptoProvider {
        ring::default_provider()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.newest())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").finish_non_exhaustive()
    }
}

/// Configures TLS for the listeners of one protocol. A client that asks for a protocol must ask for
/// one of `alpn`.
///
/// # Errors
/// None with the provider that is used here, but rustls cannot know.
pub(super) fn server_config(
    certificate: Arc<Certificate>,
    alpn: &[&[u8]],
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(Certificate::provider()));
    let mut config = builder
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}
