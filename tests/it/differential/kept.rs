//! The differences that are kept: a closed list, each with its reason. `README.md` shows them.

use super::compare::{Field, Heard, is_type};

/// A kind of difference that is meant.
pub(super) struct Rule {
    pub(super) name: &'static str,
    /// Whether it is this rule that makes the difference in the field.
    pub(super) explains: fn(&Heard, Field) -> bool,
}

pub(super) const RULES: &[Rule] = &[
    Rule { name: "any-is-hinfo", explains: any_is_hinfo },
    Rule { name: "transfers-are-refused", explains: transfers_are_refused },
    Rule { name: "parent-has-ds-behind-aliases", explains: parent_has_ds_behind_aliases },
];

/// RFC 8482 §4.2 (`docs/decisions/0009-any-is-hinfo.md`): one HINFO in place of everything, and of
/// the truncation that everything may need.
fn any_is_hinfo(heard: &Heard, field: Field) -> bool {
    let hinfo = " 3600 IN HINFO \"RFC8482\" \"\"";
    is_type(heard.asked.question.rtype, "ANY")
        && matches!(&heard.ours.data.answer[..], [line] if line.ends_with(hinfo))
        && matches!(field, Field::Answer | Field::Tc)
}

/// We transfer no zone to anybody, whether it is one of ours or not. The peers do for some, and say
/// NOTAUTH (RFC 5936 §2.2.1), 9, of a name that is no apex.
fn transfers_are_refused(heard: &Heard, field: Field) -> bool {
    let transfer = ["AXFR", "IXFR"].iter().any(|name| is_type(heard.asked.question.rtype, name));
    let no_apex = heard.peers.iter().all(|peer| peer.data.rcode == "RCODE9");
    transfer && no_apex && heard.ours.data.rcode == "REFUSED" && field == Field::Rcode
}

/// RFC 4035 §3.1.4.1: the parent answers for the DS of a child, also where an alias leads to it; if
/// it does not delegate the child, that is NXDOMAIN. Asked directly the peers say so too; behind an
/// alias they look in the zone that they are in, or not at all, or know the name from elsewhere.
fn parent_has_ds_behind_aliases(heard: &Heard, field: Field) -> bool {
    let ours = &heard.ours.data;
    is_type(heard.asked.question.rtype, "DS")
        && ours.answer.iter().any(|line| line.ends_with(" IN CNAME sub.example.com."))
        && ours.authority.iter().all(|line| line.starts_with("example.com. "))
        && ours.rcode == "NXDOMAIN"
        && field == Field::Rcode
}
