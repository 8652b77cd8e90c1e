//! What the operator expects of a zone.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;

use crate::wire::kind::Type;
use crate::wire::name::Name;

/// A question, who asks it, what is down, and what must come of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Where its question is written: octets of the zone file.
    pub written: Range<usize>,
    /// The name that is asked for.
    pub name: Name,
    /// The type that is asked for.
    pub qtype: Type,
    /// The source of the query.
    pub client: IpAddr,
    /// The client subnet that the query carries (RFC 7871).
    pub subnet: Option<IpNet>,
    /// What is held to be down.
    pub down: Vec<Down>,
    /// What must come of it.
    pub expect: Expect,
}

/// Endpoints that are held to be down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Down {
    /// The service, as the zone file calls it.
    pub service: String,
    /// Its endpoint; `None`: all of them.
    pub endpoint: Option<String>,
}

/// What must hold of every answer, or of all of them together. What is empty says nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Expect {
    /// The response code, or `NODATA`.
    pub rcode: Option<String>,
    /// The only pools whose endpoints answers may name.
    pub pools: Vec<String>,
    /// What every answer holds, and nothing else.
    pub exactly: Vec<String>,
    /// The only data that answers may hold, and each holds some of it.
    pub among: Vec<String>,
    /// Data that no answer may hold.
    pub never: Vec<String>,
    /// Endpoints, or pools, and the share of answers, 0 to 1, that name them.
    pub shares: Vec<(String, f64)>,
    /// By how much a share may differ.
    pub within: f64,
}
