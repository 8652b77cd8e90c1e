//! The tests that an operator writes for a zone.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// A query, its source, the endpoints that are down, and the answer expected.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// The place of its question in the zone file, in octets.
    pub written: Range<usize>,
    /// The name that is asked for.
    pub name: Name,
    /// The type that is asked for.
    pub qtype: Type,
    /// The source of the query.
    pub client: IpAddr,
    /// The client subnet that the query carries (RFC 7871).
    pub subnet: Option<IpNet>,
    /// The endpoints that are held down.
    pub down: Vec<Down>,
    /// The answer expected.
    pub expect: Expect,
}

/// Endpoints that are held down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The service, by its name in the zone file.
    pub service: String,
    /// The name of its endpoint; `None` for all of them.
    pub endpoint: Option<String>,
}

/// An expectation of every answer, or of all answers together. An empty field expects nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The response code, or `NODATA`.
    pub rcode: Option<String>,
    /// The only pools whose endpoints answers may name.
    pub pools: Vec<String>,
    /// The data of every answer, all of it and nothing else.
    pub exactly: Vec<String>,
    /// The only data that answers may hold; each answer holds some of it.
    pub among: Vec<String>,
    /// The data that no answer may hold.
    pub never: Vec<String>,
    /// Endpoints or pools, each with the share of answers, 0 to 1, that name it.
    pub shares: Vec<(String, f64)>,
    /// The most by which a share may differ.
    pub within: f64,
}
