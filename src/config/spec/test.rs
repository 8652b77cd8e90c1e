//! What a zone must answer: its own tests.

use super::network::Network;
use super::service::Share;
use crate::config::decode::{Map, OneOrMany, table, words};

/// By how much a share may differ from what is expected.
pub(crate) const WITHIN_DEFAULT: f64 = 0.01;

table! {
    /// A question and what must come of it. Tests are run by `check` and before every reload: if
    /// one fails, what is served stays.
    pub(crate) struct Test {
        /// A name, relative to the zone, and a type: "web AAAA"; without a type: A.
        query: String, required;
        /// The address that asks. Default: "127.0.0.1".
        client: Network;
        /// The network that a resolver says its client is in (EDNS Client Subnet). It counts where
        /// `client_subnet` believes `client`.
        subnet: Network;
        /// What is held to be down: "web/fra1", an endpoint of a service, or "web", all of them.
        /// Everything else is up.
        down: OneOrMany<String>;
        /// What must come of it.
        expect: Expect, required;
    }
}

table! {
    /// What must hold of 1,000 answers, one after the other. All that is written must.
    pub(crate) struct Expect {
        /// The response code, or NODATA: NOERROR and no answer.
        rcode: ExpectedRcode;
        /// The pools that answers may come from; no others.
        pool: OneOrMany<String>;
        /// What every answer holds, and nothing else: addresses, or other data as dig shows it.
        exactly: OneOrMany<String>;
        /// What answers may hold: each some of it, and nothing else.
        among: OneOrMany<String>;
        /// What no answer may hold.
        never: OneOrMany<String>;
        /// Endpoints, or pools, and the share of the answers, 0 to 1, that name them.
        shares: Map<Share>;
        /// By how much a share may differ, 0 to 1. Default: 0.01.
        within: Share;
    }
}

words! {
    /// What a response says of the question.
    pub(crate) enum ExpectedRcode {
        /// There is an answer.
        NoError = "NOERROR",
        /// There is the name, but nothing of the type.
        NoData = "NODATA",
        /// There is no such name.
        NxDomain = "NXDOMAIN",
        /// The client is not let in.
        Refused = "REFUSED",
        /// A name became too long.
        YxDomain = "YXDOMAIN",
    }
}
