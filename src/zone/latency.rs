//! Measured latencies: how long the clients of a network take to reach a pool.

use std::net::IpAddr;

use ipnet::IpNet;

use super::service::PoolIndex;

/// What was measured, network by network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Latencies {
    /// In order of network: those that hold others come before them.
    rows: Vec<Latency>,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Latency {
    /// Whose clients.
    pub net: IpNet,
    /// The pool that they reach.
    pub pool: PoolIndex,
    /// In microseconds.
    pub micros: u32,
}

impl Latencies {
    /// From measurements in any order; of two of one network and pool the smaller counts.
    pub fn new(mut rows: Vec<Latency>) -> Self {
        rows.sort_unstable();
        rows.dedup_by_key(|row| (row.net, row.pool));
        Self { rows }
    }

    /// The same where each pool stands behind `pools` others.
    pub fn moved(&self, pools: u16) -> Self {
        let moved = |row: &Latency| Latency { pool: PoolIndex(row.pool.0 + pools), ..*row };
        Self { rows: self.rows.iter().map(moved).collect() }
    }

    /// How many microseconds `client` takes to `pool`, as the longest network says that holds it.
    ///
    /// # Cost
    /// A pass over all rows: not for queries.
    pub fn find(&self, client: IpAddr, pool: PoolIndex) -> Option<u32> {
        let of_pool = |row: &&Latency| row.pool == pool && row.net.contains(&client);
        self.rows.iter().rfind(of_pool).map(|row| row.micros)
    }

    /// All of them, in order of network.
    pub fn rows(&self) -> &[Latency] {
        &self.rows
    }
}
