//! A zone file as a whole, and its SOA.
//!
//! `config::load` reads a [`ZoneFile`] and `config::meaning` makes a zone of it; `config::schema`
//! describes it. Every other table of the zone file hangs on it, so what it does not hold, no zone
//! file can say. The server's own file is in `spec::server`.

use super::check::Check;
use super::network::{ClientSubnet, Network};
use super::records::OwnerRecords;
use super::service::Service;
use super::test::Test;
use crate::config::decode::{Int, List, Map, OneOrMany, Period, table};

/// The default TTL of static records.
pub(crate) const TTL_DEFAULT: Period = Period::secs(3600);
/// The default mailbox of the zone's operator (RFC 2142 §7).
pub(crate) const CONTACT_DEFAULT: &str = "hostmaster";
/// The default time for which resolvers may remember that something does not exist.
pub(crate) const NEGATIVE_TTL_DEFAULT: Period = Period::secs(10);
/// The default interval at which secondaries ask for changes.
pub(crate) const REFRESH_DEFAULT: Period = Period::secs(4 * 3600);
/// The default interval at which secondaries ask again after a failure.
pub(crate) const RETRY_DEFAULT: Period = Period::secs(3600);
/// The default time for which secondaries answer without reaching the primary.
pub(crate) const EXPIRE_DEFAULT: Period = Period::secs(14 * 86_400);
/// The default of the last field of the SOA record.
pub(crate) const MINIMUM_DEFAULT: Period = Period::secs(300);

table! {
    /// A zone: its static records and its steered services.
    pub(crate) struct ZoneFile {
        /// The zone's own name, such as "example.com"; the final dot may be left out.
        zone: String, required;
        /// The TTL of static records that have none of their own.
        ttl: Period = TTL_DEFAULT;
        /// The name servers of the zone, relative to it unless they end with a dot. They become the
        /// NS records at the apex; leave them out if the records hold these.
        nameservers: List<String>;
        /// The fields of the SOA record. Without this key it is made of defaults, unless the
        /// records hold one.
        soa: Soa;
        /// A master file (RFC 1035 §5) in the zone directory, relative to this file, with static
        /// records of this zone in addition to `records`.
        records_file: String;
        /// The clients that may ask for the names of this zone; the others are refused. Default:
        /// all clients.
        clients: Clients;
        /// The resolvers that are believed when they name the client that they ask for (EDNS Client
        /// Subnet, RFC 7871): true for all, or their networks. Routes then see the client's network
        /// instead of the resolver's address. All servers of a zone should have the same value.
        client_subnet: ClientSubnet = ClientSubnet::Nobody;
        /// Static records: for each name, relative to the zone ("@" is the zone itself), its data
        /// by type.
        records: Map<OwnerRecords>;
        /// Health checks that services and endpoints use by name.
        checks: Map<Check>;
        /// The steered names, relative to the zone ("@" is the zone itself).
        services: Map<Service>;
        /// Tests, which state the answers that the zone must give.
        tests: List<Test>;
    }
}

table! {
    /// Clients by their network. Of several networks that hold a client the narrowest decides.
    pub(crate) struct Clients {
        /// Networks that may ask. With this key, no others may.
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
        /// The time for which resolvers may remember that a name or type does not exist; the TTL of
        /// the SOA record. They take the smaller of this and `minimum` (RFC 2308 §3).
        negative_ttl: Period = NEGATIVE_TTL_DEFAULT;
        /// The serial number. Default: the time at which the newest of the zone's files was
        /// changed, in seconds since 1970.
        serial: Int<0, 4_294_967_295>;
        /// The interval at which secondaries ask for changes.
        refresh: Period = REFRESH_DEFAULT;
        /// The interval at which secondaries ask again after a failure.
        retry: Period = RETRY_DEFAULT;
        /// The time for which secondaries answer without reaching the primary.
        expire: Period = EXPIRE_DEFAULT;
        /// The last field of the record: an upper bound of `negative_ttl`.
        minimum: Period = MINIMUM_DEFAULT;
        /// The primary name server, relative to the zone unless it ends with a dot. Default: the
        /// first of `nameservers`.
        mname: String;
    }
}
