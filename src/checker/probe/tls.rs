//! TLS of the https probes: who is trusted, shared between probers that trust the same.
//!
//! Every configuration names ring as its provider; no process-wide default is set or needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::BuilderVerifierExt;

use super::Reason;
use crate::zone::TlsOptions;

const UNUSABLE_CA: Reason =
    Reason::Unusable("the check's ca holds no usable certificates: it must be PEM");
const NO_SYSTEM_CA: Reason =
    Reason::Unusable("this system has no certificate authorities: install them or set ca");
const UNUSABLE_TLS: Reason = Reason::Unusable("no TLS could be set up for the check");

/// The configurations in use, by what they trust. Loading the system's authorities costs
/// milliseconds and a few hundred KiB; a thousand endpoints share it.
#[derive(Debug, Default)]
pub(super) struct Configs(Mutex<HashMap<Trust, Weak<ClientConfig>>>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Trust {
    Anyone,
    System,
    Pem(String),
}

impl Configs {
    /// # Errors
    /// What is wrong with the check's authorities, or with the system's.
    pub(super) fn config_for(&self, options: &TlsOptions) -> Result<Arc<ClientConfig>, Reason> {
        let trust = match &options.ca_pem {
            _ if !options.verify => Trust::Anyone,
            Some(pem) => Trust::Pem(pem.clone()),
            None => Trust::System,
        };
        let mut configs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs.get(&trust).and_then(Weak::upgrade) {
            return Ok(config);
        }
        let config = Arc::new(build(&trust)?);
        configs.retain(|_, config| config.strong_count() > 0);
        configs.insert(trust, Arc::downgrade(&config));
        Ok(config)
    }
}

fn build(trust: &Trust) -> Result<ClientConfig, Reason> {
    let builder = versions().ok_or(UNUSABLE_TLS)?;
    let builder = match trust {
        Trust::Anyone => {
            let verifier = Arc::new(TrustAnyone(Arc::clone(builder.crypto_provider())));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        }
        Trust::System => builder.with_platform_verifier().map_err(|_| NO_SYSTEM_CA)?,
        Trust::Pem(pem) => builder.with_root_certificates(roots(pem).ok_or(UNUSABLE_CA)?),
    };
    let mut config = builder.with_no_client_auth();
    // A resumed session would not show that its certificate has expired since.
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn versions() -> Option<ConfigBuilder<ClientConfig, rustls::WantsVerifier>> {
    let provider = Arc::new(ring::default_provider());
    ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()
}

/// Every certificate of `pem`; `None` if there is none, or one of them is broken.
fn roots(pem: &str) -> Option<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.ok()?).ok()?;
    }
    (!roots.is_empty()).then_some(roots)
}

/// `verify = false`: whatever certificate and signature a peer shows, however old its kind.
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
