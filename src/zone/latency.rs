//! Measured latencies: the time that the clients of a network take to reach a pool.

use std::net::IpAddr;

use ipnet::IpNet;

use super::service::PoolIndex;

/// Measurements, network by network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Latencies {
    /// The measurements, ordered by network: a network stands before those that it holds.
    rows: Vec<Latency>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Latency {
    /// The network of the clients.
    pub net: IpNet,
    /// The pool that they reach.
    pub pool: PoolIndex,
    /// The latency in microseconds.
    pub micros: u32,
}

impl Latencies {
    /// Creates them from measurements in any order. If a network and pool has two, the smaller
    /// counts.
    pub fn new(mut rows: Vec<Latency>) -> Self {
        rows.sort_unstable();
        rows.dedup_by_key(|row| (row.net, row.pool));
        Self { rows }
    }

    /// Returns the latencies with every pool index raised by `pools`.
    pub fn moved(&self, pools: u16) -> Self {
        let moved = |row: &Latency| Latency { pool: PoolIndex(row.pool.0 + pools), ..*row };
        Self { rows: self.rows.iter().map(moved).collect() }
    }

    /// Returns the latency from `client` to `pool` in microseconds, by the longest network that
    /// holds the client.
    ///
    /// # Cost
    /// A pass over all rows: not for queries.
    pub fn find(&self, client: IpAddr, pool: PoolIndex) -> Option<u32> {
        let of_pool = |row: &&Latency| row.pool == pool && row.net.contains(&client);
        self.rows.iter().rfind(of_pool).map(|row| row.micros)
    }

    /// Returns all measurements, ordered by network.
    pub fn rows(&self) -> &[Latency] {
        &self.rows
    }
}
