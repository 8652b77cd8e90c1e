//! The differences that are kept: a closed list, each with its reason. `README.md` shows them.

use super::compare::{Field, Heard, aliases, is_type};
use crate::dns::Response;

/// A kind of difference that is intended.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// Whether this rule makes the difference in the field.
    pub(super) explains: fn(&Heard, Field) -> bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule { name: "any-is-hinfo", explains: any_is_hinfo },
    Rule { name: "transfers-are-refused", explains: transfers_are_refused },
    Rule { name: "signed-types-follow-aliases", explains: signed_types_follow_aliases },
    Rule { name: "aliases-are-followed", explains: aliases_are_followed },
];

/// Explains one HINFO in place of all records, and of the truncation that these may need (RFC 8482
/// §4.2, `docs/decisions/0009-any-is-hinfo.md`).
fn any_is_hinfo(heard: &Heard, field: Field) -> bool {
    let hinfo = " 3600 IN HINFO \"RFC8482\" \"\"";
    is_type(heard.asked.question.rtype, "ANY")
        && matches!(&heard.ours.data.answer[..], [line] if line.ends_with(hinfo))
        && matches!(field, Field::Answer | Field::Tc)
}

/// Explains REFUSED for a transfer: we transfer no zone to anybody, be it one of ours or not. The
/// peers transfer some, and otherwise say NOTAUTH (9, RFC 5936 §2.2.1) for a name that is no apex,
/// and NOTIMP over UDP.
fn transfers_are_refused(heard: &Heard, field: Field) -> bool {
    let transfer = ["AXFR", "IXFR"].iter().any(|name| is_type(heard.asked.question.rtype, name));
    let no = ["RCODE9", "NOTIMP", "REFUSED"];
    let nobody_does = heard.peers.iter().all(|peer| no.contains(&peer.data.rcode.as_str()));
    transfer && nobody_does && heard.ours.data.rcode == "REFUSED" && field == Field::Rcode
}

/// Explains that we follow aliases for RRSIG and NSEC as for every other type (RFC 1034 §4.3.2 step
/// 3a). These types may stand beside a CNAME (RFC 4035 §2.5), so Knot DNS and BIND follow none for
/// them, and NSD not always. A zone that is not signed has none of them.
fn signed_types_follow_aliases(heard: &Heard, field: Field) -> bool {
    let asked = ["RRSIG", "NSEC"].iter().any(|name| is_type(heard.asked.question.rtype, name));
    let nobody_does = heard.peers.iter().all(|peer| peer.data.answer.is_empty());
    asked && nobody_does && aliases(&heard.ours).next().is_some() && field != Field::Tc
}

/// Explains that we follow up to 16 aliases, into every zone of ours (RFC 1034 §4.3.2 step 3a).
/// Each peer stops earlier, at the end of a zone or after another number of aliases.
fn aliases_are_followed(heard: &Heard, field: Field) -> bool {
    let ours = &heard.ours.data.answer;
    let stops = |peer: &Response| peer.data.answer.iter().all(|line| ours.contains(line));
    heard.side(field).is_some()
        && aliases(&heard.ours).next().is_some()
        && heard.peers.iter().all(stops)
}
