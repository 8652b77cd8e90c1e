//! Responses as dig prints them.

use crate::wire::edns;
use crate::wire::message::{Message, Record};

/// Prints `message`.
pub(super) fn print(message: &Message) {
    let counts = message.header.counts;
    say!(
        ";; ->>HEADER<<- opcode: QUERY, status: {}, id: {}",
        message.rcode_text(),
        message.header.id
    );
    say!(
        ";; flags: {}; QUERY: {}, ANSWER: {}, AUTHORITY: {}, ADDITIONAL: {}",
        message.flags().join(" "),
        counts[0],
        counts[1],
        counts[2],
        counts[3]
    );
    if let Some(edns) = message.edns {
        say!("\n;; OPT PSEUDOSECTION:");
        say!("; EDNS: version: {}, flags:; udp: {}", edns.version, edns.payload_size);
        if let Some(subnet) = edns.subnet {
            say!("; CLIENT-SUBNET: {subnet}");
        }
        for (code, data) in &message.options {
            print_option(*code, data);
        }
    }
    if let Some((name, qtype, _)) = &message.question {
        say!("\n;; QUESTION SECTION:\n;{name}\t\tIN\t{qtype}");
    }
    section("ANSWER", &message.answer);
    section("AUTHORITY", &message.authority);
    section("ADDITIONAL", &message.additional);
    say!("");
}

/// Prints an EDNS option that an answer to `waypost query` can have.
fn print_option(code: u16, data: &[u8]) {
    if let (edns::code::EXTENDED_ERROR, Some((number, text))) = (code, data.split_first_chunk()) {
        let text = String::from_utf8_lossy(text);
        let text = if text.is_empty() { String::new() } else { format!(": ({text})") };
        let number = u16::from_be_bytes(*number);
        say!("; EDE: {number}{}{text}", edns::extended_error(number));
    }
}

fn section(title: &str, records: &[Record]) {
    if !records.is_empty() {
        say!("\n;; {title} SECTION:");
        for record in records {
            say!("{record}");
        }
    }
}
