//! The demands of the standards on an authoritative server, checked on the running binary over UDP
//! and TCP. Each document has a module, and each demand a test, with the demand above it.
//!
//! `message` has the tools: queries with any bit set, and responses read octet by octet.

mod ednscomp;
mod message;
mod options;
mod rfc6891;
mod rfc7873;
mod rfc8906;
