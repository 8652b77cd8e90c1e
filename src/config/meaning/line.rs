//! The path of a probe: its destination, its source, and the PROXY header before it.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use super::Builder;
use super::check::{CheckIndex, Made};
use super::compose::Operand;
use super::endpoint::unfit;
use crate::config::decode::Spanned;
use crate::config::spec::check::{self as spec, Proxy};
use crate::config::spec::endpoint::EndpointTable;
use crate::zone::{CheckKind, ProxyVersion, Source};

impl Builder<'_> {
    /// Returns the address that probes of `check` go to instead of the endpoint's; `None` if they
    /// go to the endpoint's.
    ///
    /// Probes of a Unix socket go to this machine, whatever the endpoint.
    pub(super) fn probed_address(
        &mut self,
        kind: &CheckKind,
        check: &spec::Check,
    ) -> Option<IpAddr> {
        let written = check.address.as_ref();
        if let (Some(written), Some(socket)) = (written, &check.socket) {
            let message = format!("the check goes to {}, which has no address", socket.value);
            self.decoder.error(&written.span, message);
        }
        if matches!(kind, CheckKind::Fastcgi(fastcgi) if fastcgi.socket.is_some()) {
            return Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let address = written?.value.0;
        let span = &written?.span;
        if let Some(what) = unfit(address) {
            self.decoder.error(span, format!("no probe can go to {what}"));
        }
        self.within_reach(address, span);
        Some(address)
    }

    /// Reports an address that probes may not go to on this machine.
    fn within_reach(&mut self, address: IpAddr, span: &Range<usize>) {
        let Some(refused) = self.allowed.reach.refuses(address) else { return };
        let message = format!("probes may not go to {}", refused.word());
        let help = format!("`[checks] allow = \"{address}\"` in waypost.toml lets probes go there");
        self.decoder.error(span, message).help = Some(help);
    }

    /// Reports the addresses of an endpoint that the check at `index` may not probe.
    pub(super) fn endpoint_within_reach(&mut self, index: CheckIndex, table: &EndpointTable) {
        let is_probe = |kind: &CheckKind| !matches!(kind, CheckKind::Exec(_));
        if !self.goes_to_endpoint(index, &is_probe) {
            return;
        }
        for address in table.address.iter().flat_map(|addresses| &addresses.value.0) {
            self.within_reach(address.value.0, &address.span);
        }
    }

    /// Returns whether the check at `index` probes the endpoint's own address, by a kind that
    /// `is_meant`.
    pub(super) fn goes_to_endpoint(
        &self,
        index: CheckIndex,
        is_meant: &impl Fn(&CheckKind) -> bool,
    ) -> bool {
        match self.checks.made(index) {
            None => false,
            Some(Made::Check(check, address)) => address.is_none() && is_meant(&check.kind),
            Some(Made::Composed(composed)) => {
                composed.operands.iter().any(|operand| match operand {
                    Operand::Check(index, _) => self.goes_to_endpoint(*index, is_meant),
                    Operand::Service(_) | Operand::Written(_) => false,
                })
            }
        }
    }

    /// Returns the absolute path of a Unix socket.
    pub(super) fn socket(&mut self, written: Option<&Spanned<String>>) -> Option<String> {
        let is_path = |text: &str| text.starts_with('/') && !text.contains('\0');
        let socket = self.word(written, is_path, "the absolute path of a Unix socket")?;
        if !self.allowed.reach.is_local_allowed() {
            let message = "probes may not go to a socket of this machine";
            let help = "`[checks] allow = \"127.0.0.1\"` in waypost.toml lets probes go there";
            self.decoder.error(&written?.span, message).help = Some(help.to_owned());
        }
        Some(socket)
    }

    /// Returns the addresses that probes come from.
    pub(super) fn source(&mut self, check: &spec::Check) -> Source {
        let mut source = Source::default();
        for address in check.source.iter().flat_map(|source| &source.value.0) {
            if let Some(what) = unfit(address.value.0) {
                let message = format!("no probe can come from {what}");
                self.decoder.error(&address.span, message);
            }
            let family = match address.value.0 {
                IpAddr::V4(ip) => source.v4.replace(ip).map(|_| "IPv4"),
                IpAddr::V6(ip) => source.v6.replace(ip).map(|_| "IPv6"),
            };
            if let Some(family) = family {
                let message = format!("a check has one {family} source at the most");
                self.decoder.error(&address.span, message);
            }
        }
        source
    }
}

/// Returns the PROXY header that `check` asks for.
pub(super) fn proxy(check: &spec::Check) -> Option<ProxyVersion> {
    check.proxy.as_ref().map(|proxy| match proxy.value {
        Proxy::V1 => ProxyVersion::V1,
        Proxy::V2 => ProxyVersion::V2,
    })
}
