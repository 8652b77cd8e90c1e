//! Answers of class CH: the identity of the server (RFC 4892).

use super::policy::{Policy, Text};
use super::{Head, Why};
use crate::wire::kind::{CLASS_CH, Rcode, Type};
use crate::wire::qname::Qname;
use crate::wire::writer::{QNAME_POINTER, Writer};

/// Answers a query of class CH with the operator's text, or with REFUSED.
pub(super) fn answer(policy: &Policy, qname: &Qname, qtype: Type, writer: &mut Writer<'_>) -> Head {
    let text = match (qtype, text_at(policy, qname)) {
        (Type::TXT | Type::ANY, Some(text)) => text,
        _ => return Head::refused(Why::Prohibited),
    };
    // TTL 0: the client asks for the server that answers now.
    match writer.put_record_of(CLASS_CH, QNAME_POINTER, Type::TXT, 0, text.as_txt()) {
        Ok(()) => Head { authoritative: true, answers: 1, ..Head::default() },
        Err(_) => Head { truncated: true, rcode: Some(Rcode::NoError), ..Head::default() },
    }
}

fn text_at<'p>(policy: &'p Policy, qname: &Qname) -> Option<&'p Text> {
    match qname.as_wire() {
        b"\x07version\x04bind\0" | b"\x07version\x06server\0" => policy.version.as_ref(),
        b"\x08hostname\x04bind\0" | b"\x02id\x06server\0" => policy.name.as_ref(),
        _ => None,
    }
}
