//! Encrypted listeners and their certificate.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::config::decode::{Decoder, OneOrMany, Spanned};
use crate::config::spec::server::{Listen, Socket, Tls};

/// The encrypted listeners, at least one address, and their certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncryptedConfig {
    /// The file with the certificate, followed by those that signed it.
    pub certificate: PathBuf,
    /// The file with the private key of the certificate.
    pub key: PathBuf,
    /// Addresses of DNS over TLS.
    pub tls: Vec<SocketAddr>,
    /// Addresses of DNS over HTTPS.
    pub https: Vec<SocketAddr>,
    /// Addresses of DNS over QUIC.
    pub quic: Vec<SocketAddr>,
    /// Addresses of DNS over HTTPS in HTTP/3.
    pub h3: Vec<SocketAddr>,
    /// The path of DNS over HTTPS, which starts with a slash.
    pub https_path: String,
}

impl EncryptedConfig {
    /// Returns all addresses of the listeners.
    pub fn addresses(&self) -> impl Iterator<Item = &SocketAddr> {
        [&self.tls, &self.https, &self.quic, &self.h3].into_iter().flatten()
    }
}

/// Reads the encrypted listeners from `[listen]` and `[tls]`. `is_broken` tells that a part of the
/// file could not be read.
pub(super) fn build(
    listen: Option<&Spanned<Listen>>,
    tls: Option<Spanned<Tls>>,
    is_broken: bool,
    decoder: &mut Decoder,
) -> Option<EncryptedConfig> {
    let lists = listen.map(|Spanned { value, .. }| {
        [&value.tls, &value.https, &value.quic, &value.h3].map(Option::as_ref)
    });
    let first = lists.iter().flatten().flatten().min_by_key(|list| list.span.start);
    let (listen, tls) = match (listen, first, tls) {
        (Some(listen), Some(_), Some(tls)) => (&listen.value, tls),
        // A table that could not be read has been reported.
        (_, Some(_), None) if is_broken => return None,
        (_, Some(first), None) => {
            let without = "an encrypted listener needs a certificate, and there is no [tls]";
            let help = "add [tls] with certificate = \"FILE\" and key = \"FILE\", both PEM";
            decoder.error(&first.span, without).help = Some(help.to_owned());
            return None;
        }
        (_, _, Some(tls)) => {
            let help = "add tls, https, quic or h3 with addresses to [listen]";
            decoder.warning(&tls.span, "no listener uses this certificate").help =
                Some(help.to_owned());
            return None;
        }
        (_, None, None) => return None,
    };
    let path = &listen.https_path;
    if !path.value.starts_with('/') || !path.value.bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("expected a path, found \"{}\"", path.value);
        decoder.error(&path.span, message).help = Some("such as \"/dns-query\"".to_owned());
    }
    let Tls { certificate, key, .. } = tls.value;
    Some(EncryptedConfig {
        certificate: certificate?.value.into(),
        key: key?.value.into(),
        tls: addresses(listen.tls.as_ref()),
        https: addresses(listen.https.as_ref()),
        quic: addresses(listen.quic.as_ref()),
        h3: addresses(listen.h3.as_ref()),
        https_path: path.value.clone(),
    })
}

fn addresses(list: Option<&Spanned<OneOrMany<Socket>>>) -> Vec<SocketAddr> {
    let sockets = list.iter().flat_map(|list| &list.value.0);
    sockets.flat_map(|socket| socket.value.0.clone()).collect()
}
