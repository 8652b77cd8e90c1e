//! The requests of a check's probes, kind by kind, and the keys that each kind has.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use super::Builder;
use super::test::rcode_text;
use crate::config::decode::{List, Map, Period, Spanned};
use crate::config::spec::check::{
    self as spec, CERTIFICATE_FAIL_DEFAULT, Certificate, Kind, METHOD_DEFAULT, PATH_DEFAULT,
    SCRIPT_DEFAULT, USER_DEFAULT,
};
use crate::config::spec::reply::{Expect, Hex, JsonScalar, STATUS_DEFAULT};
use crate::config::spec::test::ExpectedRcode;
use crate::zone::{
    CheckKind, ClientCertificate, DnsCheck, ExecCheck, Expiry, FastcgiCheck, GrpcCheck, HttpCheck,
    HttpExpect, Pattern, Pointer, Scalar, TcpCheck, TlsOptions,
};

/// The longest name of a gRPC service, in octets.
const GRPC_SERVICE_LEN_MAX: usize = 255;
/// The range of the times before the end of a certificate.
const EXPIRY: (Period, Period) = (Period::secs(0), Period::secs(3650 * 86_400));
/// A description of a valid path for error messages.
const PATH: &str = "a path that starts with `/`, in visible ASCII without `#`";

const HTTP: &[Kind] = &[Kind::Http, Kind::Https];
/// The kinds that ask for a page.
const PAGE: &[Kind] = &[Kind::Http, Kind::Https, Kind::Fastcgi];
const FASTCGI: &[Kind] = &[Kind::Fastcgi];
/// The kinds of servers that stand behind proxies.
const PROXY: &[Kind] = &[Kind::Http, Kind::Https, Kind::Tcp, Kind::Tls];
/// The kinds that can keep a connection: https is not one, because each probe looks at the
/// certificate anew.
const PLAIN_HTTP: &[Kind] = &[Kind::Http];
const GRPC: &[Kind] = &[Kind::Grpc, Kind::Grpcs];
const HOSTED: &[Kind] = &[Kind::Http, Kind::Https, Kind::Grpc, Kind::Grpcs];
const TLS: &[Kind] = &[Kind::Https, Kind::Tls, Kind::Grpcs];
const OCTETS: &[Kind] = &[Kind::Tcp, Kind::Tls, Kind::Udp];
const DNS: &[Kind] = &[Kind::Dns];
const SQL: &[Kind] = &[Kind::Mysql, Kind::Postgres];
const EXEC: &[Kind] = &[Kind::Exec];
/// All kinds. `PORT` leaves out the first, and `SOURCE` the last.
const ANY: &[Kind] = &[
    Kind::Icmp,
    Kind::Http,
    Kind::Https,
    Kind::Tcp,
    Kind::Tls,
    Kind::Udp,
    Kind::Dns,
    Kind::Fastcgi,
    Kind::Redis,
    Kind::Mysql,
    Kind::Postgres,
    Kind::Grpc,
    Kind::Grpcs,
    Kind::Exec,
];
/// The kinds that need a port.
const PORT: &[Kind] = ANY.split_at(1).1;
/// The kinds whose probes have a source address: all but commands, which are given the endpoint's.
const SOURCE: &[Kind] = ANY.split_at(ANY.len() - 1).0;
/// The kinds whose probe begins with a connection.
const CONNECTED: &[Kind] = &[
    Kind::Http,
    Kind::Https,
    Kind::Tcp,
    Kind::Tls,
    Kind::Fastcgi,
    Kind::Redis,
    Kind::Mysql,
    Kind::Postgres,
    Kind::Grpc,
    Kind::Grpcs,
];

/// A key that the file writes, the kinds that have it, and its text.
pub(super) type Written = (&'static str, &'static [Kind], Range<usize>);

/// Returns the keys of `check` that not all kinds have.
pub(super) fn written(check: &spec::Check) -> impl Iterator<Item = Written> {
    fn at<T>(key: &Option<Spanned<T>>) -> Option<Range<usize>> {
        key.as_ref().map(|key| key.span.clone())
    }
    fn of<T>(
        expect: Option<&Expect>,
        key: impl FnOnce(&Expect) -> &Option<Spanned<T>>,
    ) -> Option<Range<usize>> {
        expect.and_then(|expect| at(key(expect)))
    }
    let expect = check.expect.as_ref().map(|expect| &expect.value);
    let keys = [
        ("port", PORT, at(&check.port)),
        ("address", ANY, at(&check.address)),
        ("source", SOURCE, at(&check.source)),
        ("proxy", PROXY, at(&check.proxy)),
        ("socket", FASTCGI, at(&check.socket)),
        ("connect_timeout", CONNECTED, at(&check.connect_timeout)),
        ("method", HTTP, at(&check.method)),
        ("path", PAGE, at(&check.path)),
        ("host", HOSTED, at(&check.host)),
        ("headers", HTTP, at(&check.headers)),
        ("body", HTTP, at(&check.body)),
        ("reuse", PLAIN_HTTP, at(&check.reuse)),
        ("expect.status", PAGE, of(expect, |expect| &expect.status)),
        ("expect.headers", PAGE, of(expect, |expect| &expect.headers)),
        ("expect.body", PAGE, of(expect, |expect| &expect.body)),
        ("expect.body_regex", PAGE, of(expect, |expect| &expect.body_regex)),
        ("expect.json", PAGE, of(expect, |expect| &expect.json)),
        ("verify", TLS, at(&check.verify)),
        ("server_name", TLS, at(&check.server_name)),
        ("ca", TLS, at(&check.ca)),
        ("client_certificate", TLS, at(&check.client_certificate)),
        ("client_key", TLS, at(&check.client_key)),
        ("certificate", TLS, at(&check.certificate)),
        ("send", OCTETS, at(&check.send)),
        ("send_hex", OCTETS, at(&check.send_hex)),
        ("expect.text", OCTETS, of(expect, |expect| &expect.text)),
        ("expect.hex", OCTETS, of(expect, |expect| &expect.hex)),
        ("query", DNS, at(&check.query)),
        ("expect.rcode", DNS, of(expect, |expect| &expect.rcode)),
        ("expect.data", DNS, of(expect, |expect| &expect.data)),
        ("grpc_service", GRPC, at(&check.grpc_service)),
        ("user", SQL, at(&check.user)),
        ("command", EXEC, at(&check.command)),
        ("expect.exit", EXEC, of(expect, |expect| &expect.exit)),
    ];
    keys.into_iter().filter_map(|(key, kinds, span)| Some((key, kinds, span?)))
}

impl Builder<'_> {
    /// Returns the request of a check of this kind; `None`, after an error, if it is incomplete.
    pub(super) fn kind(&mut self, kind: Kind, check: &spec::Check) -> Option<CheckKind> {
        Some(match kind {
            Kind::Tcp => CheckKind::Tcp(self.tcp(check)),
            Kind::Tls => CheckKind::Tls(self.tls(check), self.tcp(check)),
            Kind::Http | Kind::Https => CheckKind::Http(self.http(kind, check)),
            Kind::Udp => CheckKind::Udp(self.udp(check)?),
            Kind::Dns => CheckKind::Dns(self.dns(check)?),
            Kind::Fastcgi => CheckKind::Fastcgi(self.fastcgi(check)),
            Kind::Grpc | Kind::Grpcs => CheckKind::Grpc(self.grpc(kind, check)),
            Kind::Redis => CheckKind::Redis,
            Kind::Mysql => CheckKind::Mysql(self.user(check)),
            Kind::Postgres => CheckKind::Postgres(self.user(check)),
            Kind::Icmp => CheckKind::Icmp,
            Kind::Exec => CheckKind::Exec(self.exec(check)?),
        })
    }

    /// Reports keys that this kind does not have.
    pub(super) fn foreign_keys(&mut self, kind: Kind, check: &spec::Check) {
        for (key, kinds, span) in written(check) {
            if !kinds.contains(&kind) {
                let word = kind.word();
                self.decoder
                    .error(&span, format!("`{key}` means nothing in a check of kind {word}"));
            }
        }
    }

    /// Reads a dns check; `None`, after an error, if it has no question.
    fn dns(&mut self, check: &spec::Check) -> Option<DnsCheck> {
        let Some(query) = &check.query else {
            let span = check.kind.as_ref().map_or(0..0, |kind| kind.span.clone());
            let diagnostic = self.decoder.error(&span, "a dns check needs a question");
            diagnostic.help = Some("write `query = \"web A\"`, relative to the zone".to_owned());
            return None;
        };
        let (name, qtype) = self.question(query)?;
        let expect = check.expect.as_ref().map(|expect| &expect.value);
        let rcode = expect.and_then(|expect| expect.rcode.as_ref());
        let data = expect.and_then(|expect| expect.data.as_ref()).map(|data| data.value.clone());
        let rcode = rcode_text(rcode.map_or(ExpectedRcode::NoError, |rcode| rcode.value));
        Some(DnsCheck { name, qtype, rcode: rcode.to_owned(), data })
    }

    fn user(&mut self, check: &spec::Check) -> String {
        let is_user = |text: &str| (1..=32).contains(&text.len()) && visible(text);
        let user = self.word(check.user.as_ref(), is_user, "1 to 32 visible ASCII characters");
        user.unwrap_or_else(|| USER_DEFAULT.to_owned())
    }

    fn tcp(&mut self, check: &spec::Check) -> TcpCheck {
        let expect = check.expect.as_ref().map(|expect| &expect.value);
        let (text, hex) = (expect.and_then(|expect| expect.text.as_ref()), "expect.text");
        let expected = expect.and_then(|expect| expect.hex.as_ref());
        let send = self.octets(("send", check.send.as_ref()), check.send_hex.as_ref());
        TcpCheck { send, expect: self.octets((hex, text), expected) }
    }

    /// Reads a udp check; `None`, after an error, if it sends nothing: no server would answer.
    fn udp(&mut self, check: &spec::Check) -> Option<TcpCheck> {
        let exchange = self.tcp(check);
        if exchange.send.is_none() {
            let span = check.kind.as_ref().map_or(0..0, |kind| kind.span.clone());
            let diagnostic = self.decoder.error(&span, "a udp check needs something to send");
            diagnostic.help = Some("write `send = \"…\"` or `send_hex = \"…\"`".to_owned());
            return None;
        }
        Some(exchange)
    }

    fn fastcgi(&mut self, check: &spec::Check) -> FastcgiCheck {
        if let (Some(port), Some(_)) = (&check.port, &check.socket) {
            self.decoder.error(&port.span, "a Unix socket has no port");
        }
        FastcgiCheck {
            path: self
                .word(check.path.as_ref(), is_path, PATH)
                .unwrap_or_else(|| SCRIPT_DEFAULT.to_owned()),
            socket: self.socket(check.socket.as_ref()),
            expect: self.response(check.expect.as_ref().map(|expect| &expect.value)),
        }
    }

    /// Returns the octets that are written as text or in hexadecimal digits; both is an error.
    fn octets(
        &mut self,
        (key, text): (&str, Option<&Spanned<String>>),
        hex: Option<&Spanned<Hex>>,
    ) -> Option<Vec<u8>> {
        if let (Some(_), Some(hex)) = (text, hex) {
            let message = format!("`{key}` is written as well: leave out one of the two");
            self.decoder.error(&hex.span, message);
        }
        let text = text.map(|text| text.value.clone().into_bytes());
        text.or_else(|| hex.map(|hex| hex.value.0.clone()))
    }

    fn http(&mut self, kind: Kind, check: &spec::Check) -> HttpCheck {
        for (name, _) in check.headers.iter().flat_map(|headers| &headers.value.0) {
            if name.value.eq_ignore_ascii_case("host") {
                self.decoder.error(&name.span, "the Host header is written as `host = …`");
            }
        }
        HttpCheck {
            tls: (kind == Kind::Https).then(|| self.tls(check)),
            method: self
                .word(check.method.as_ref(), is_token, "a method such as \"GET\"")
                .unwrap_or_else(|| METHOD_DEFAULT.to_owned()),
            path: self
                .word(check.path.as_ref(), is_path, PATH)
                .unwrap_or_else(|| PATH_DEFAULT.to_owned()),
            host: self.host(check),
            headers: self.headers(check.headers.as_ref()),
            body: check.body.as_ref().map(|body| body.value.clone()),
            reuse: check.reuse.as_ref().is_some_and(|reuse| reuse.value),
            expect: self.response(check.expect.as_ref().map(|expect| &expect.value)),
        }
    }

    fn host(&mut self, check: &spec::Check) -> Option<String> {
        self.word(check.host.as_ref(), is_host, "a host name or an address")
    }

    /// Reads the conditions that the response to an HTTP request must meet.
    fn response(&mut self, expect: Option<&Expect>) -> HttpExpect {
        let status = expect.and_then(|expect| expect.status.as_ref()).map_or_else(
            || vec![STATUS_DEFAULT],
            |status| status.value.0.iter().map(|status| status.value.0).collect(),
        );
        let body = expect.and_then(|expect| expect.body.as_ref());
        let headers = expect.and_then(|expect| expect.headers.as_ref());
        self.not_empty(headers, "expect.headers");
        HttpExpect {
            status,
            headers: self.headers(headers),
            body: body.map(|body| body.value.clone()),
            body_regex: self.pattern(expect.and_then(|expect| expect.body_regex.as_ref())),
            json: self.json(expect.and_then(|expect| expect.json.as_ref())),
        }
    }

    fn json(&mut self, json: Option<&Spanned<Map<JsonScalar>>>) -> Vec<(Pointer, Scalar)> {
        self.not_empty(json, "expect.json");
        let mut kept = Vec::new();
        for (pointer, value) in json.iter().flat_map(|json| &json.value.0) {
            match Pointer::new(&pointer.value) {
                Some(pointer) => kept.push((pointer, value.value.0.clone())),
                None => {
                    let found = pointer.value.escape_default();
                    let message = format!("expected a JSON Pointer, found \"{found}\"");
                    let help =
                        "such as \"/checks/0/state\"; `~1` is a slash in a name, `~0` a tilde";
                    self.decoder.error(&pointer.span, message).help = Some(help.to_owned());
                }
            }
        }
        kept
    }

    /// Reports a table that expects nothing, which is surely a mistake.
    fn not_empty<T>(&mut self, table: Option<&Spanned<Map<T>>>, key: &str) {
        if let Some(table) = table.filter(|table| table.value.0.is_empty()) {
            self.decoder.error(&table.span, format!("`{key}` is empty: it would pass anything"));
        }
    }

    fn grpc(&mut self, kind: Kind, check: &spec::Check) -> GrpcCheck {
        let is_service = |text: &str| text.len() <= GRPC_SERVICE_LEN_MAX && visible(text);
        let service = "a service's name in visible ASCII, 255 octets at most";
        let service = self.word(check.grpc_service.as_ref(), is_service, service);
        GrpcCheck {
            tls: (kind == Kind::Grpcs).then(|| self.tls(check)),
            host: self.host(check),
            service: service.unwrap_or_default(),
        }
    }

    /// Reads an exec check; `None`, after an error, if it names no program, or if commands are not
    /// allowed.
    fn exec(&mut self, check: &spec::Check) -> Option<ExecCheck> {
        let kind = check.kind.as_ref().map_or(0..0, |kind| kind.span.clone());
        let Some(command) = &check.command else {
            let help = "write `command = [\"/absolute/path\", \"argument\"]`";
            let diagnostic = self.decoder.error(&kind, "an exec check needs a command");
            diagnostic.help = Some(help.to_owned());
            return None;
        };
        if !self.allowed.exec {
            let message = "this server runs no commands for checks";
            let help = "`[checks] exec = true` in waypost.toml lets zone files name commands";
            self.decoder.error(&kind, message).help = Some(help.to_owned());
            return None;
        }
        let expect = check.expect.as_ref().and_then(|expect| expect.value.exit.as_ref());
        let exit = expect.map(|exit| exit.value.0.iter().map(|exit| exit.value.as_u8()).collect());
        let (program, arguments) = self.words(command)?;
        Some(ExecCheck { program, arguments, exit: exit.unwrap_or_else(|| vec![0]) })
    }

    /// Reads a program and its arguments; `None` after an error.
    fn words(&mut self, command: &Spanned<List<String>>) -> Option<(String, Vec<String>)> {
        let words = &command.value.0;
        let mut is_sound = true;
        for word in words.iter().filter(|word| word.value.contains('\0')) {
            self.decoder.error(&word.span, "no word of a command can have a NUL");
            is_sound = false;
        }
        let (program, arguments) = words.split_first()?;
        if !program.value.starts_with('/') {
            let message = format!("expected an absolute path, found \"{}\"", program.value);
            let help = "write the full path of the program: neither a shell nor PATH finds it";
            self.decoder.error(&program.span, message).help = Some(help.to_owned());
            is_sound = false;
        }
        let arguments = arguments.iter().map(|word| word.value.clone()).collect();
        is_sound.then(|| (program.value.clone(), arguments))
    }

    fn pattern(&mut self, written: Option<&Spanned<String>>) -> Option<Pattern> {
        let written = written?;
        let (message, help) = match Pattern::new(&written.value) {
            Ok(pattern) => return Some(pattern),
            Err(regex::Error::Syntax(text)) => {
                let cause = text.lines().last().unwrap_or_default();
                let cause = cause.trim_start_matches("error: ");
                let syntax = "the syntax is that of https://docs.rs/regex/1/regex/#syntax";
                (format!("not a regular expression: {cause}"), syntax)
            }
            Err(_) => {
                let message = "this regular expression takes more than 1 MiB once compiled";
                (message.to_owned(), "repeat less in it: `{1000}` copies what it repeats")
            }
        };
        self.decoder.error(&written.span, message).help = Some(help.to_owned());
        None
    }

    fn tls(&mut self, check: &spec::Check) -> TlsOptions {
        let ca = check.ca.as_ref().and_then(|path| self.pem(path, "CERTIFICATE"));
        let verify = check.verify.as_ref().is_none_or(|verify| verify.value);
        TlsOptions {
            verify,
            server_name: self.word(check.server_name.as_ref(), is_name, "a name without a port"),
            ca_pem: ca,
            expiry: self.expiry(check.certificate.as_ref(), verify),
            own: self.client_certificate(check),
        }
    }

    /// Reads the certificate that a probe presents, with its key, which may be in the same file.
    fn client_certificate(&mut self, check: &spec::Check) -> Option<ClientCertificate> {
        let Some(certificate) = &check.client_certificate else {
            if let Some(key) = &check.client_key {
                let message = "a key without its certificate: `client_certificate` is missing";
                self.decoder.error(&key.span, message);
            }
            return None;
        };
        let key = check.client_key.as_ref().unwrap_or(certificate);
        let certificate_pem = self.pem(certificate, "CERTIFICATE");
        let key_pem = self.pem(key, "PRIVATE KEY");
        Some(ClientCertificate { certificate_pem: certificate_pem?, key_pem: key_pem? })
    }

    /// Returns the text of a PEM file. Reports an error if the file has no section whose label ends
    /// in `label` (RFC 7468 §2).
    fn pem(&mut self, path: &Spanned<String>, label: &str) -> Option<String> {
        let source = self.beside(path)?;
        let mut begins = source.text.lines().filter_map(|line| line.strip_prefix("-----BEGIN "));
        if !begins.any(|line| line.trim_end().trim_end_matches('-').ends_with(label)) {
            let what = label.to_lowercase();
            let message = format!("{} holds no PEM {what}", source.path.display());
            self.decoder.error(&path.span, message);
        }
        Some(source.text.clone())
    }

    fn expiry(&mut self, written: Option<&Spanned<Certificate>>, verify: bool) -> Expiry {
        let written = written.map(|written| &written.value);
        let warn = written.and_then(|written| written.warn.as_ref());
        let warn = warn.map(|warn| self.decoder.period(warn, EXPIRY));
        let fail = written.map(|written| self.decoder.period(&written.fail, EXPIRY));
        Expiry {
            // Without verification the end of the certificate does not matter, unless the file says
            // so.
            warn: warn.or((!verify).then_some(Duration::ZERO)),
            fail: fail.unwrap_or(CERTIFICATE_FAIL_DEFAULT.0),
        }
    }

    fn headers(&mut self, headers: Option<&Spanned<Map<String>>>) -> Vec<(String, String)> {
        let mut kept = Vec::new();
        for (name, value) in headers.iter().flat_map(|headers| &headers.value.0) {
            let name = self.word(Some(name), is_token, "the name of a header");
            let sendable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
            let value = self.word(Some(value), sendable, "a value in ASCII, without line breaks");
            kept.extend(name.zip(value));
        }
        kept
    }

    /// Returns `text` if it passes `test`, otherwise reports an error. Such a word goes on the wire
    /// as it is.
    pub(super) fn word(
        &mut self,
        text: Option<&Spanned<String>>,
        test: impl Fn(&str) -> bool,
        what: &str,
    ) -> Option<String> {
        let text = text?;
        if test(&text.value) {
            return Some(text.value.clone());
        }
        let found = text.value.escape_default();
        self.decoder.error(&text.span, format!("expected {what}, found \"{found}\""));
        None
    }
}

/// Returns whether `text` can be the target of a request.
fn is_path(text: &str) -> bool {
    text.starts_with('/') && !text.contains('#') && visible(text)
}

/// Returns whether all of `text` is visible ASCII.
fn visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether `text` is a token of HTTP (RFC 9110 §5.6.2).
pub(super) fn is_token(text: &str) -> bool {
    let symbol = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
}

/// Returns whether `text` can be a host, an address, or either with a port.
fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let named = match text.rsplit_once(':') {
        Some((name, port)) => port.parse::<u16>().is_ok().then_some(name),
        None => Some(text),
    };
    bare.parse::<IpAddr>().is_ok()
        || text.parse::<SocketAddr>().is_ok()
        || named.is_some_and(is_name)
}

/// Returns whether `text` can be a host name or an address.
fn is_name(text: &str) -> bool {
    let symbol = |byte| b"-._".contains(&byte);
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte));
    text.parse::<IpAddr>().is_ok() || !text.is_empty() && is_name
}
