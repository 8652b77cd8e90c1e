//! shim
#![allow(missing_docs)]
use super::kind::Type;
pub struct Compression {
    pub prefix: usize,
    pub names: usize,
}
pub fn compression(rtype: Type) -> Compression {
    match rtype {
        Type::NS | Type::CNAME | Type::PTR => Compression { prefix: 0, names: 1 },
        Type::MX => Compression { prefix: 2, names: 1 },
        Type::SOA => Compression { prefix: 0, names: 2 },
        _ => Compression { prefix: 0, names: 0 },
    }
}
pub fn target_name(rtype: Type, rdata: &[u8]) -> Option<&[u8]> {
    match rtype {
        Type::NS => Some(rdata),
        Type::MX => rdata.get(2..),
        Type::SRV => rdata.get(6..),
        _ => None,
    }
}
