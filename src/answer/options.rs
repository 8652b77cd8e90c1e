//! The OPT record of a response, and the choice of its options.

use super::policy::{Policy, Text};
use super::{Client, Head, Over, UDP_PAYLOAD_MAX};
use crate::wire::edns::{Cookie, Edns, OPT_LEN, OPTION_LEN, Opt, code};
use crate::wire::kind::Rcode;
use crate::wire::writer::{Full, Writer};

/// The padding of responses over encrypted transports: their length is a multiple of this many
/// octets, so that it tells little (RFC 8467 §4.1).
pub const PADDING_BLOCK: usize = 468;

/// The length of the data of a COOKIE option in octets: the client's cookie and ours.
const COOKIE_LEN: usize = 24;

/// The reason why a query got no more than it did, for people who read traces (RFC 8914).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A client that is not admitted, or a question that is not answered.
    Prohibited,
    /// A name in no zone of ours.
    NotAuthoritative,
    /// A zone transfer, which is not offered.
    NotSupported,
    /// A zone without data: its file was never valid.
    InvalidData,
    /// A service with endpoints, none of which may serve.
    NothingUp,
}

impl Why {
    /// Returns the INFO-CODE and the EXTRA-TEXT.
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

/// The input of the options of a response.
#[derive(Clone, Copy)]
pub(super) struct Options<'p> {
    policy: &'p Policy,
    edns: &'p Edns,
    over: Over,
    /// The name of this server, if the query asks for it and the response may carry it.
    nsid: Option<&'p [u8]>,
    /// The client's cookie and ours.
    cookie: Option<(Cookie, [u8; 16])>,
}

impl<'p> Options<'p> {
    /// Collects the options for a query with `edns`. `now` is in seconds since 1970.
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

    /// Removes the options that a response to a forged source does not need. The cookie stays: RFC
    /// 7873 §5.2.3 requires it, and it lifts the limit for a real client.
    pub(super) fn keep_short(&mut self) {
        self.nsid = None;
    }

    /// Returns the most octets that the OPT record needs without an extended error and padding.
    pub(super) fn len(&self) -> usize {
        let nsid = self.nsid.map_or(0, |nsid| OPTION_LEN + nsid.len());
        let cookie = if self.cookie.is_some() { OPTION_LEN + COOKIE_LEN } else { 0 };
        let keepalive = if self.keepalive().is_some() { OPTION_LEN + 2 } else { 0 };
        let subnet = self.edns.subnet.map_or(0, |subnet| OPTION_LEN + subnet.data_len());
        OPT_LEN + nsid + cookie + keepalive + subnet
    }

    /// Writes the OPT record. Leaves out the name of the server and the extended error if they have
    /// no room.
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
            // After a very long question there may be no room for a very long name.
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

    /// Returns the time that a stream may stay idle, in units of 100 ms, if the client asks for it.
    /// Over UDP it must not be sent (RFC 7828 §3.2.1), and QUIC and HTTP have their own means.
    fn keepalive(&self) -> Option<u16> {
        let told = self.edns.keepalive && self.over.has_keepalive() && self.policy.stream_idle > 0;
        told.then_some(self.policy.stream_idle)
    }
}
