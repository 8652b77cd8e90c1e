//! Hints on mistyped words, for zone files in TOML and for master files.

use super::decode::did_you_mean;
use crate::wire::excerpt::excerpt;
use crate::wire::kind::Type;

/// Returns a hint at the record type that was likely meant by `word`, which is none.
pub(super) fn near_type(word: &str) -> Option<String> {
    match word.to_ascii_uppercase().as_str() {
        "AA" => Some("did you mean \"A\" or \"AAAA\"?".to_owned()),
        "ALIAS" | "ANAME" => Some(
            "it is no type of the DNS: write A and AAAA records, or make the name a service"
                .to_owned(),
        ),
        _ => did_you_mean(word, Type::mnemonics().filter(|mnemonic| mnemonic.len() > 2)),
    }
}

/// Returns a warning and a hint if `name` holds an `@` that was likely meant as the origin, or as
/// that of a mail address.
pub(super) fn stray_at(name: &str) -> Option<(String, String)> {
    if name == "@" || !name.contains('@') {
        return None;
    }
    let mut octets = name.bytes();
    let mut is_stray = false;
    while let Some(octet) = octets.next() {
        match octet {
            b'\\' => drop(octets.next()),
            b'@' => is_stray = true,
            _ => {}
        }
    }
    let help = match name.strip_suffix(".@") {
        Some(relative) => format!("write `{}`: it is relative to the zone", excerpt(relative)),
        None => "an `@` that belongs to the name is written `\\@`".to_owned(),
    };
    is_stray.then(|| ("only an `@` that stands alone means the origin".to_owned(), help))
}
