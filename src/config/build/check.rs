//! Checks: named and inline ones, and which endpoint is guarded by which.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::compose::{Composed, Guard};
use super::test::rcode_text;
use crate::config::decode::{Int, Map, Period, Spanned, one_of};
use crate::config::spec::check::{
    self as spec, AgentUse, CheckUse, FLAP_HOLD_DEFAULT, FLAP_TURNS_DEFAULT, FLAP_WINDOW_DEFAULT,
    FlapUse, Kind, METHOD_DEFAULT, PATH_DEFAULT, STATUS_DEFAULT, TIMEOUT_DEFAULT_MAX, USER_DEFAULT,
};
use crate::config::spec::test::ExpectedRcode;
use crate::zone::{
    Agent, Check, CheckKind, DnsCheck, Flap, HttpCheck, Pattern, TcpCheck, TlsOptions,
};

/// The shortest and the longest interval.
const INTERVAL: (Period, Period) = (Period(Duration::from_millis(100)), Period::secs(86_400));
/// The shortest and the longest time in which turns are counted, and for which one is held down.
const FLAP_PERIOD: (Period, Period) = (Period::secs(1), Period::secs(86_400));
/// The shortest and the longest time in which weights climb.
const SLOW_START: (Period, Period) = (Period::secs(0), Period::secs(86_400));
/// The shortest timeout.
const TIMEOUT_MIN: Period = Period(Duration::from_millis(1));
/// What a PEM file with a certificate holds (RFC 7468 §5.1).
const PEM_CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----";

/// Every check of a zone; those of `checks` have a name.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    name: Option<Spanned<String>>,
    /// `None`: it has errors.
    made: Option<Made>,
    /// What was handed out, so that equal ones are one value; at most two, with and without the
    /// default port.
    shared: Vec<Arc<Check>>,
    /// The same of guards, by the endpoint's port.
    guards: HashMap<Option<u16>, Arc<Guard>>,
    used: bool,
}

/// What a check comes to.
#[derive(Debug)]
pub(super) enum Made {
    /// Something to do at an address.
    Check(Box<Check>),
    /// A rule over others.
    Composed(Composed),
}

/// A check's place in [`Checks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckIndex(usize);

impl Checks {
    /// What the check at `index` comes to; `None`: it has errors.
    pub(super) fn made(&self, index: CheckIndex) -> Option<&Made> {
        self.0.get(index.0)?.made.as_ref()
    }

    pub(super) fn set_made(&mut self, index: CheckIndex, made: Made) {
        self.0[index.0].made = Some(made);
    }

    pub(super) fn unmake(&mut self, index: CheckIndex) {
        self.0[index.0].made = None;
    }

    pub(super) fn name(&self, index: CheckIndex) -> Option<&str> {
        self.0.get(index.0)?.name.as_ref().map(|name| name.value.as_str())
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = CheckIndex> + use<> {
        (0..self.0.len()).map(CheckIndex)
    }
}

impl Builder<'_> {
    /// Reads the named checks.
    pub(super) fn checks(&mut self, checks: Option<&Spanned<Map<spec::Check>>>) {
        for (name, check) in checks.iter().flat_map(|checks| &checks.value.0) {
            if name.value == "none" {
                let message = "a check cannot be called \"none\": that word turns checks off";
                self.decoder.error(&name.span, message);
            }
            let made = self.made(check);
            self.checks.0.push(Entry::new(Some(name.clone()), made));
        }
        self.checks.indices().for_each(|index| self.resolve(index));
        self.circular_checks();
    }

    /// Warns of named checks that nothing uses, unless an error may be why.
    pub(super) fn unused_checks(&mut self) {
        if self.decoder.has_errors() {
            return;
        }
        for entry in self.checks.0.iter().filter(|entry| !entry.used) {
            if let Some(name) = &entry.name {
                let message = format!("no service uses the check `{}`", name.value);
                self.decoder.warning(&name.span, message);
            }
        }
    }

    /// The check that `written` means; `None` for none, or after an error.
    pub(super) fn used_check(&mut self, written: &Spanned<CheckUse>) -> Option<CheckIndex> {
        let name = match &written.value {
            CheckUse::Off => return None,
            CheckUse::Inline(check) => {
                let made = self.made(check);
                let index = CheckIndex(self.checks.0.len());
                self.checks.0.push(Entry { used: true, ..Entry::new(None, made) });
                self.resolve(index);
                return Some(index);
            }
            CheckUse::Named(name) => name,
        };
        let names = || self.checks.0.iter().filter_map(|entry| entry.name.as_ref());
        match names().position(|known| known.value == *name) {
            Some(at) => {
                self.checks.0[at].used = true;
                Some(CheckIndex(at))
            }
            None => {
                let known: Vec<&str> = names().map(|name| name.value.as_str()).collect();
                let help = one_of(name, "known checks", known.iter().copied());
                let help = help.or_else(|| Some(format!("define it as [checks.{name}]")));
                self.decoder.error(&written.span, format!("unknown check `{name}`")).help = help;
                None
            }
        }
    }

    /// The guard of an endpoint with this port by the check at `index`, which asks for no service.
    pub(super) fn guard(
        &mut self,
        index: CheckIndex,
        port: Option<u16>,
        span: &Range<usize>,
    ) -> Option<Arc<Guard>> {
        if let Some(known) = self.checks.0[index.0].guards.get(&port) {
            return Some(Arc::clone(known));
        }
        let guard = Arc::new(self.guard_by(index, port, span, (&[], &mut Vec::new()))?);
        self.checks.0[index.0].guards.insert(port, Arc::clone(&guard));
        Some(guard)
    }

    /// The check at `index` for an endpoint with this port; one without a port to probe is an
    /// error at `span`.
    pub(super) fn check_at(
        &mut self,
        index: CheckIndex,
        endpoint_port: Option<u16>,
        span: &Range<usize>,
    ) -> Option<Arc<Check>> {
        let entry = &mut self.checks.0[index.0];
        let Some(Made::Check(check)) = &entry.made else { return None };
        let mut check = Check::clone(check);
        if check.port.is_none() && endpoint_port.is_none() {
            check.port = check.kind.default_port();
            if check.port.is_none() {
                // Said at the first endpoint; the cure is the same for the others.
                entry.made = None;
                let message = format!(
                    "this endpoint has no port, and neither has its {} check",
                    check.kind.word()
                );
                self.decoder.error(span, message).help =
                    Some("write `port = …` in the check or in the service".to_owned());
                return None;
            }
        }
        if let Some(shared) = entry.shared.iter().find(|shared| ***shared == check) {
            return Some(Arc::clone(shared));
        }
        let check = Arc::new(check);
        entry.shared.push(Arc::clone(&check));
        Some(check)
    }

    fn made(&mut self, check: &Spanned<spec::Check>) -> Option<Made> {
        match self.composed(check) {
            Some(composed) => Some(Made::Composed(composed)),
            None => self.check(check).map(|check| Made::Check(Box::new(check))),
        }
    }

    fn check(&mut self, Spanned { value: check, span }: &Spanned<spec::Check>) -> Option<Check> {
        let before = self.decoder.diagnostics.len();
        if check.kind.is_none() && check.at_least.is_none() && !check.broken {
            let diagnostic = self.decoder.error(span, "missing key `kind`");
            diagnostic.label = "needs `kind = …`".to_owned();
            diagnostic.help =
                Some("or one of `all`, `any`, `at_least`, `not` and `service`".to_owned());
        }
        let interval = self.decoder.period(&check.interval, INTERVAL);
        let timeout = match &check.timeout {
            None => (interval / 2).min(TIMEOUT_DEFAULT_MAX.0),
            Some(timeout) if timeout.value.0 > interval => {
                let message =
                    format!("the timeout is longer than the interval, {}", check.interval.value);
                self.decoder.error(&timeout.span, message);
                timeout.value.0
            }
            Some(timeout) => self.decoder.period(timeout, (TIMEOUT_MIN, INTERVAL.1)),
        };
        let kind = check.kind.as_ref()?.value;
        self.foreign_keys(kind, check);
        let kind = match kind {
            Kind::Tcp => CheckKind::Tcp(self.tcp(check)),
            Kind::Tls => CheckKind::Tls(self.tls(check), self.tcp(check)),
            Kind::Http | Kind::Https => CheckKind::Http(self.http(kind, check)),
            Kind::Dns => CheckKind::Dns(self.dns(check)?),
            Kind::Redis => CheckKind::Redis,
            Kind::Mysql => CheckKind::Mysql(self.user(check)),
            Kind::Postgres => CheckKind::Postgres(self.user(check)),
        };
        let port = check.port.as_ref().map(|port| port.value.as_u16());
        let (rise, fall) = (check.rise.value.as_u8(), check.fall.value.as_u8());
        let fast_interval = check.fast_interval.as_ref().map(|fast| {
            if fast.value.0 > interval {
                let message = format!("this is longer than the interval, {}", check.interval.value);
                self.decoder.error(&fast.span, message);
            }
            self.decoder.period(fast, INTERVAL)
        });
        let flap = self.flap(check.flap.as_ref());
        let slow_start = self.decoder.period(&check.slow_start, SLOW_START);
        let agent = self.agent(check.agent.as_ref(), &kind);
        let sound = self.decoder.diagnostics.len() == before;
        let paced = Check { port, interval, timeout, rise, fall, ..Check::new(kind) };
        sound.then_some(Check { fast_interval, flap, slow_start, agent, ..paced })
    }

    fn agent(&mut self, agent: Option<&Spanned<AgentUse>>, kind: &CheckKind) -> Option<Agent> {
        let agent = agent?;
        let is_http = matches!(kind, CheckKind::Http(_));
        if !is_http && !matches!(kind, CheckKind::Tcp(_) | CheckKind::Tls(..)) {
            let message = format!("`agent` means nothing in a check of kind {}", kind.word());
            self.decoder.error(&agent.span, message);
        }
        let table = match &agent.value {
            AgentUse::Plain(false) => return None,
            AgentUse::Plain(true) => None,
            AgentUse::Table(table) => Some(table),
        };
        let header = table.and_then(|table| table.header.as_ref());
        if let (Some(header), false) = (header, is_http) {
            self.decoder.error(&header.span, "only http and https have headers");
        }
        let header = self.word(header, is_token, "the name of a header");
        let share = |share: Option<&Spanned<Int<0, 100>>>, usual| {
            share.map_or(usual, |share| share.value.as_u8())
        };
        let weight_min = share(table.and_then(|table| table.weight_min.as_ref()), 0);
        let weight_max = share(table.and_then(|table| table.weight_max.as_ref()), 100);
        if weight_min > weight_max {
            let message = format!("`weight_min` is above `weight_max`, {weight_max}");
            self.decoder.error(&agent.span, message);
        }
        Some(Agent { header, weight_min, weight_max })
    }

    fn flap(&mut self, flap: Option<&Spanned<FlapUse>>) -> Option<Flap> {
        let Some(Spanned { value: FlapUse::Table(flap), .. }) = flap else {
            let usual = Flap {
                turns: FLAP_TURNS_DEFAULT as u8,
                window: FLAP_WINDOW_DEFAULT.0,
                hold: FLAP_HOLD_DEFAULT.0,
            };
            return flap.is_none().then_some(usual);
        };
        Some(Flap {
            turns: flap.turns.value.as_u8(),
            window: self.decoder.period(&flap.window, FLAP_PERIOD),
            hold: self.decoder.period(&flap.hold, FLAP_PERIOD),
        })
    }

    /// Reports keys that mean nothing for this kind.
    fn foreign_keys(&mut self, kind: Kind, check: &spec::Check) {
        fn at<T>(key: &Option<Spanned<T>>) -> Option<Range<usize>> {
            key.as_ref().map(|key| key.span.clone())
        }
        const HTTP: &[Kind] = &[Kind::Http, Kind::Https];
        const TLS: &[Kind] = &[Kind::Https, Kind::Tls];
        const TCP: &[Kind] = &[Kind::Tcp, Kind::Tls];
        const DNS: &[Kind] = &[Kind::Dns];
        const SQL: &[Kind] = &[Kind::Mysql, Kind::Postgres];
        let expect = check.expect.as_ref().map(|expect| &expect.value);
        let keys = [
            ("method", HTTP, at(&check.method)),
            ("path", HTTP, at(&check.path)),
            ("host", HTTP, at(&check.host)),
            ("headers", HTTP, at(&check.headers)),
            ("expect.status", HTTP, expect.and_then(|expect| at(&expect.status))),
            ("expect.body", HTTP, expect.and_then(|expect| at(&expect.body))),
            ("expect.body_regex", HTTP, expect.and_then(|expect| at(&expect.body_regex))),
            ("verify", TLS, at(&check.verify)),
            ("server_name", TLS, at(&check.server_name)),
            ("ca", TLS, at(&check.ca)),
            ("send", TCP, at(&check.send)),
            ("expect.text", TCP, expect.and_then(|expect| at(&expect.text))),
            ("query", DNS, at(&check.query)),
            ("expect.rcode", DNS, expect.and_then(|expect| at(&expect.rcode))),
            ("expect.data", DNS, expect.and_then(|expect| at(&expect.data))),
            ("user", SQL, at(&check.user)),
        ];
        for (key, kinds, span) in keys {
            if let (Some(span), false) = (span, kinds.contains(&kind)) {
                let word = word(kind);
                self.decoder
                    .error(&span, format!("`{key}` means nothing in a check of kind {word}"));
            }
        }
    }

    /// `None`, after an error, for a check that does not say what to ask.
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

    fn tcp(&self, check: &spec::Check) -> TcpCheck {
        let bytes = |text: &Option<Spanned<String>>| {
            text.as_ref().map(|text| text.value.clone().into_bytes())
        };
        let expect = check.expect.as_ref().and_then(|expect| bytes(&expect.value.text));
        TcpCheck { send: bytes(&check.send), expect }
    }

    fn http(&mut self, kind: Kind, check: &spec::Check) -> HttpCheck {
        let expect = check.expect.as_ref().map(|expect| &expect.value);
        let status = expect.and_then(|expect| expect.status.as_ref()).map_or_else(
            || vec![STATUS_DEFAULT],
            |status| status.value.0.iter().map(|status| status.value.0).collect(),
        );
        let is_path = |text: &str| text.starts_with('/') && !text.contains('#') && visible(text);
        let path = "a path that starts with `/`, in visible ASCII without `#`";
        let host = "a host name or an address";
        HttpCheck {
            tls: (kind == Kind::Https).then(|| self.tls(check)),
            method: self
                .word(check.method.as_ref(), is_token, "a method such as \"GET\"")
                .unwrap_or_else(|| METHOD_DEFAULT.to_owned()),
            path: self
                .word(check.path.as_ref(), is_path, path)
                .unwrap_or_else(|| PATH_DEFAULT.to_owned()),
            host: self.word(check.host.as_ref(), is_host, host),
            headers: self.headers(check.headers.as_ref()),
            status,
            body: expect.and_then(|expect| expect.body.as_ref()).map(|body| body.value.clone()),
            body_regex: self.pattern(expect.and_then(|expect| expect.body_regex.as_ref())),
        }
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
        let ca = check.ca.as_ref().and_then(|path| {
            let source = self.beside(path)?;
            if !source.text.contains(PEM_CERTIFICATE) {
                let message = format!("{} holds no PEM certificate", source.path.display());
                self.decoder.error(&path.span, message);
            }
            Some(source.text.clone())
        });
        TlsOptions {
            verify: check.verify.as_ref().is_none_or(|verify| verify.value),
            server_name: self.word(check.server_name.as_ref(), is_host, "a host name"),
            ca_pem: ca,
        }
    }

    fn headers(&mut self, headers: Option<&Spanned<Map<String>>>) -> Vec<(String, String)> {
        let mut kept = Vec::new();
        for (name, value) in headers.iter().flat_map(|headers| &headers.value.0) {
            if name.value.eq_ignore_ascii_case("host") {
                self.decoder.error(&name.span, "the Host header is written as `host = …`");
            }
            let name = self.word(Some(name), is_token, "the name of a header");
            let sendable = |text: &str| text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t'));
            let value = self.word(Some(value), sendable, "a value in ASCII, without line breaks");
            kept.extend(name.zip(value));
        }
        kept
    }

    /// A word that goes on the wire as it is; one that does not pass `test` is an error.
    fn word(
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

impl Entry {
    fn new(name: Option<Spanned<String>>, made: Option<Made>) -> Self {
        Self { name, made, shared: Vec::new(), guards: HashMap::new(), used: false }
    }
}

/// A kind as zone files write it.
fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Http => "http",
        Kind::Https => "https",
        Kind::Tcp => "tcp",
        Kind::Tls => "tls",
        Kind::Dns => "dns",
        Kind::Redis => "redis",
        Kind::Mysql => "mysql",
        Kind::Postgres => "postgres",
    }
}

/// Whether all of `text` is visible ASCII.
fn visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether `text` is a token of HTTP (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let symbol = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
}

/// Whether `text` can be a host, an address, or either with a port.
fn is_host(text: &str) -> bool {
    let symbol = |byte| b"-._:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || symbol(byte))
}
