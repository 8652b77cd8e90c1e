//! EDNS: the OPT record of a query, and the options of a response (RFC 6891).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::kind::Type;
use super::query::Malformed;
use super::writer::{Full, Writer};

/// The version that Waypost speaks; there is no other.
pub const VERSION: u8 = 0;

/// The length of an OPT record without options, in octets.
pub const OPT_LEN: usize = 11;

/// The length of an option without its data, in octets.
pub const OPTION_LEN: usize = 4;

/// The greatest length of a server cookie in octets (RFC 7873 §4).
const SERVER_COOKIE_MAX: usize = 32;

/// The numbers of the options that are understood. All others are ignored (RFC 6891 §6.1.2).
pub mod code {
    /// Name server identifier (RFC 5001).
    pub const NSID: u16 = 3;
    /// Client subnet (RFC 7871).
    pub const CLIENT_SUBNET: u16 = 8;
    /// Cookie (RFC 7873).
    pub const COOKIE: u16 = 10;
    /// The idle timeout of a stream (RFC 7828).
    pub const TCP_KEEPALIVE: u16 = 11;
    /// Padding (RFC 7830).
    pub const PADDING: u16 = 12;
    /// Extended error (RFC 8914).
    pub const EXTENDED_ERROR: u16 = 15;
}

/// Returns the purpose of an extended error after a space and in parentheses, as dig prints it;
/// empty for those that Waypost does not send (RFC 8914 §5.2).
pub fn extended_error(number: u16) -> &'static str {
    match number {
        0 => " (Other)",
        18 => " (Prohibited)",
        20 => " (Not Authoritative)",
        21 => " (Not Supported)",
        24 => " (Invalid Data)",
        _ => "",
    }
}

/// The content of an OPT record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edns {
    /// The largest UDP response that the client accepts, in octets, as it claims.
    pub payload_size: u16,
    /// The EDNS version; Waypost speaks 0.
    pub version: u8,
    /// Whether the client wants DNSSEC records (DO); copied into the response (RFC 3225 §3).
    pub dnssec_ok: bool,
    /// The client's cookie, with our server cookie if it has one.
    pub cookie: Option<Cookie>,
    /// Whether the client asks for the name of the server.
    pub nsid: bool,
    /// Whether the client asks how long a stream may stay idle.
    pub keepalive: bool,
    /// Whether the client uses padding and wants responses padded.
    pub padding: bool,
    /// The network of the client that a resolver asks for.
    pub subnet: Option<Subnet>,
}

/// A COOKIE option (RFC 7873 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// The part that the client chose.
    pub client: [u8; 8],
    /// The part that a server gave, if it has the length of ours (RFC 9018 §4).
    pub server: Option<[u8; 16]>,
}

impl Edns {
    /// Reads the class, TTL and RDATA of a query's OPT record (RFC 6891 §6.1.2, §6.1.3).
    ///
    /// # Errors
    /// [`Malformed`] if the options do not fill the RDATA exactly, a cookie has an impossible
    /// length (RFC 7873 §5.2.2), or a client subnet is not what RFC 7871 §6 wants of a query.
    // Inlined: what it returns has many octets to copy.
    #[inline]
    pub fn read_query(class: u16, ttl: [u8; 4], rdata: &[u8]) -> Result<Self, Malformed> {
        let edns = Self::read(class, ttl, rdata)?;
        let has_scope = edns.subnet.is_some_and(|subnet| subnet.scope != 0);
        if has_scope { Err(Malformed) } else { Ok(edns) }
    }

    /// Reads the OPT record of a response, which may have a scope.
    ///
    /// # Errors
    /// Those of [`Edns::read_query`].
    #[inline]
    pub fn read(class: u16, ttl: [u8; 4], rdata: &[u8]) -> Result<Self, Malformed> {
        let [_, version, flags, _] = ttl;
        let dnssec_ok = flags & 0x80 != 0;
        let mut edns = Self { payload_size: class, version, dnssec_ok, ..Self::default() };
        edns.read_options(rdata)?;
        Ok(edns)
    }

    // Inlined: most queries have no options.
    #[inline]
    fn read_options(&mut self, rdata: &[u8]) -> Result<(), Malformed> {
        for option in options(rdata) {
            match option? {
                (code::COOKIE, data) => {
                    let cookie = Cookie::read(data)?;
                    // Of several cookies only the first counts (RFC 7873 §5.2).
                    self.cookie.get_or_insert(cookie);
                }
                (code::CLIENT_SUBNET, data) => {
                    let subnet = Subnet::read(data)?;
                    self.subnet.get_or_insert(subnet);
                }
                (code::NSID, _) => self.nsid = true,
                (code::TCP_KEEPALIVE, _) => self.keepalive = true,
                (code::PADDING, _) => self.padding = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns the number and the data of each option in `rdata`. Ends with one [`Malformed`] if an
/// option is cut short.
pub fn options(rdata: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    let mut rest = rdata;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let option = split_option(rest);
        rest = option.map_or(&[], |(_, _, tail)| tail);
        Some(option.map(|(code, data, _)| (code, data)).ok_or(Malformed))
    })
}

fn split_option(octets: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (&[code_high, code_low, len_high, len_low], tail) = octets.split_first_chunk()?;
    let len = usize::from(u16::from_be_bytes([len_high, len_low]));
    let (data, tail) = tail.split_at_checked(len)?;
    Some((u16::from_be_bytes([code_high, code_low]), data, tail))
}

impl Cookie {
    fn read(data: &[u8]) -> Result<Self, Malformed> {
        let (client, server) = data.split_first_chunk::<8>().ok_or(Malformed)?;
        match server.len() {
            0 | 8..=SERVER_COOKIE_MAX => {
                Ok(Self { client: *client, server: server.try_into().ok() })
            }
            _ => Err(Malformed),
        }
    }
}

/// A client subnet in a query or a response (RFC 7871 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// The address family: 1 for IPv4, 2 for IPv6; 0 only if the address is empty.
    family: u16,
    /// SOURCE PREFIX-LENGTH, in bits.
    source: u8,
    /// SCOPE PREFIX-LENGTH: the length of the prefix that a response holds for, in bits.
    pub scope: u8,
    /// ADDRESS, padded with zeros.
    address: [u8; 16],
}

impl Subnet {
    /// Reads the data of the option.
    ///
    /// # Errors
    /// [`Malformed`] for an unknown family, a prefix longer than its addresses, an address of
    /// another length than the prefix needs, and bits set after the prefix (RFC 7871 §6, §7.1.2).
    fn read(data: &[u8]) -> Result<Self, Malformed> {
        let (&[family_high, family_low, source, scope], octets) =
            data.split_first_chunk().ok_or(Malformed)?;
        let family = u16::from_be_bytes([family_high, family_low]);
        let bits_max = match family {
            0 => 0,
            1 => 32,
            2 => 128,
            _ => return Err(Malformed),
        };
        let mut address = [0; 16];
        let place = address.get_mut(..octets.len()).ok_or(Malformed)?;
        place.copy_from_slice(octets);
        let behind = u128::MAX.checked_shr(u32::from(source)).unwrap_or(0);
        let is_well_formed = source <= bits_max
            && octets.len() == usize::from(source).div_ceil(8)
            && u128::from_be_bytes(address) & behind == 0;
        is_well_formed.then_some(Self { family, source, scope, address }).ok_or(Malformed)
    }

    /// Makes the whole option of a query that asks for `subnet`, with its number and length.
    pub fn option(subnet: IpNet) -> Vec<u8> {
        let (family, octets) = match subnet.network() {
            IpAddr::V4(address) => (1, address.octets().to_vec()),
            IpAddr::V6(address) => (2, address.octets().to_vec()),
        };
        let len = usize::from(subnet.prefix_len()).div_ceil(8);
        let head =
            [0, code::CLIENT_SUBNET as u8, 0, 4 + len as u8, 0, family, subnet.prefix_len(), 0];
        head.into_iter().chain(octets.into_iter().take(len)).collect()
    }

    /// Returns the first address of the subnet; `None` if the client does not want it known (RFC
    /// 7871 §7.1.2).
    pub fn address(&self) -> Option<IpAddr> {
        let [a, b, c, d, ..] = self.address;
        match self.family {
            _ if self.source == 0 => None,
            1 => Some(Ipv4Addr::new(a, b, c, d).into()),
            _ => Some(Ipv6Addr::from(self.address).into()),
        }
    }

    /// Returns the length of the option's data in octets.
    pub fn data_len(&self) -> usize {
        4 + usize::from(self.source).div_ceil(8)
    }

    /// Writes the option of a response: the query's subnet with `scope` (RFC 7871 §7.2.1).
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put(&self, opt: Opt, writer: &mut Writer<'_>, scope: u8) -> Result<(), Full> {
        let [high, low] = self.family.to_be_bytes();
        // A subnet of zero bits gets scope 0.
        let scope = if self.source == 0 { 0 } else { scope };
        let octets = self.address.get(..self.data_len() - 4).unwrap_or(&[]);
        opt.put(writer, code::CLIENT_SUBNET, &[&[high, low, self.source, scope], octets])
    }
}

impl fmt::Display for Subnet {
    /// Writes the address, the prefix and the scope as dig does: `198.51.100.0/24/18`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, scope, .. } = self;
        match self.address() {
            Some(address) => write!(f, "{address}/{source}/{scope}"),
            None => write!(f, "0/{source}/{scope}"),
        }
    }
}

/// An OPT record while it is written, as the last record of a response.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// The place where its RDATA starts.
    start: usize,
}

impl Opt {
    /// Begins the OPT record of a response: our payload size, our version, DO as the client set it,
    /// and the upper bits of the RCODE (RFC 6891 §6.1.3).
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    // Inlined: two of its octets vary.
    #[inline]
    pub fn begin(
        writer: &mut Writer<'_>,
        payload_size: u16,
        dnssec_ok: bool,
        rcode: u16,
    ) -> Result<Self, Full> {
        let [opt, size] = [Type::OPT.0, payload_size].map(u16::to_be_bytes);
        let (rcode, flags) = ((rcode >> 4) as u8, u8::from(dnssec_ok) << 7);
        writer.put(&[0, opt[0], opt[1], size[0], size[1], rcode, VERSION, flags, 0, 0, 0])?;
        Ok(Self { start: writer.len() })
    }

    /// Writes an option with the given parts as its data, one after the other.
    ///
    /// # Errors
    /// [`Full`], and nothing is written.
    pub fn put(self, writer: &mut Writer<'_>, code: u16, parts: &[&[u8]]) -> Result<(), Full> {
        let mark = writer.mark();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let [code, len] = [code, len as u16].map(u16::to_be_bytes);
        let written = writer
            .put(&[code[0], code[1], len[0], len[1]])
            .and_then(|()| parts.iter().try_for_each(|part| writer.put(part)));
        written.inspect_err(|_| writer.undo(mark))
    }

    /// Pads the message to a multiple of `block` octets with a padding option of zeros (RFC 7830
    /// §3), as far as there is room.
    pub fn pad(self, writer: &mut Writer<'_>, block: usize) {
        const ZEROS: [u8; 512] = [0; 512];
        let padded = (writer.len() + OPTION_LEN).next_multiple_of(block).min(writer.limit());
        let len = padded.checked_sub(writer.len() + OPTION_LEN);
        if let Some(zeros) = len.and_then(|len| ZEROS.get(..len)) {
            // Its length was measured to fit.
            let _ = self.put(writer, code::PADDING, &[zeros]);
        }
    }

    /// Ends the record.
    pub fn end(self, writer: &mut Writer<'_>) {
        writer.close_length(self.start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn option(code: u16, data: &[u8]) -> Vec<u8> {
        let head = [code.to_be_bytes(), (data.len() as u16).to_be_bytes()].concat();
        [&head, data].concat()
    }

    fn read(rdata: &[u8]) -> Result<Edns, Malformed> {
        let mut edns = Edns::default();
        edns.read_options(rdata).map(|()| edns)
    }

    #[test]
    fn known_options_are_noted_and_others_passed_over() {
        let rdata = [
            option(code::NSID, b""),
            option(100, b"whatever"),
            option(code::TCP_KEEPALIVE, b""),
            option(code::PADDING, &[0; 30]),
        ];
        let edns = read(&rdata.concat()).unwrap();
        assert!(edns.nsid && edns.keepalive && edns.padding && edns.cookie.is_none());
        assert_eq!(read(b""), Ok(Edns::default()));
    }

    #[test]
    fn a_cookie_has_one_of_its_lengths_and_the_first_counts() {
        let client = *b"12345678";
        for (len, ours) in [(0, false), (8, false), (16, true), (32, false)] {
            let data = [&client[..], &vec![7; len]].concat();
            let cookie = read(&option(code::COOKIE, &data)).unwrap().cookie.unwrap();
            assert_eq!(cookie.client, client);
            assert_eq!(cookie.server, ours.then_some([7; 16]), "{len}");
        }
        for len in [0, 1, 7, 9, 15, 41] {
            assert_eq!(read(&option(code::COOKIE, &vec![0; len])), Err(Malformed), "{len}");
        }
        let two = [option(code::COOKIE, &client), option(code::COOKIE, b"abcdefgh")].concat();
        assert_eq!(read(&two).unwrap().cookie.unwrap().client, client);
    }

    #[test]
    fn a_subnet_is_what_the_standard_wants_of_a_query() {
        let subnet = |data: &[u8]| read(&option(code::CLIENT_SUBNET, data));
        let address = |data: &[u8]| subnet(data).unwrap().subnet.unwrap().address();
        assert_eq!(address(b"\0\x01\x18\0\xc0\0\x02"), Some(Ipv4Addr::new(192, 0, 2, 0).into()));
        assert_eq!(address(b"\0\x01\x17\0\xc0\0\x02"), Some(Ipv4Addr::new(192, 0, 2, 0).into()));
        let v6 = address(b"\0\x02\x20\0\x20\x01\x0d\xb8").unwrap();
        assert_eq!(v6, "2001:db8::".parse::<IpAddr>().unwrap());
        // A query with a subnet of zero bits is answered by its source.
        for nobody in [b"\0\x01\0\0", b"\0\x02\0\0", b"\0\0\0\0"] {
            assert_eq!(address(nobody), None);
        }
        let malformed: [(&str, &[u8]); 8] = [
            ("too short", b"\0\x01\0"),
            ("unknown family", b"\0\x03\x08\0\x0a"),
            ("no family", b"\0\0\x08\0\x0a"),
            ("longer than an address", b"\0\x01\x21\0\xc0\0\x02\x01\x80"),
            ("too few octets", b"\0\x01\x18\0\xc0\0"),
            ("too many octets", b"\0\x01\x18\0\xc0\0\x02\0"),
            ("bits behind the prefix", b"\0\x01\x17\0\xc0\0\x03"),
            (
                "more octets than any address",
                &[0, 2, 128, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17],
            ),
        ];
        for (what, data) in malformed {
            assert_eq!(subnet(data), Err(Malformed), "{what}");
        }
        let scope = option(code::CLIENT_SUBNET, b"\0\x01\x18\x18\xc0\0\x02");
        assert_eq!(Edns::read_query(1232, [0; 4], &scope), Err(Malformed));
        let subnet = Edns::read(1232, [0; 4], &scope).unwrap().subnet.unwrap();
        assert_eq!(subnet.to_string(), "192.0.2.0/24/24");
    }

    #[test]
    fn options_fill_the_record_exactly() {
        for rdata in [&b"\0"[..], b"\0\x0a\0", b"\0\x03\0\x01", b"\0\x64\0\0\0"] {
            assert_eq!(read(rdata), Err(Malformed), "{rdata:x?}");
        }
    }
}
