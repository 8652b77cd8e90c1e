//! Checks, named and inline, and the guards that they are for endpoints.

use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::Builder;
use super::compose::{Composed, Guard};
use super::{kind, line};
use crate::config::decode::{Int, Map, Period, Spanned, one_of};
use crate::config::spec::check::{
    self as spec, AgentUse, CheckUse, FLAP_HOLD_DEFAULT, FLAP_TURNS_DEFAULT, FLAP_WINDOW_DEFAULT,
    FlapUse, TIMEOUT_DEFAULT_MAX,
};
use crate::zone::{Agent, Check, CheckKind, Flap};

/// The range of `interval`.
const INTERVAL: (Period, Period) = (Period(Duration::from_millis(100)), Period::secs(86_400));
/// The range of `window` and `hold` of `flap`.
const FLAP_PERIOD: (Period, Period) = (Period::secs(1), Period::secs(86_400));
/// The range of `slow_start`.
const SLOW_START: (Period, Period) = (Period::secs(0), Period::secs(86_400));
/// The shortest timeout.
const TIMEOUT_MIN: Period = Period(Duration::from_millis(1));
/// All checks of a zone; those of `checks` have a name.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    name: Option<Spanned<String>>,
    /// The check; `None` if it has errors.
    made: Option<Made>,
    /// The checks handed out so far, so that equal ones share one value. There are at most two,
    /// with and without the default port.
    shared: Vec<Arc<Check>>,
    /// The guards handed out so far, by the endpoint's port.
    guards: HashMap<Option<u16>, Arc<Guard>>,
    used: bool,
}

/// The result of reading a check.
#[derive(Debug)]
pub(super) enum Made {
    /// A probe of an address: the given one, or, if `None`, each one of the endpoint.
    Check(Box<Check>, Option<IpAddr>),
    /// A rule over other checks.
    Composed(Composed),
}

/// The index of a check in [`Checks`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct CheckIndex(usize);

impl Checks {
    /// Returns the check at `index`; `None` if it has errors.
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

    /// Warns of named checks that nothing uses, unless an error may be the reason.
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

    /// Finds the check that `written` means; `None` if it turns checks off, or after an error.
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
                let inline = match spec::Kind::WORDS.contains(&name.as_str()) {
                    true => format!(", or write check = {{ kind = \"{name}\" }}"),
                    false => String::new(),
                };
                let help = help.or_else(|| Some(format!("define it as [checks.{name}]{inline}")));
                self.decoder.error(&written.span, format!("unknown check `{name}`")).help = help;
                None
            }
        }
    }

    /// Returns the guard that the check at `index` is for an endpoint with this port. The check
    /// must not ask for a service.
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

    /// Returns the check at `index` for an endpoint with this port. If there is no port to probe,
    /// reports an error at `span`.
    pub(super) fn check_at(
        &mut self,
        index: CheckIndex,
        endpoint_port: Option<u16>,
        span: &Range<usize>,
    ) -> Option<Arc<Check>> {
        let entry = &mut self.checks.0[index.0];
        let Some(Made::Check(check, _)) = &entry.made else { return None };
        let mut check = Check::clone(check);
        if check.port.is_none() && endpoint_port.is_none() {
            check.port = check.kind.default_port();
            if check.port.is_none() {
                // The first endpoint gets the error; the cure is the same for the others.
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
            None => self.check(check),
        }
    }

    fn check(&mut self, Spanned { value: check, span }: &Spanned<spec::Check>) -> Option<Made> {
        let before = self.decoder.diagnostics.len();
        if check.kind.is_none() && check.at_least.is_none() && !check.broken {
            let diagnostic = self.decoder.error(span, "missing key `kind`");
            diagnostic.label = "needs `kind = …`".to_owned();
            diagnostic.help = Some(
                "write it, or one of `all`, `any`, `at_least`, `not` and `service`".to_owned(),
            );
        }
        let interval = self.decoder.period(&check.interval, INTERVAL);
        let jitter = self.decoder.period(&check.jitter, (Period::secs(0), Period(interval / 2)));
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
        let kind = self.kind(kind, check)?;
        let connect_timeout = check.connect_timeout.as_ref().map(|connect| {
            if connect.value.0 > timeout {
                let message = format!("this is longer than the timeout, {}", Period(timeout));
                self.decoder.error(&connect.span, message);
            }
            self.decoder.period(connect, (TIMEOUT_MIN, INTERVAL.1))
        });
        let port = check.port.as_ref().map(|port| port.value.as_u16());
        let port = match &kind {
            CheckKind::Icmp => kind.default_port(),
            CheckKind::Fastcgi(fastcgi) if fastcgi.socket.is_some() => kind.default_port(),
            _ => port,
        };
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
        let address = self.probed_address(&kind, check);
        let (source, proxy) = (self.source(check), line::proxy(check));
        let sound = self.decoder.diagnostics.len() == before;
        let paced = Check { port, interval, jitter, timeout, rise, fall, ..Check::new(kind) };
        let paced = Check { connect_timeout, fast_interval, flap, slow_start, ..paced };
        let check = Check { agent, source, proxy, ..paced };
        sound.then(|| Made::Check(Box::new(check), address))
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
        let header = self.word(header, kind::is_token, "the name of a header");
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
}

impl Entry {
    fn new(name: Option<Spanned<String>>, made: Option<Made>) -> Self {
        Self { name, made, shared: Vec::new(), guards: HashMap::new(), used: false }
    }
}
