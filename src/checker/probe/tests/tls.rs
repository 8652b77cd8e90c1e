//! Certificates and handshakes, of https and of tls checks.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A certificate authority, which issues the certificates of servers.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Starts an HTTPS server whose certificate is for `name`, up to `last_year`.
    async fn server(&self, name: &str, last_year: i32, alpn: &[&str]) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        server(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    respond(stream, OK).await;
                }
            }
        })
        .await
    }

    fn options(&self) -> TlsOptions {
        let ca_pem = Some(self.0.pem());
        let expiry = Expiry::default();
        TlsOptions { verify: true, server_name: None, ca_pem, expiry, own: None }
    }
}

fn https(tls: TlsOptions, host: Option<&str>) -> HttpCheck {
    HttpCheck { tls: Some(tls), host: host.map(str::to_owned), ..http() }
}

#[tokio::test]
async fn https_verifies_the_host_against_the_checks_own_authority() {
    let authority = Authority::new();
    let address = authority.server("web.example.com", 2100, &[]).await;
    let own = || authority.options();
    let passed = Ok(Reason::Status(200));
    let failed = |failure| Err(Reason::Tls(failure));
    assert_eq!(probe_http(address, https(own(), Some("web.example.com"))).await, passed);
    let ported = https(own(), Some("web.example.com:8443"));
    assert_eq!(probe_http(address, ported).await, passed);
    let wrong = https(own(), Some("api.example.com"));
    assert_eq!(probe_http(address, wrong.clone()).await, failed(TlsFailure::WrongName));
    let by_name = TlsOptions { server_name: Some("web.example.com".into()), ..own() };
    assert_eq!(probe_http(address, https(by_name, Some("api.example.com"))).await, passed);
    let no_name = probe_http(address, https(own(), None)).await;
    assert_eq!(no_name, failed(TlsFailure::WrongName));
    let stranger = https(Authority::new().options(), Some("web.example.com"));
    let stranger = probe_http(address, stranger).await.unwrap_err();
    assert!(matches!(stranger, Reason::Tls(_)), "{stranger}");
    let unverified = TlsOptions { verify: false, ..own() };
    assert_eq!(probe_http(address, https(unverified, Some("api.example.com"))).await, passed);
}

#[tokio::test]
async fn https_to_an_address_verifies_the_address() {
    let authority = Authority::new();
    let address = authority.server("127.0.0.1", 2100, &["http/1.1"]).await;
    let check = https(authority.options(), None);
    assert_eq!(probe_http(address, check).await, Ok(Reason::Status(200)));
    for elsewhere in ["192.0.2.1", "192.0.2.1:443", "[2001:db8::1]", "0xc0.0.2.1"] {
        let check = https(authority.options(), Some(elsewhere));
        assert!(matches!(probe_http(address, check).await, Err(Reason::Unusable(_))));
    }
    let unverified = TlsOptions { verify: false, ..authority.options() };
    let check = https(unverified, Some("192.0.2.1"));
    assert_eq!(probe_http(address, check).await, Ok(Reason::Status(200)));
}

#[tokio::test]
async fn the_systems_authorities_do_not_vouch_for_a_strangers() {
    let authority = Authority::new();
    let address = authority.server("web.example.com", 2100, &[]).await;
    let options = TlsOptions { ca_pem: None, ..authority.options() };
    let reason = probe_http(address, https(options, Some("web.example.com"))).await.unwrap_err();
    let no_authorities = matches!(reason, Reason::Unusable(_));
    assert!(no_authorities || reason == Reason::Tls(TlsFailure::UnknownIssuer), "{reason}");
}

#[tokio::test]
async fn http_2_is_offered_only_where_it_can_carry_the_host() {
    let authority = Authority::new();
    let address = authority.server("127.0.0.1", 2100, &["h2"]).await;
    let own = probe_http(address, https(authority.options(), None)).await;
    assert_eq!(own, Err(Reason::NotHttp), "agreed on HTTP/2, which this server does not speak");
    let by_name = TlsOptions { server_name: Some("127.0.0.1".into()), ..authority.options() };
    let other = probe_http(address, https(by_name, Some("web.example.com"))).await;
    assert_eq!(other, Err(Reason::Tls(TlsFailure::Alert)), "offered HTTP/1.1 alone");
}

#[tokio::test]
async fn an_expired_certificate_fails_unless_nobody_asks() {
    let authority = Authority::new();
    let address = authority.server("web.example.com", 2020, &[]).await;
    let check = https(authority.options(), Some("web.example.com"));
    let reason = probe_http(address, check).await.unwrap_err();
    assert_eq!(reason.to_string(), "TLS: certificate expired");
    let unverified = TlsOptions { verify: false, ..authority.options() };
    let check = https(unverified, Some("web.example.com"));
    assert_eq!(probe_http(address, check).await, Ok(Reason::Status(200)));
}

#[tokio::test]
async fn a_tls_check_verifies_the_certificate_and_then_talks() {
    let authority = Authority::new();
    let address = authority.server("web.example.com", 2100, &[]).await;
    let named =
        |name: &str| TlsOptions { server_name: Some(name.to_owned()), ..authority.options() };
    let silent = TcpCheck { send: None, expect: None };
    let asks = TcpCheck {
        send: Some(b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        expect: Some(b"all is well".to_vec()),
    };
    let right = || named("web.example.com");
    for (options, talk, expected) in [
        (right(), silent.clone(), Ok("connected")),
        (right(), asks, Ok("received the expected bytes")),
        (named("other.example.com"), silent.clone(), Err("TLS: certificate is for another name")),
        (authority.options(), silent.clone(), Err("TLS: certificate is for another name")),
        (TlsOptions { verify: false, ..authority.options() }, silent.clone(), Ok("connected")),
    ] {
        let found = said(address, CheckKind::Tls(options, talk)).await;
        assert_eq!(as_text(&found), expected);
    }
    let old = authority.server("web.example.com", 2020, &[]).await;
    let found = said(old, CheckKind::Tls(right(), silent)).await;
    assert_eq!(as_text(&found), Err("TLS: certificate expired"));
}

#[tokio::test]
async fn what_is_not_tls_and_what_is_no_authority_is_said_so() {
    let plain = server(|mut stream| async move {
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
    })
    .await;
    let authority = Authority::new();
    let outcome = probe_http(plain, https(authority.options(), None)).await;
    assert_eq!(outcome, Err(Reason::Tls(TlsFailure::NotTls)));
    for junk in ["", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let options = TlsOptions { ca_pem: Some(junk.into()), ..authority.options() };
        let reason = probe_http(plain, https(options, None)).await.unwrap_err();
        assert!(reason.to_string().contains("no usable certificates"), "{reason}");
    }
}

/// Starts a TLS server that shows `certificate`, and wants one of a client if there are `roots`.
async fn showing(
    certificate: rustls::pki_types::CertificateDer<'static>,
    key: &KeyPair,
    roots: Option<rustls::RootCertStore>,
) -> SocketAddr {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match roots {
        None => builder.with_no_client_auth(),
        Some(roots) => {
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_single_cert(vec![certificate], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                respond(stream, OK).await;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_certificate_that_stands_in_the_file_itself_is_trusted_for_its_names() {
    let key = KeyPair::generate().unwrap();
    let names = |names: &[&str], is_ca: bool| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "web.example.com");
        if is_ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params.self_signed(&key).unwrap()
    };
    for (certificate, is_for) in [
        (names(&["web.example.com"], false), true),
        (names(&["web.example.com"], true), true),
        // As `openssl req -x509` makes them: without alternative names.
        (names(&[], true), true),
        (names(&["api.example.com"], true), false),
    ] {
        let address = showing(certificate.der().clone(), &key, None).await;
        let options = TlsOptions {
            verify: true,
            server_name: None,
            ca_pem: Some(certificate.pem()),
            expiry: Expiry::default(),
            own: None,
        };
        let found = probe_http(address, https(options.clone(), Some("web.example.com"))).await;
        let wrong = Err(Reason::Tls(TlsFailure::WrongName));
        assert_eq!(found, if is_for { Ok(Reason::Status(200)) } else { wrong.clone() });
        let found = probe_http(address, https(options, Some("mail.example.com"))).await;
        assert_eq!(found, wrong);
    }
}

#[tokio::test]
async fn a_probe_shows_its_certificate_where_it_is_asked_for_one() {
    let authority = Authority::new();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(authority.0.der().clone()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["web.example.com".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority.0).unwrap();
    let address = showing(certificate.der().clone(), &key, Some(roots)).await;
    let own = crate::zone::ClientCertificate {
        certificate_pem: certificate.pem(),
        key_pem: key.serialize_pem(),
    };
    let with = TlsOptions { own: Some(own.clone()), ..authority.options() };
    let passed = probe_http(address, https(with, Some("web.example.com"))).await;
    assert_eq!(passed, Ok(Reason::Status(200)));
    let without = probe_http(address, https(authority.options(), Some("web.example.com"))).await;
    assert!(without.is_err(), "{without:?}");
    let mut junk = own;
    junk.key_pem = "junk".to_owned();
    let with = TlsOptions { own: Some(junk), ..authority.options() };
    let unusable = probe_http(address, https(with, Some("web.example.com"))).await;
    assert!(matches!(unusable, Err(Reason::Unusable(_))), "{unusable:?}");
}

#[tokio::test]
async fn https_may_be_announced_by_a_proxy_header() {
    let authority = Authority::new();
    let inner = authority.server("web.example.com", 2100, &["http/1.1"]).await;
    // A server behind a proxy: it takes the header off, and from there on it is the other server.
    let address = server(move |mut stream| async move {
        let mut header = [0; 28];
        stream.read_exact(&mut header).await.unwrap();
        assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"));
        let mut behind = TcpStream::connect(inner).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut stream, &mut behind).await;
    })
    .await;
    let kinds = [
        CheckKind::Http(https(authority.options(), Some("web.example.com"))),
        CheckKind::Tls(
            TlsOptions { server_name: Some("web.example.com".into()), ..authority.options() },
            TcpCheck { send: None, expect: None },
        ),
    ];
    for kind in kinds {
        let proxy = Some(crate::zone::ProxyVersion::V2);
        let check = Check { proxy, timeout: AMPLE, interval: AMPLE, ..Check::new(kind) };
        let prober = Prober::new(&check, &Outlets::new(Reach::everywhere()));
        let (outcome, parting) = prober.probe(address).await;
        part(parting).await;
        assert!(outcome.is_ok(), "{outcome:?}");
    }
}
