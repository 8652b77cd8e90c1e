//! Databases of places.

use waypost::geo::Database;

/// Reads any octets as a database: the result is a database, or an error that says something.
pub(crate) fn run(data: &[u8]) {
    if let Err(error) = Database::read("places.mmdb", data) {
        assert!(!error.is_empty());
    }
}
