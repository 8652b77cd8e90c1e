//! The OPT record of a response: which options it carries.

use super::policy::{Policy, Text};
use super::{Client, Head, Over, UDP_PAYLOAD_MAX};
use crate::wire::edns::{Cookie, Edns, OPT_LEN, OPTION_LEN, Opt, code};
use crate::wire::kind::Rcode;
use crate::wire::writer::{Full, Writer};

/// Responses over encrypted transports are padded to a multiple of this many octets, so that their
/// length tells little (RFC 8467 §4.1).
pub const PADDING_BLOCK: usize = 468;

/// The length of a COOKIE option's data: the client's cookie and ours.
const COOKIE_LEN: usize = 24;

/// Why a query got no more than it did (RFC 8914), for whoever reads a trace at night.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The client, or such a question, is not let in.
    Prohibited,
    /// The name lies in no zone of ours.
    NotAuthoritative,
    /// Zone transfers are not offered.
    NotSupported,
    /// There is no data of the zone: its file was never good.
    InvalidData,
    /// A service has endpoints, but none of them may serve.
    NothingUp,
}

impl Why {
    /// INFO-CODE and EXTRA-TEXT.
    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::Prohibited => (18, ""),
            Self::NotAuthoritative => (20, ""),
            Self::NotSupported => (21, ""),
            Self::InvalidData => (24, "the zone cannot be loaded"),
            Self::NothingUp => (0, "no endpoint of this service is up"),
        }
    }
}

/// What the options of a response depend on.
#[derive(Clone, Copy)]
pub(super) struct Options<'p> {
    policy: &'p Policy,
    edns: &'p Edns,
    over: Over,
    /// The name of this server, if the query asks for it and may have it.
    nsid: Option<&'p [u8]>,
    /// The client's cookie and ours.
    cookie: Option<(Cookie, [u8; 16])>,
}

impl<'p> Options<'p> {
    /// The options for a query that said `edns`; `now` in seconds since 1970.
    // Inlined: what it returns has many octets to copy.
    #[inline]
    pub(super) fn new(policy: &'p Policy, edns: &'p Edns, client: Client, now: u32) -> Self {
        let cookie = policy
            .cookies
            .as_ref()
            .zip(edns.cookie)
            .map(|(cookies, cookie)| (cookie, cookies.give(&cookie, client.source.ip(), now)));
        let name = if edns.nsid { policy.name.as_ref() } else { None };
        Self { policy, edns, over: client.over, nsid: name.map(Text::as_bytes), cookie }
    }

    /// Leaves out what a response to a source that may be forged can do without. The cookie stays:
    /// whoever answers must give it (RFC 7873 §5.2.3), and it is the way out of the limit.
    pub(super) fn keep_short(&mut self) {
        self.nsid = None;
    }

    /// How many octets the OPT record takes without what may be left out.
    pub(super) fn len(&self) -> usize {
        let nsid = self.nsid.map_or(0, |nsid| OPTION_LEN + nsid.len());
        let cookie = if self.cookie.is_some() { OPTION_LEN + COOKIE_LEN } else { 0 };
        let keepalive = if self.keepalive().is_some() { OPTION_LEN + 2 } else { 0 };
        let subnet = self.edns.subnet.map_or(0, |subnet| OPTION_LEN + subnet.data_len());
        OPT_LEN + nsid + cookie + keepalive + subnet
    }

    /// Writes the OPT record. The server's name and the reason are left out where there is no room
    /// for them.
    // Always inlined: of its two callers one is hot.
    #[inline(always)]
    pub(super) fn put(
        &self,
        writer: &mut Writer<'_>,
        rcode: Rcode,
        head: &Head,
    ) -> Result<(), Full> {
        let opt = Opt::begin(writer, UDP_PAYLOAD_MAX, self.edns.dnssec_ok, rcode as u16)?;
        if let Some((cookie, server)) = self.cookie {
            opt.put(writer, code::COOKIE, &[&cookie.client, &server])?;
        }
        if let Some(subnet) = self.edns.subnet.filter(|_| head.knows_subnet) {
            subnet.put(opt, writer, head.scope)?;
        }
        if let Some(idle) = self.keepalive() {
            opt.put(writer, code::TCP_KEEPALIVE, &[&idle.to_be_bytes()])?;
        }
        if let Some(nsid) = self.nsid {
            // Behind a very long question there may be no room for a very long name.
            let _ = opt.put(writer, code::NSID, &[nsid]);
        }
        if let Some((code, text)) = head.why.map(Why::parts) {
            let _ = opt.put(writer, code::EXTENDED_ERROR, &[&code.to_be_bytes(), text.as_bytes()]);
        }
        if self.edns.padding && self.over.is_encrypted() {
            opt.pad(writer, PADDING_BLOCK);
        }
        opt.end(writer);
        Ok(())
    }

    /// Not over UDP, where it must not be sent (RFC 7828 §3.2.1), nor over QUIC.
    fn keepalive(&self) -> Option<u16> {
        let told = self.edns.keepalive && self.over.has_keepalive() && self.policy.stream_idle > 0;
        told.then_some(self.policy.stream_idle)
    }
}
