//! `waypost schema`: the JSON Schema of zone files.

use super::Failed;

/// Prints the schema.
pub(super) fn run() -> Result<(), Failed> {
    say!("{}", crate::config::schema().trim_end());
    Ok(())
}
