//! Tests with random input: nothing panics, and what was read once is read again unchanged.

use proptest::prelude::*;

use super::*;

/// Generates a type that the table knows, or any other.
fn any_type() -> impl Strategy<Value = Type> {
    prop_oneof![
        4 => (0..PRINTED.len()).prop_map(|at| PRINTED[at].0),
        1 => any::<u16>().prop_map(Type),
    ]
}

/// Generates text from pieces of RDATA.
fn any_words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "[ -~]{0,8}",
        "\\PC{0,4}",
        Just("\\# 4 0a000001".to_owned()),
        Just("alpn=\"h2,h3\"".to_owned()),
        Just("( \"".to_owned()),
        Just("\\".to_owned()),
        any::<u16>().prop_map(|number| number.to_string()),
        (0..PRINTED.len()).prop_map(|at| PRINTED[at].1.to_owned()),
    ];
    proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.join(" "))
}

/// Prints and reads `octets` again. Data that does not fit its type is printed as of an unknown
/// type, and is read as such.
fn prints_and_reads_back(rtype: Type, octets: Vec<u8>) -> Result<(), TestCaseError> {
    let printed = text(rtype, &octets);
    let rtype = if printed.starts_with("\\#") { Type(65280) } else { rtype };
    prop_assert_eq!(parse(rtype, &printed, &origin()), Ok(octets), "{}", printed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: 2000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_text_is_read_or_refused_at_a_place_within_it(
        rtype in any_type(), written in any_words()
    ) {
        match parse(rtype, &written, &origin()) {
            Ok(rdata) => {
                let printed = text(rtype, &rdata);
                prop_assert_eq!(parse(rtype, &printed, &origin()), Ok(rdata), "{}", printed);
            }
            Err(error) => prop_assert!(written.get(error.at.clone()).is_some(), "{:?}", error),
        }
        let _ = parse_value(rtype, &written, &origin());
    }

    #[test]
    fn any_octets_are_printed_and_read_back(
        rtype in any_type(), octets in proptest::collection::vec(any::<u8>(), 0..80)
    ) {
        prints_and_reads_back(rtype, octets)?;
    }

    #[test]
    fn data_with_one_octet_changed_is_printed_and_read_back(
        at in 0..PRINTED.len(), place in any::<prop::sample::Index>(), octet in any::<u8>()
    ) {
        let (rtype, written) = PRINTED[at];
        let mut octets = wire(rtype, written);
        if !octets.is_empty() {
            let place = place.index(octets.len());
            octets[place] = octet;
        }
        prints_and_reads_back(rtype, octets)?;
    }

    #[test]
    fn any_message_is_expanded_or_refused(
        rtype in any_type(),
        message in proptest::collection::vec(
            prop_oneof![Just(0xc0u8), Just(0), Just(1), any::<u8>()], 0..300),
        start in 0usize..300, len in 0usize..300,
    ) {
        if let Some(rdata) = expand(rtype, &message, start..start + len) {
            let _ = text(rtype, &rdata);
            let _ = target_name(rtype, &rdata);
        }
    }
}
