//! What the standards demand of an authoritative server, asked of the running binary over UDP and
//! TCP: a module for each document, a test for each demand, which stands in one line above it.
//!
//! `message` is the instrument: queries with any bit set, and responses read octet by octet.

mod ednscomp;
mod message;
mod options;
mod rfc6891;
mod rfc7873;
mod rfc8906;
