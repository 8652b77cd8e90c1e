//! What each thread counts, and the sums others read.
//!
//! A thread writes its own counters and nobody else's, so an increment is a plain load and store;
//! readers may be a moment behind.

use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number one thread raises and any thread reads.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Raises it; only the thread that owns it may.
    pub(super) fn add(&self, amount: usize) {
        let value = self.0.load(Ordering::Relaxed);
        self.0.store(value.wrapping_add(amount as u64), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Declares the counters once, as what a thread raises and as what others read.
macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// The counters of one thread; padded, so that two threads never share a cache line.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub(super) struct Counters {
            $($(#[$doc])* pub(super) $name: Counter,)*
        }

        impl Counters {
            /// The values now.
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
    /// Responses the network refused, or whose client stopped reading.
    send_errors,
    /// Failures to receive or to accept that were not a matter of waiting.
    receive_errors,
    /// Datagrams dropped because they were longer than any query is.
    oversize,
    /// Queries that made the responder panic; each was dropped.
    panics,
    /// Connections accepted, the refused ones among them.
    accepted,
    /// Connections closed at once because their source had too many.
    refused,
    /// Connections closed to let a newer one in.
    evicted,
    /// Connections closed because no whole query came in time.
    expired,
    /// Connections closed because their handshake failed: not TLS, or TLS that cannot be agreed on.
    failed_handshakes,
}

/// What all threads counted, by transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The UDP workers.
    pub udp: Counts,
    /// The thread of TCP.
    pub stream: Counts,
    /// The thread of TLS.
    pub tls: Counts,
    /// The thread of HTTPS, QUIC and HTTP/3.
    pub encrypted: Counts,
}
