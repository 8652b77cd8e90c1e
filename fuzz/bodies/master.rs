//! Master files.

/// Reads any text as a master file.
pub(crate) fn run(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        super::text::load("zones/example.com.zone", text);
    }
}
