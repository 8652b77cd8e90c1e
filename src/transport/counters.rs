//! The counters of each thread, and their sums for readers.
//!
//! A thread writes only its own counters, so an increment is a plain load and store. Readers may be
//! a moment late.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that one thread raises and any thread reads.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Raises the number; only the thread that owns it may.
    pub(super) fn add(&self, amount: usize) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(amount as u64), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the counters once, as those that a thread raises and as those that others read.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of one thread, padded so that two threads never share a cache line.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(super) struct Counters {
            $($(#[$doc])* pub(super) $name: Counter,)*
        }

        impl Counters {
            /// Returns the values now.
            pub(super) fn read(&self) -> Counts {
                Counts { $($name: self.$name.read(),)* }
            }
        }

        /// The values of the counters of one or more threads, since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Counts {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl AddAssign for Counts {
            fn add_assign(&mut self, other: Self) {
                $(self.$name = self.$name.wrapping_add(other.$name);)*
            }
        }
    };
}

counters! {
    /// Messages that arrived whole.
    received,
    /// Responses handed to the network.
    sent,
    /// Responses that the network refused, or whose client stopped reading.
    send_errors,
    /// Failures to receive or to accept, other than waiting.
    receive_errors,
    /// Datagrams that were dropped because they were longer than any query.
    oversize,
    /// Queries on which the responder panicked; each was dropped.
    panics,
    /// Connections that were accepted, including refused ones.
    accepted,
    /// Connections that were closed at once because their source had too many.
    refused,
    /// Connections that were closed to let a newer one in.
    evicted,
    /// Connections that were closed because no whole query came in time.
    expired,
    /// Connections whose handshake failed: not TLS, or TLS without common terms.
    failed_handshakes,
}

/// The counts of all threads, by transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The UDP workers.
    pub udp: Counts,
    /// The TCP thread.
    pub stream: Counts,
    /// The TLS thread.
    pub tls: Counts,
    /// The thread of HTTPS, QUIC and HTTP/3.
    pub encrypted: Counts,
}
