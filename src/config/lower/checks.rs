//! Health checks: named ones, and those written beside what they guard.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::Lowering;
use crate::config::decode::{At, Named};
use crate::config::spec::{CheckRef, CheckTable, Kind, Period};
use crate::zone::{Check, CheckKind, HttpCheck, StatusRange, TcpCheck, TlsOptions};

const INTERVAL: Duration = Duration::from_secs(5);
const INTERVAL_MIN: Duration = Duration::from_millis(100);
const INTERVAL_MAX: Duration = Duration::from_secs(86_400);
/// The default timeout is half the interval, but a server that needs longer is not well.
const TIMEOUT_MAX: Duration = Duration::from_secs(5);
const RISE: u8 = 2;
const FALL: u8 = 3;
/// Redirects count as alive: they are answers, and are not followed.
const STATUS: StatusRange = StatusRange { first: 200, last: 399 };

/// The checks of a zone file by name.
pub(super) struct Checks {
    named: BTreeMap<String, (At<String>, Option<Arc<Check>>)>,
    used: RefCell<BTreeSet<String>>,
}

impl Checks {
    pub(super) fn new(tables: Option<&Named<CheckTable>>, lowering: &mut Lowering<'_>) -> Self {
        let named = tables
            .iter()
            .flat_map(|tables| &tables.0)
            .map(|(name, table)| {
                let check = check(&table.value, lowering).map(Arc::new);
                (name.value.clone(), (name.clone(), check))
            })
            .collect();
        Self { named, used: RefCell::default() }
    }

    /// The check that `reference` means; `None` for no check, or one that is wrong and said so.
    pub(super) fn find(
        &self,
        reference: &At<CheckRef>,
        lowering: &mut Lowering<'_>,
    ) -> Option<Arc<Check>> {
        match &reference.value {
            CheckRef::Off => None,
            CheckRef::Table(table) => check(table, lowering).map(Arc::new),
            CheckRef::Name(name) => {
                self.used.borrow_mut().insert(name.clone());
                if let Some((_, check)) = self.named.get(name) {
                    return check.clone();
                }
                let known = self.named.keys().map(String::as_str);
                lowering.decoder.unknown(&reference.span, "check", name, known);
                None
            }
        }
    }

    pub(super) fn warn_of_unused(&self, lowering: &mut Lowering<'_>) {
        let used = self.used.borrow();
        for (name, _) in self.named.values().filter(|(name, _)| !used.contains(&name.value)) {
            let message = format!("no service uses the check `{}`", name.value);
            lowering.decoder.warn(&name.span, message, "name it in a service, or drop it");
        }
    }
}

fn check(table: &CheckTable, lowering: &mut Lowering<'_>) -> Option<Check> {
    let Some(kind) = &table.kind else {
        if !table.has("kind") {
            lowering.decoder.missing(&table.span, "kind", "\"http\"");
        }
        return None;
    };
    refuse_foreign_keys(table, kind.value, lowering);
    let timing = timing(table, lowering);
    let kind = match kind.value {
        Kind::Http | Kind::Https => CheckKind::Http(http(table, kind.value, lowering)?),
        Kind::Tcp => CheckKind::Tcp(tcp(table)),
    };
    let (interval, timeout) = timing?;
    Some(Check {
        kind,
        port: table.port.as_ref().map(|port| port.value.0 as u16),
        interval,
        timeout,
        rise: table.rise.as_ref().map_or(RISE, |rise| rise.value.0 as u8),
        fall: table.fall.as_ref().map_or(FALL, |fall| fall.value.0 as u8),
    })
}

/// Reports keys that mean nothing to this kind of check.
fn refuse_foreign_keys(table: &CheckTable, kind: Kind, lowering: &mut Lowering<'_>) {
    let mut refuse = |is_foreign: bool, key: &str, word: &str| {
        if is_foreign && table.has(key) {
            let message = format!("`{key}` means nothing to a check of kind `{word}`");
            lowering.decoder.error(&table.span, message);
        }
    };
    let is_tcp = kind == Kind::Tcp;
    for key in ["path", "host", "method", "headers"] {
        refuse(is_tcp, key, "tcp");
    }
    for key in ["verify", "server_name", "ca"] {
        refuse(kind != Kind::Https, key, if is_tcp { "tcp" } else { "http" });
    }
    refuse(!is_tcp, "send", "http");
    let Some(expect) = &table.expect else { return };
    let foreign: &[&str] = if is_tcp { &["status", "body"] } else { &["text"] };
    for key in foreign.iter().filter(|key| expect.has(key)) {
        let word = if is_tcp { "tcp" } else { "http" };
        let message = format!("`{key}` means nothing to a check of kind `{word}`");
        lowering.decoder.error(&expect.span, message);
    }
}

/// Interval and timeout.
fn timing(table: &CheckTable, lowering: &mut Lowering<'_>) -> Option<(Duration, Duration)> {
    let interval = match &table.interval {
        None => INTERVAL,
        Some(At { value: Period(interval), span }) => {
            if !(INTERVAL_MIN..=INTERVAL_MAX).contains(interval) {
                lowering.decoder.error(span, "an interval can be 100ms to 1d");
                return None;
            }
            *interval
        }
    };
    let timeout = match &table.timeout {
        None => (interval / 2).min(TIMEOUT_MAX),
        Some(At { value: Period(timeout), span }) => {
            if timeout.is_zero() || *timeout > interval {
                let message = format!("a timeout can be 1ms to the interval, {interval:?}");
                lowering.decoder.error(span, message);
                return None;
            }
            *timeout
        }
    };
    Some((interval, timeout))
}

fn http(table: &CheckTable, kind: Kind, lowering: &mut Lowering<'_>) -> Option<HttpCheck> {
    let mut text = |key: &str, written: Option<&At<String>>| {
        if let Some(written) = written
            && !is_plain(&written.value)
        {
            let message = format!("`{key}` goes into a request: printable ASCII only");
            lowering.decoder.error(&written.span, message);
        }
        written.map(|written| written.value.clone())
    };
    let path = text("path", table.path.as_ref());
    let host = text("host", table.host.as_ref());
    let method = text("method", table.method.as_ref());
    let server_name = text("server_name", table.server_name.as_ref());
    let headers: Vec<(String, String)> = table
        .headers
        .iter()
        .flat_map(|headers| &headers.0)
        .filter_map(|(name, value)| {
            text("headers", Some(name));
            Some((name.value.clone(), text("headers", Some(value))?))
        })
        .collect();
    if let Some(path) = table.path.as_ref().filter(|path| !path.value.starts_with('/')) {
        let help = format!("write \"/{}\"", path.value);
        lowering.decoder.error_with_help(&path.span, "a path starts with `/`", help);
    }
    refuse_bad_tokens(table, &headers, lowering);
    let ca_pem = match &table.ca {
        Some(ca) => Some(lowering.file(ca)?.text.clone()),
        None => None,
    };
    let verify = table.verify.as_ref().is_none_or(|verify| verify.value);
    let expect = table.expect.as_ref();
    let status = expect.and_then(|expect| expect.status.as_ref()).map(|statuses| {
        let range = |s: &At<crate::config::spec::Status>| StatusRange {
            first: s.value.first,
            last: s.value.last,
        };
        statuses.0.iter().map(range).collect::<Vec<StatusRange>>()
    });
    Some(HttpCheck {
        tls: (kind == Kind::Https).then_some(TlsOptions { verify, server_name, ca_pem }),
        method: method.unwrap_or_else(|| "GET".to_owned()),
        path: path.unwrap_or_else(|| "/".to_owned()),
        host,
        headers,
        status: status.filter(|list| !list.is_empty()).unwrap_or_else(|| vec![STATUS]),
        body: expect.and_then(|expect| expect.body.as_ref()).map(|body| body.value.clone()),
    })
}

/// Methods and header names are tokens (RFC 9110 §5.6.2).
fn refuse_bad_tokens(
    table: &CheckTable,
    headers: &[(String, String)],
    lowering: &mut Lowering<'_>,
) {
    let is_token = |text: &str| {
        let octet = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !text.is_empty() && text.bytes().all(octet)
    };
    if let Some(method) = table.method.as_ref().filter(|method| !is_token(&method.value)) {
        lowering.decoder.error(&method.span, "this is no HTTP method");
    }
    for (name, _) in headers.iter().filter(|(name, _)| !is_token(name)) {
        let written = table.headers.iter().flat_map(|h| &h.0).find(|(key, _)| key.value == *name);
        if let Some((key, _)) = written {
            lowering.decoder.error(&key.span, "this is no header name");
        }
    }
}

fn tcp(table: &CheckTable) -> TcpCheck {
    let bytes = |text: &At<String>| text.value.clone().into_bytes();
    TcpCheck {
        send: table.send.as_ref().map(bytes),
        expect: table.expect.as_ref().and_then(|expect| expect.text.as_ref()).map(bytes),
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte))
}
