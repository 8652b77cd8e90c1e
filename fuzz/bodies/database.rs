//! Databases of places.

use waypost::geo::Database;

/// Any octets as a database: either one, or an error.
pub(crate) fn run(data: &[u8]) {
    if let Err(error) = Database::read("places.mmdb", data) {
        assert!(!error.is_empty());
    }
}
