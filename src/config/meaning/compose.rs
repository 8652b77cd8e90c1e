//! Checks that are made of others: `all`, `any`, `at_least`, `not`, and whole services.
//!
//! A check of a service needs all services to be built. An endpoint with such a check waits until
//! then, and gets its guard before services are nested in others.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use super::Builder;
use super::check::{CheckIndex, Made};
use super::kind;
use crate::config::decode::{Spanned, one_of};
use crate::config::spec::check::{self as spec, CheckUse};
use crate::zone::{Asked, Check, Condition, Endpoint, Override, Place, Service};

/// The condition under which an endpoint's addresses may serve.
pub(super) type Guard = Condition<Asked>;

/// A check that is made of others.
#[derive(Clone, Debug)]
pub(super) struct Composed {
    rule: Rule,
    pub(super) operands: Vec<Operand>,
}

#[derive(Clone, Copy, Debug)]
enum Rule {
    /// At least this many operands must hold.
    AtLeast(usize),
    /// The only operand must not hold.
    Not,
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    /// A check as the file writes it, not yet looked up.
    Written(Spanned<CheckUse>),
    Check(CheckIndex, Range<usize>),
    Service(Spanned<String>),
}

/// An endpoint that waits for its guard.
#[derive(Debug)]
pub(super) struct Waiting {
    service: String,
    endpoint: String,
    check: CheckIndex,
    port: Option<u16>,
    span: Range<usize>,
}

/// The way from a service to the one that it waits for.
type Path = Vec<String>;

impl Builder<'_> {
    /// Returns the rule that `check` writes, or `None` if it is a check of a kind. Reports errors.
    pub(super) fn composed(&mut self, check: &Spanned<spec::Check>) -> Option<Composed> {
        let table = &check.value;
        let many = |rule: Option<usize>, list: &[Spanned<CheckUse>]| Composed {
            rule: Rule::AtLeast(rule.unwrap_or(list.len())),
            operands: list.iter().cloned().map(Operand::Written).collect(),
        };
        let all = table.all.as_ref().map(|key| ("all", &key.span, many(None, &key.value.0)));
        let any = table.any.as_ref().map(|key| ("any", &key.span, many(Some(1), &key.value.0)));
        let at_least = table.at_least.as_ref().and_then(|key| {
            let (of, count) = (key.value.of.as_ref()?, key.value.count.as_ref()?);
            let count = count.value.as_u16();
            if usize::from(count) > of.value.0.len() {
                let found = of.value.0.len();
                let message = format!("at least {count} of {found} checks can never pass");
                self.decoder.error(&key.span, message);
            }
            Some(("at_least", &key.span, many(Some(usize::from(count)), &of.value.0)))
        });
        let not = table.not.as_ref().map(|key| {
            let operands = vec![Operand::Written(key.clone())];
            ("not", &key.span, Composed { rule: Rule::Not, operands })
        });
        let service = table.service.as_ref().map(|key| {
            let operands = vec![Operand::Service(key.clone())];
            ("service", &key.span, Composed { rule: Rule::AtLeast(1), operands })
        });
        let mut rules = [all, any, at_least, not, service].into_iter().flatten();
        let (key, _, composed) = rules.next()?;
        let kind = table.kind.as_ref().map(|kind| ("kind", &kind.span));
        for (other, span) in kind.into_iter().chain(rules.map(|(key, span, _)| (key, span))) {
            let message = format!("a check has `{key}` or `{other}`, not both");
            self.decoder.error(span, message);
        }
        self.only_a_rule(key, check);
        Some(composed)
    }

    /// Reports keys beside a rule that have no meaning there: a check made of others has no pace of
    /// its own.
    fn only_a_rule(&mut self, rule: &str, check: &Spanned<spec::Check>) {
        let table = &check.value;
        let written = |span: &Range<usize>| (*span != check.span).then(|| span.clone());
        let span = |key: &Option<Range<usize>>| key.clone();
        let of_a_kind = kind::written(table).map(|(key, _, span)| (key, Some(span)));
        let keys = [
            ("interval", written(&table.interval.span)),
            ("jitter", written(&table.jitter.span)),
            ("timeout", span(&table.timeout.as_ref().map(|key| key.span.clone()))),
            ("rise", written(&table.rise.span)),
            ("fall", written(&table.fall.span)),
            ("fast_interval", span(&table.fast_interval.as_ref().map(|key| key.span.clone()))),
            ("flap", span(&table.flap.as_ref().map(|key| key.span.clone()))),
            ("slow_start", written(&table.slow_start.span)),
            ("agent", span(&table.agent.as_ref().map(|key| key.span.clone()))),
        ];
        for (key, span) in keys.into_iter().chain(of_a_kind) {
            let Some(span) = span else { continue };
            let message = format!("`{key}` means nothing beside `{rule}`");
            self.decoder.error(&span, message).help =
                Some("write it in the checks that this one is made of".to_owned());
        }
    }

    /// Looks up the checks that the one at `index` is made of.
    pub(super) fn resolve(&mut self, index: CheckIndex) {
        let Some(Made::Composed(composed)) = self.checks.made(index) else { return };
        let Composed { rule, operands } = composed.clone();
        let mut found = Vec::new();
        for operand in operands {
            let Operand::Written(written) = operand else {
                found.push(operand);
                continue;
            };
            if matches!(written.value, CheckUse::Off) {
                self.decoder.error(&written.span, "expected a check, and this turns checks off");
            }
            let check = self.used_check(&written);
            found.extend(check.map(|index| Operand::Check(index, written.span)));
        }
        self.checks.set_made(index, Made::Composed(Composed { rule, operands: found }));
    }

    /// Reports checks that contain themselves.
    pub(super) fn circular_checks(&mut self) {
        for index in self.checks.indices() {
            let mut path = vec![index];
            if let Some(span) = self.circle(&mut path) {
                let names = path.iter().map(|at| self.checks.name(*at).unwrap_or("{ … }"));
                let circle = names.collect::<Vec<_>>().join(" → ");
                let message = format!("a check cannot be made of itself: {circle}");
                self.decoder.error(&span, message);
                self.checks.unmake(index);
            }
        }
    }

    /// Extends `path` from its last check back to its first, if there is a way. Returns the text
    /// that closes the circle.
    fn circle(&self, path: &mut Vec<CheckIndex>) -> Option<Range<usize>> {
        let (first, last) = (*path.first()?, *path.last()?);
        let Some(Made::Composed(composed)) = self.checks.made(last) else { return None };
        for operand in &composed.operands {
            let Operand::Check(index, span) = operand else { continue };
            if *index == first {
                path.push(first);
                return Some(span.clone());
            }
            if !path.contains(index) {
                path.push(*index);
                let circle = self.circle(path);
                if circle.is_some() {
                    return circle;
                }
                path.pop();
            }
        }
        None
    }

    /// Returns whether the check at `index` asks for a service.
    pub(super) fn asks_for_service(&self, index: CheckIndex) -> bool {
        let Some(Made::Composed(composed)) = self.checks.made(index) else { return false };
        composed.operands.iter().any(|operand| match operand {
            Operand::Service(_) => true,
            Operand::Check(index, _) => self.asks_for_service(*index),
            Operand::Written(_) => false,
        })
    }

    /// Puts an endpoint on the list of those that wait for their guards.
    pub(super) fn await_guard(
        &mut self,
        check: CheckIndex,
        (service, endpoint): (&str, &str),
        port: Option<u16>,
        span: &Range<usize>,
    ) {
        let (service, endpoint) = (service.to_owned(), endpoint.to_owned());
        self.waiting.push(Waiting { service, endpoint, check, port, span: span.clone() });
    }

    /// Returns the guard that the check at `index` is for an endpoint with this port.
    pub(super) fn guard_by(
        &mut self,
        index: CheckIndex,
        port: Option<u16>,
        span: &Range<usize>,
        services: (&[Service], &mut Path),
    ) -> Option<Guard> {
        let (services, path) = services;
        let Composed { rule, operands } = match self.checks.made(index)? {
            Made::Check(_, address) => {
                let address = *address;
                let check = self.check_at(index, port, span)?;
                let at = address.map(|address| SocketAddr::new(address, port_of(&check, port)));
                return Some(Condition::Check(Asked { check, at }));
            }
            Made::Composed(composed) => composed.clone(),
        };
        let mut of = Vec::with_capacity(operands.len());
        for operand in &operands {
            of.push(match operand {
                Operand::Check(index, _) => self.guard_by(*index, port, span, (services, path))?,
                Operand::Service(label) => self.guard_of(services, label, path)?,
                Operand::Written(_) => return None,
            });
        }
        match rule {
            Rule::AtLeast(count) => Some(Condition::AtLeast(count, of)),
            Rule::Not => Some(Condition::Not(Box::new(of.pop()?))),
        }
    }

    /// Returns the condition under which any endpoint of the service called `label` may serve.
    fn guard_of(
        &mut self,
        services: &[Service],
        label: &Spanned<String>,
        path: &mut Path,
    ) -> Option<Guard> {
        let Some(service) = services.iter().find(|service| service.label == label.value) else {
            let labels = services.iter().map(|service| service.label.as_str());
            let help = one_of(&label.value, "services", labels);
            let message = format!("no service of this zone is called `{}`", label.value);
            self.decoder.error(&label.span, message).help = help;
            return None;
        };
        if let Some(start) = path.iter().position(|known| *known == label.value) {
            let circle = path[start..].iter().map(String::as_str).chain([label.value.as_str()]);
            let circle: Vec<&str> = circle.collect();
            let message = format!("a service cannot guard itself: {}", circle.join(" → "));
            self.decoder.error(&label.span, message);
            return None;
        }
        path.push(label.value.clone());
        let mut of = Vec::new();
        for (_, endpoint) in service.endpoints().filter(|(_, e)| e.wanted != Override::Down) {
            let waits = |one: &Waiting| one.service == label.value && one.endpoint == endpoint.name;
            let waiting = self.waiting.iter().find(|one| waits(one));
            let waiting = waiting.map(|one| (one.check, one.port, one.span.clone()));
            let guard = match (waiting, &endpoint.guard) {
                (Some((check, port, span)), _) => {
                    Some(self.guard_by(check, port, &span, (services, path))?)
                }
                (None, guard) => guard.as_deref().cloned(),
            };
            of.extend(elsewhere(endpoint, guard));
        }
        let nests = self.nests.iter().filter(|nest| nest.service == label.value);
        let members: Vec<_> = nests.flat_map(|nest| nest.labels().cloned()).collect();
        for member in members {
            of.push(self.guard_of(services, &member, path)?);
        }
        path.pop();
        Some(Condition::AtLeast(1, of))
    }

    /// Gives a guard to each endpoint that waits for one.
    pub(super) fn guard_waiting(&mut self, services: &mut [Service]) {
        let mut known: HashMap<(CheckIndex, Option<u16>, String), Arc<Guard>> = HashMap::new();
        for at in 0..self.waiting.len() {
            let Waiting { service, endpoint, check, port, span } = &self.waiting[at];
            let (service, endpoint, check, port) =
                (service.clone(), endpoint.clone(), *check, *port);
            let span = span.clone();
            let key = (check, port, service.clone());
            let guard = match known.get(&key) {
                Some(guard) => Arc::clone(guard),
                None => {
                    let mut path = vec![service.clone()];
                    let guard = self.guard_by(check, port, &span, (services, &mut path));
                    let Some(guard) = guard.map(Arc::new) else { return };
                    known.insert(key, Arc::clone(&guard));
                    guard
                }
            };
            let of = services.iter_mut().filter(|of| of.label == service);
            let endpoints = of.flat_map(|of| &mut of.pools).flat_map(|pool| &mut pool.endpoints);
            for found in endpoints.filter(|found| found.name == endpoint) {
                found.guard = Some(Arc::clone(&guard));
            }
        }
    }
}

/// Returns the guard of each address of `endpoint`, with that address filled in, for use by other
/// endpoints.
fn elsewhere(endpoint: &Endpoint, guard: Option<Guard>) -> Vec<Guard> {
    let Some(guard) = guard else { return vec![Condition::always()] };
    let at = |address| {
        guard.map(&mut |Asked { check, at }: &Asked| {
            let at = at.unwrap_or(SocketAddr::new(address, port_of(check, endpoint.port)));
            Asked { check: Arc::clone(check), at: Some(at) }
        })
    };
    match endpoint.place {
        Place::Addresses { .. } => endpoint.addresses().map(at).collect(),
        // The check of a target has an address of its own.
        Place::Target(_) => vec![guard],
    }
}

/// Returns the port that `check` probes for an endpoint with the port `endpoint`.
fn port_of(check: &Check, endpoint: Option<u16>) -> u16 {
    check.port.or(endpoint).or(check.kind.default_port()).unwrap_or(0)
}
