//! A zone file as a whole, and its SOA.

use super::check::Check;
use super::network::{ClientSubnet, Network};
use super::records::OwnerRecords;
use super::service::Service;
use super::test::Test;
use crate::config::decode::{Int, List, Map, OneOrMany, Period, table};

/// The TTL of static records without one of their own.
pub(crate) const TTL_DEFAULT: Period = Period::secs(3600);
/// The mailbox of the zone's operator (RFC 2142 §7).
pub(crate) const CONTACT_DEFAULT: &str = "hostmaster";
/// How long resolvers may remember that something does not exist.
pub(crate) const NEGATIVE_TTL_DEFAULT: Period = Period::secs(10);
/// How often secondaries ask for changes.
pub(crate) const REFRESH_DEFAULT: Period = Period::secs(4 * 3600);
/// How soon secondaries ask again when nobody answered.
pub(crate) const RETRY_DEFAULT: Period = Period::secs(3600);
/// How long secondaries answer without having reached the primary.
pub(crate) const EXPIRE_DEFAULT: Period = Period::secs(14 * 86_400);
/// The last field of the SOA record.
pub(crate) const MINIMUM_DEFAULT: Period = Period::secs(300);

table! {
    /// One zone: its static records and its steered services.
    pub(crate) struct ZoneFile {
        /// The zone's own name, such as "example.com"; the final dot may be left out.
        zone: String, required;
        /// The TTL of static records that have none of their own.
        ttl: Period = TTL_DEFAULT;
        /// The name servers of the zone, relative to it unless they end with a dot. The NS
        /// records at the apex are made from them; leave them out if the records have NS ones.
        nameservers: List<String>;
        /// The fields of the SOA record. It is made even without this key, unless the records
        /// have one.
        soa: Soa;
        /// A master file (RFC 1035 §5) in the zone directory with static records of this zone,
        /// relative to this file. Beside `records`, not instead of it.
        records_file: String;
        /// Which clients may ask for the names of this zone; default: all. The others are refused.
        clients: Clients;
        /// Resolvers that are believed when they say for which of their clients they ask (EDNS
        /// Client Subnet, RFC 7871): true for all, or their networks. The client's network then
        /// takes the place of the resolver's address in routes. All servers of a zone should say
        /// the same.
        client_subnet: ClientSubnet = ClientSubnet::Nobody;
        /// Static records: for each name, relative to the zone ("@" is the zone itself), its
        /// data by type.
        records: Map<OwnerRecords>;
        /// Health checks that services and endpoints use by name.
        checks: Map<Check>;
        /// The steered names, relative to the zone ("@" is the zone itself).
        services: Map<Service>;
        /// What the zone must answer.
        tests: List<Test>;
    }
}

table! {
    /// Clients by their network; of several that hold a client the narrowest decides.
    pub(crate) struct Clients {
        /// Networks that may ask; with this key, no others may.
        allow: OneOrMany<Network>;
        /// Networks that may not ask.
        deny: OneOrMany<Network>;
    }
}

table! {
    /// The fields of the SOA record (RFC 1035 §3.3.13).
    pub(crate) struct Soa {
        /// The operator's mailbox: "hostmaster" (in the zone), "ops@example.net", or a name with
        /// its final dot.
        contact: String = CONTACT_DEFAULT;
        /// How long resolvers may remember that a name or type does not exist; the TTL of the
        /// SOA record. They take the smaller of this and `minimum` (RFC 2308 §3).
        negative_ttl: Period = NEGATIVE_TTL_DEFAULT;
        /// The serial number. Default: when the newest of the zone's files was changed, in
        /// seconds since 1970.
        serial: Int<0, 4_294_967_295>;
        /// How often secondaries ask for changes.
        refresh: Period = REFRESH_DEFAULT;
        /// How soon secondaries ask again when nobody answered.
        retry: Period = RETRY_DEFAULT;
        /// How long secondaries answer without having reached the primary.
        expire: Period = EXPIRE_DEFAULT;
        /// The last field of the record: an upper bound of `negative_ttl`.
        minimum: Period = MINIMUM_DEFAULT;
        /// The primary name server, relative to the zone unless it ends with a dot. Default: the
        /// first of `nameservers`.
        mname: String;
    }
}
