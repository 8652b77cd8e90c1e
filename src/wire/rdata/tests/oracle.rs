//! Tests against another codec: hickory-proto reads what this codec writes and writes the same
//! octets, apart from the compression of names.

use hickory_proto::op::Message;
use hickory_proto::rr::RData;

use super::*;

/// The place of the RDATA in [`message`]: after the header, the root as owner and the fixed fields.
const RDATA_AT: usize = 12 + 1 + 10;

/// Makes a response with one record of this data by hand.
fn message(rtype: Type, rdata: &[u8]) -> Vec<u8> {
    let mut message = hex("1234 8400 0000 0001 0000 0000 00");
    message.extend_from_slice(&rtype.0.to_be_bytes());
    message.extend_from_slice(&hex("0001 00000e10"));
    message.extend_from_slice(&(rdata.len() as u16).to_be_bytes());
    message.extend_from_slice(rdata);
    message
}

#[test]
fn an_independent_codec_reads_every_type_and_writes_it_back_the_same() {
    for &(rtype, printed) in PRINTED {
        let rdata = wire(rtype, printed);
        if rdata.is_empty() {
            // The other codec takes a record without data for a dynamic update.
            continue;
        }
        let read = Message::from_vec(&message(rtype, &rdata));
        let read = read.unwrap_or_else(|error| panic!("{rtype}: {error}"));
        assert_eq!(read.answers.len(), 1, "{rtype}");
        let sent = read.to_vec().unwrap();
        let expanded = expand(rtype, &sent, RDATA_AT..sent.len());
        assert_eq!(expanded, Some(rdata), "{rtype} {printed}");
    }
}

#[test]
fn an_independent_codec_reads_the_same_values_from_text() {
    let known = "A AAAA CNAME MX NS PTR SOA SRV CAA HTTPS SVCB NAPTR SSHFP TLSA SMIMEA HINFO \
                 OPENPGPKEY CERT CSYNC";
    for rtype in known.split_whitespace().map(|rtype| rtype.parse::<Type>().unwrap()) {
        let &(_, printed) = PRINTED.iter().find(|(found, _)| *found == rtype).unwrap();
        let ours = Message::from_vec(&message(rtype, &wire(rtype, printed))).unwrap();
        let theirs = RData::try_from_str(rtype.0.into(), printed).unwrap();
        assert_eq!(ours.answers[0].data, theirs, "{rtype}");
    }
}
