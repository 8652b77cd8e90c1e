//! Calendar days, for people.

use time::OffsetDateTime;

/// Returns the UTC day of a second since 1970, as `2026-11-27`; the number of the second if the
/// year has more than four digits.
pub fn date(second: i64) -> String {
    OffsetDateTime::from_unix_timestamp(second)
        .map_or_else(|_| format!("second {second}"), |time| time.date().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_gregorian_calendar() {
        for (second, expected) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (1_078_099_200, "2004-03-01"),
            (1_795_805_286, "2026-11-27"),
            (4_107_542_400, "2100-03-01"),
        ] {
            assert_eq!(date(second), expected, "{second}");
        }
    }
}
