use super::*;

/// Issues a certificate and its key, both PEM, valid from 2024 to the end of `year`.
fn issue(year: i32) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut parameters = rcgen::CertificateParams::new(["ns1.example.com".into()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2024, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year, 12, 31);
    (parameters.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

/// Returns the problem of a certificate file and a key file with these texts; `None` for no such
/// file.
fn problem(certificate: Option<&str>, key: Option<&str>) -> String {
    let directory = tempfile::tempdir().unwrap();
    let paths = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    for (path, text) in paths.iter().zip([certificate, key]) {
        if let Some(text) = text {
            std::fs::write(path, text).unwrap();
        }
    }
    let problem = read(&paths[0], &paths[1]).err().map(|error| error.to_string());
    problem.unwrap_or_default().replace(&format!("{}/", directory.path().display()), "")
}

/// Returns the settings of listeners that present these files.
fn config(certificate: &Path, key: &Path) -> EncryptedConfig {
    EncryptedConfig {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        tls: vec![],
        https: vec![],
        quic: vec![],
        h3: vec![],
        https_path: "/dns-query".into(),
    }
}

#[test]
fn what_is_wrong_with_a_file_is_said_with_its_name() {
    let ((certificate, key), (_, other)) = (issue(2050), issue(2050));
    assert_eq!(problem(Some(&certificate), Some(&key)), "");
    let missing = "cannot read cert.pem, which [tls] names: No such file or directory (os error 2)";
    assert_eq!(problem(None, Some(&key)), missing);
    let no_key = problem(Some(&certificate), None);
    assert!(no_key.starts_with("cannot read key.pem"), "{no_key}");
    for text in ["", "hello", &key, &certificate[..certificate.len() / 2]] {
        let problem = problem(Some(text), Some(&key));
        assert!(problem.starts_with("cert.pem holds no certificate in PEM form"), "{problem}");
    }
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let unreadable = problem(Some(broken), Some(&key));
    assert!(unreadable.contains("certificate in cert.pem cannot be read"), "{unreadable}");
    let swapped = problem(Some(&certificate), Some(&certificate));
    assert!(swapped.starts_with("key.pem holds no private key in PEM form"), "{swapped}");
    let locked = key.replace("PRIVATE", "ENCRYPTED PRIVATE");
    let locked = problem(Some(&certificate), Some(&locked));
    assert!(locked.starts_with("the key in key.pem has a passphrase"), "{locked}");
    let mismatch = problem(Some(&certificate), Some(&other));
    assert!(mismatch.contains("key.pem does not belong to the first certificate"), "{mismatch}");
}

#[test]
fn a_broken_renewal_changes_nothing_and_a_good_one_is_presented() {
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let (old, new) = (issue(2050), issue(2050));
    let put = |pair: &(String, String)| {
        std::fs::write(&certificate, &pair.0).unwrap();
        std::fs::write(&key, &pair.1).unwrap();
    };
    put(&old);
    let config = config(&certificate, &key);
    let mut files = CertificateFiles::load(&config).unwrap();
    let first = files.presented().newest();
    files.refresh(false);
    assert!(Arc::ptr_eq(&files.presented().newest(), &first), "nothing changed");

    std::fs::write(&certificate, &new.0).unwrap();
    files.refresh(false);
    assert!(Arc::ptr_eq(&files.presented().newest(), &first), "half of a renewal");

    put(&new);
    files.refresh(false);
    assert_ne!(files.presented().newest().cert, first.cert);
}

#[test]
fn half_of_a_renewal_is_no_error_until_the_other_half_stays_away() {
    let directory = tempfile::tempdir().unwrap();
    let [certificate, key] = ["cert.pem", "key.pem"].map(|name| directory.path().join(name));
    let (old, new) = (issue(2050), issue(2050));
    std::fs::write(&certificate, &old.0).unwrap();
    std::fs::write(&key, &old.1).unwrap();
    let config = config(&certificate, &key);
    let mut files = CertificateFiles::load(&config).unwrap();
    std::fs::write(&certificate, &new.0).unwrap();
    files.refresh(false);
    assert!(files.refused_at.is_some(), "it waits for the other half");
    std::fs::write(&key, &new.1).unwrap();
    files.refresh(false);
    assert!(files.refused_at.is_none(), "both halves are there");
    std::fs::write(&key, &old.1).unwrap();
    files.refresh(true);
    assert!(files.refused_at.is_none(), "whoever asks is told at once");
}
