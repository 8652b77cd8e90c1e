//! Tests of a zone, which state the answers that it must give.
//!
//! `config::meaning::test` makes a `zone::Test` of each; `trial` asks it. [`ExpectedRcode`] is also
//! the response code that checks of kind dns expect (`spec::reply`).

use super::network::Network;
use super::service::Share;
use crate::config::decode::{Map, OneOrMany, table, words};

/// The default difference that is allowed between a share and its expected value.
pub(crate) const WITHIN_DEFAULT: f64 = 0.01;

table! {
    /// A question and its expected answers. `check` runs the tests, and so does the server before
    /// every reload: if one fails, it keeps the zone that it serves.
    pub(crate) struct Test {
        /// A name, relative to the zone, and a type: "web AAAA"; without a type: A.
        query: String, required;
        /// The address that asks. Default: "127.0.0.1".
        client: Network;
        /// The network that a resolver names as its client's (EDNS Client Subnet). It counts if
        /// `client_subnet` believes `client`.
        subnet: Network;
        /// The endpoints that the test takes as down: "web/fra1", an endpoint of a service, or
        /// "web", all of its endpoints. All others are up.
        down: OneOrMany<String>;
        /// The expected answers.
        expect: TestExpect, required;
    }
}

table! {
    /// The conditions that 1,000 answers in a row must meet. All that are set must hold.
    pub(crate) struct TestExpect {
        /// The response code, or NODATA: NOERROR without an answer.
        rcode: ExpectedRcode;
        /// The only pools that answers may come from.
        pool: OneOrMany<String>;
        /// The data that every answer holds, and nothing else: addresses, or other data as dig
        /// shows it.
        exactly: OneOrMany<String>;
        /// The data that answers may hold: each holds a part of it, and nothing else.
        among: OneOrMany<String>;
        /// The data that no answer may hold.
        never: OneOrMany<String>;
        /// Endpoints or pools, each with the share of the answers, 0 to 1, that must name it.
        shares: Map<Share>;
        /// The difference that is allowed for a share, 0 to 1. Default: 0.01.
        within: Share;
    }
}

words! {
    /// The outcome that a response states.
    pub(crate) enum ExpectedRcode {
        /// There is an answer.
        NoError = "NOERROR",
        /// The name exists, but has no records of the type.
        NoData = "NODATA",
        /// The name does not exist.
        NxDomain = "NXDOMAIN",
        /// The client may not ask.
        Refused = "REFUSED",
        /// A DNAME made a name too long.
        YxDomain = "YXDOMAIN",
    }
}
