//! Trust in the certificates that the `ca` of a check holds, as far as OpenSSL, and so curl,
//! trusts.
//!
//! webpki alone is stricter. It takes no server certificate that is in the file itself, as a
//! self-signed one is, none of version 1, and none without alternative names, although its subject
//! names the server.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::x509::{Holder, Validity};

/// The certificates of a `ca`: of authorities, or of servers themselves.
#[derive(Debug)]
pub(super) struct Vouched {
    certificates: Vec<CertificateDer<'static>>,
    by_authority: Arc<WebPkiServerVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Vouched {
    /// Reads the certificates of `pem`; `None` if there are none, or one of them is broken.
    pub(super) fn new(pem: &str, provider: Arc<CryptoProvider>) -> Option<Self> {
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes());
        let certificates: Vec<_> = certificates.collect::<Result<_, _>>().ok()?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).ok()?;
        }
        let algorithms = provider.signature_verification_algorithms;
        let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        Some(Self { certificates, by_authority: builder.build().ok()?, algorithms })
    }

    fn has(&self, certificate: &CertificateDer<'_>) -> bool {
        self.certificates.contains(certificate)
    }
}

impl ServerCertVerifier for Vouched {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = match self.has(certificate) {
            true => verify_itself(certificate, name, now),
            false => self
                .by_authority
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map(|_| ()),
        };
        match verified {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if is_named_by_subject(certificate, name) => Ok(ServerCertVerified::assertion()),
            verified => verified.map(|()| ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.has(certificate) {
            true => verify_signature(message, certificate, signed, &self.algorithms),
            false => self.by_authority.verify_tls12_signature(message, certificate, signed),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        match self.has(certificate) {
            true => verify_signature(message, certificate, signed, &self.algorithms),
            false => self.by_authority.verify_tls13_signature(message, certificate, signed),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.by_authority.supported_verify_schemes()
    }
}

/// Verifies the time and the name of a certificate that is in the `ca` itself, and needs no issuer.
fn verify_itself(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<(), rustls::Error> {
    let validity = Validity::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now > validity.until {
        return Err(CertificateError::Expired.into());
    }
    if now < validity.from {
        return Err(CertificateError::NotValidYet.into());
    }
    // webpki cannot read certificates of version 1; they have no alternative names.
    let parsed = ParsedCertificate::try_from(certificate);
    let parsed = parsed.map_err(|_| CertificateError::NotValidForName)?;
    rustls::client::verify_server_name(&parsed, name)
}

/// Returns whether a certificate without alternative names is for `name` by its subject, in which
/// `*` may be the first label.
fn is_named_by_subject(certificate: &CertificateDer<'_>, name: &ServerName<'_>) -> bool {
    let Some(Holder { common_name: Some(common_name), has_alternative_names: false, .. }) =
        Holder::read(certificate)
    else {
        return false;
    };
    let Ok(common_name) = std::str::from_utf8(common_name) else { return false };
    match name {
        ServerName::DnsName(name) => {
            let name = name.as_ref().trim_end_matches('.');
            let below = name.split_once('.').map(|(_, below)| below);
            common_name.eq_ignore_ascii_case(name)
                || common_name.strip_prefix("*.").is_some_and(|common| {
                    below.is_some_and(|below| below.eq_ignore_ascii_case(common))
                })
        }
        ServerName::IpAddress(ip) => common_name.parse() == Ok(IpAddr::from(*ip)),
        _ => false,
    }
}

/// Verifies what a peer signed with the key of its certificate, whatever the certificate's version.
fn verify_signature(
    message: &[u8],
    certificate: &CertificateDer<'_>,
    signed: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let holder = Holder::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signed.scheme);
    let is_valid = of_scheme.flat_map(|(_, algorithms)| *algorithms).any(|algorithm| {
        algorithm.public_key_alg_id().as_ref() == holder.key_algorithm
            && algorithm.verify_signature(holder.key, message, signed.signature()).is_ok()
    });
    is_valid
        .then(HandshakeSignatureValid::assertion)
        .ok_or_else(|| CertificateError::BadSignature.into())
}
