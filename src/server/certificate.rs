//! The certificate of the encrypted listeners: read from files, and again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};
use tracing::{error, info, warn};
use zeroize::Zeroizing;

use super::files;
use super::versions::Fingerprint;
use crate::clock::date;
use crate::config::EncryptedConfig;
use crate::transport::Certificate;
use crate::x509::{DAY, Validity, certified, dns_names};

/// The largest file that is read, in octets; a chain takes a few kilobytes.
const FILE_LEN_MAX: u64 = 1 << 20;

/// The longest time from the writing of a certificate to the writing of its key.
const RENEWAL_MAX: Duration = Duration::from_secs(2);

/// The files of a certificate, and the certificate that handshakes present.
pub(super) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// The fingerprints of the files when they were last read.
    seen: [Option<Fingerprint>; 2],
    /// Whether trying again may help although the files look the same.
    is_short: bool,
    presented: Arc<Certificate>,
    validity: Option<Validity>,
    /// The time at which files that cannot be presented were first seen, until the log says so.
    /// Before that, one of the two may still be on its way.
    refused_at: Option<Instant>,
    /// The day of the last look at its validity, counted from 1970.
    looked_on: i64,
}

/// An error that keeps a certificate from being presented: the file, the fault, the remedy.
#[derive(Debug)]
pub struct CertificateError {
    text: String,
    /// Whether trying again may help.
    is_passing: bool,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for CertificateError {}

impl CertificateFiles {
    /// Reads the files that `config` names.
    ///
    /// # Errors
    /// [`CertificateError`] if a file is missing or not what it should be, or if the two do not
    /// belong together.
    pub(super) fn load(config: &EncryptedConfig) -> Result<Self, CertificateError> {
        let (certificate, key) = (config.certificate.clone(), config.key.clone());
        // Noted before reading, so that a change during the reading is seen afterwards.
        let seen = look(&certificate, &key);
        let (certified, validity) = read(&certificate, &key)?;
        let presented = Arc::new(Certificate::new(certified));
        let (refused_at, is_short, looked_on) = (None, false, 0);
        let mut files =
            Self { certificate, key, seen, is_short, presented, validity, refused_at, looked_on };
        files.warn_daily();
        Ok(files)
    }

    /// Returns the certificate that handshakes present; it follows the files.
    pub(super) fn presented(&self) -> Arc<Certificate> {
        Arc::clone(&self.presented)
    }

    /// Reads the files again if they changed, or in any case if `forced`. Warns once a day of a
    /// certificate that needs attention. Files that cannot be presented change nothing. The log
    /// tells of them if they still cannot be presented two seconds later, or at once if `forced`.
    pub(super) fn refresh(&mut self, forced: bool) {
        let seen = look(&self.certificate, &self.key);
        let is_due = self.refused_at.is_some_and(|at| at.elapsed() >= RENEWAL_MAX);
        if seen != self.seen || forced || is_due || self.is_short {
            self.seen = seen;
            self.read_again(forced || is_due);
        }
        self.warn_daily();
    }

    fn read_again(&mut self, is_final: bool) {
        match read(&self.certificate, &self.key) {
            Ok((certified, validity)) => {
                let names = certified.cert.first().map_or(Vec::new(), |first| dns_names(first));
                self.presented.replace(certified);
                (self.validity, self.looked_on, self.refused_at) = (validity, 0, None);
                self.is_short = false;
                self.log_read(&names);
            }
            // The log has it already.
            Err(problem) if !is_final && self.is_short && problem.is_passing => {}
            Err(_) if !is_final => {
                self.refused_at.get_or_insert_with(Instant::now);
            }
            Err(problem) => {
                (self.refused_at, self.is_short) = (None, problem.is_passing);
                error!("certificate refused: waypost keeps presenting the previous one: {problem}");
            }
        }
    }

    fn log_read(&self, names: &[String]) {
        let (file, ends) = (self.certificate.display(), self.validity.map(|v| date(v.until)));
        let more = match names.len() {
            0 | 1 => String::new(),
            len => format!(" and {} more", len - 1),
        };
        let name = names.first().map_or("no DNS name", String::as_str);
        let until = ends.as_deref().unwrap_or("an unknown day");
        info!(
            %file, names = names.join(" "), ends,
            "certificate read again from {file}: for {name}{more}, valid until {until}"
        );
    }

    fn warn_daily(&mut self) {
        let today = unix_seconds() / DAY;
        if today != self.looked_on {
            self.looked_on = today;
            self.complaint().inspect(|complaint| warn!("{complaint}"));
        }
    }

    /// Returns a sentence about the certificate if it needs attention.
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = self.validity.and_then(|validity| validity.complaint(unix_seconds()))?;
        Some(format!("the certificate in {} {complaint}", self.certificate.display()))
    }
}

fn unix_seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() as i64
}

fn look(certificate: &Path, key: &Path) -> [Option<Fingerprint>; 2] {
    [certificate, key].map(Fingerprint::of)
}

/// Reads both files and compares them.
fn read(
    certificate: &Path,
    key: &Path,
) -> Result<(CertifiedKey, Option<Validity>), CertificateError> {
    let fail = |text: String| Err(CertificateError { text, is_passing: false });
    let (chain_pem, key_pem) = (read_file(certificate)?, Zeroizing::new(read_file(key)?));
    let (chain_name, key_name) = (certificate.display(), key.display());
    let chain = CertificateDer::pem_slice_iter(&chain_pem).collect::<Result<Vec<_>, _>>();
    let chain = match chain {
        Ok(chain) if !chain.is_empty() => chain,
        _ => {
            return fail(format!(
                "{chain_name} holds no certificate in PEM form: put the certificate there, with \
                 the lines \"-----BEGIN CERTIFICATE-----\" and \"-----END CERTIFICATE-----\""
            ));
        }
    };
    let Ok(private) = PrivateKeyDer::from_pem_slice(&key_pem) else {
        let locked = String::from_utf8_lossy(&key_pem).contains("ENCRYPTED");
        return fail(if locked {
            format!(
                "the key in {key_name} has a passphrase: write it without one, with \
                 `openssl pkey -in {key_name} -out FILE`, readable by the server only"
            )
        } else {
            format!(
                "{key_name} holds no private key in PEM form: put the key there, with the lines \
                 \"-----BEGIN PRIVATE KEY-----\" and \"-----END PRIVATE KEY-----\""
            )
        });
    };
    let validity = chain.first().and_then(|first| Validity::read(first));
    match certified(chain, private) {
        Ok(certified) => Ok((certified, validity)),
        Err(TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch)) => fail(format!(
            "the key in {key_name} does not belong to the first certificate in {chain_name}: \
             put there the certificate that was issued for this key, and the others after it"
        )),
        Err(TlsError::InvalidCertificate(_)) => fail(format!(
            "the first certificate in {chain_name} cannot be read: have it issued again"
        )),
        Err(_) => fail(format!(
            "waypost does not support the kind of key in {key_name}: use ECDSA with P-256 or \
             P-384, Ed25519, or RSA with at least 2048 bits"
        )),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let fail = |why: &dyn fmt::Display| {
        let path = path.display();
        let text = format!("cannot read {path}, which [tls] names: {why}");
        CertificateError { text, is_passing: false }
    };
    let read = files::read(path, FILE_LEN_MAX).map(|(octets, _)| octets);
    read.map_err(|error| CertificateError { is_passing: files::is_passing(&error), ..fail(&error) })
}

#[cfg(test)]
mod tests;
