//! The outcome of a query: a closed list, each kind with a counter.

use crate::wire::kind::Rcode;

/// The outcome of a query. Each query received has exactly one. The number is the length of the
/// response in octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// NOERROR with records in the answer section.
    Answer(usize),
    /// NOERROR without records: the name exists, but has no records of the type.
    NoData(usize),
    /// A referral to a delegated zone.
    Referral(usize),
    /// NXDOMAIN.
    NxDomain(usize),
    /// A response cut short, with TC set: the client will ask again over a stream.
    Truncated(usize),
    /// A response of TC and nothing else, by the rate limit.
    Slipped(usize),
    /// REFUSED: not our zone, not our class, not for this client, or a transfer.
    Refused(usize),
    /// FORMERR.
    FormErr(usize),
    /// NOTIMP.
    NotImp(usize),
    /// BADVERS.
    BadVers(usize),
    /// YXDOMAIN: a DNAME made the name too long.
    YxDomain(usize),
    /// SERVFAIL: there is no data of the zone, or the response did not fit the buffer.
    ServFail(usize),
    /// No response.
    Drop(Dropped),
}

/// The reason why a query gets no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// A query shorter than a header.
    Short,
    /// A message that is a response: answering it could start a loop between two servers.
    Response,
    /// A query from port 0, where no response can arrive.
    SourcePortZero,
    /// A query from an address that we listen on: forged, to have us talk to ourselves.
    SourceOwn,
    /// An output buffer that does not hold a header.
    NoRoom,
    /// A query above the rate limit.
    RateLimit,
}

impl Outcome {
    /// The number of kinds, with each kind of drop counted by itself.
    pub const COUNT: usize = 18;

    /// The name of each kind, at its [`Outcome::index`].
    pub const NAMES: [&'static str; Self::COUNT] = [
        "answer",
        "nodata",
        "referral",
        "nxdomain",
        "truncated",
        "slipped",
        "refused",
        "formerr",
        "notimp",
        "badvers",
        "yxdomain",
        "servfail",
        "dropped_short",
        "dropped_response",
        "dropped_source_port_zero",
        "dropped_source_own",
        "dropped_no_room",
        "dropped_rate_limit",
    ];

    /// Returns the length of the response in octets; `None` if there is none.
    pub fn len(&self) -> Option<usize> {
        match *self {
            Self::Answer(len)
            | Self::NoData(len)
            | Self::Referral(len)
            | Self::NxDomain(len)
            | Self::Truncated(len)
            | Self::Slipped(len)
            | Self::Refused(len)
            | Self::FormErr(len)
            | Self::NotImp(len)
            | Self::BadVers(len)
            | Self::YxDomain(len)
            | Self::ServFail(len) => Some(len),
            Self::Drop(_) => None,
        }
    }

    /// Returns whether there is no response.
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Drop(_))
    }

    /// Returns the place of this kind among all, from 0 to [`Outcome::COUNT`] − 1.
    pub fn index(&self) -> usize {
        match self {
            Self::Answer(_) => 0,
            Self::NoData(_) => 1,
            Self::Referral(_) => 2,
            Self::NxDomain(_) => 3,
            Self::Truncated(_) => 4,
            Self::Slipped(_) => 5,
            Self::Refused(_) => 6,
            Self::FormErr(_) => 7,
            Self::NotImp(_) => 8,
            Self::BadVers(_) => 9,
            Self::YxDomain(_) => 10,
            Self::ServFail(_) => 11,
            Self::Drop(Dropped::Short) => 12,
            Self::Drop(Dropped::Response) => 13,
            Self::Drop(Dropped::SourcePortZero) => 14,
            Self::Drop(Dropped::SourceOwn) => 15,
            Self::Drop(Dropped::NoRoom) => 16,
            Self::Drop(Dropped::RateLimit) => 17,
        }
    }

    pub(super) fn of(
        len: usize,
        rcode: Rcode,
        truncated: bool,
        referral: bool,
        answers: u16,
    ) -> Self {
        match rcode {
            _ if truncated => Self::Truncated(len),
            Rcode::NoError if referral => Self::Referral(len),
            Rcode::NoError if answers == 0 => Self::NoData(len),
            Rcode::NoError => Self::Answer(len),
            Rcode::NxDomain => Self::NxDomain(len),
            Rcode::Refused => Self::Refused(len),
            Rcode::FormErr => Self::FormErr(len),
            Rcode::NotImp => Self::NotImp(len),
            Rcode::BadVers => Self::BadVers(len),
            Rcode::YxDomain => Self::YxDomain(len),
            Rcode::ServFail => Self::ServFail(len),
        }
    }
}
