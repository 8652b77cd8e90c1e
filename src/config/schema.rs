//! The JSON Schema of zone files, for completion in editors.

use schemars::SchemaGenerator;

use super::spec::zone::ZoneFile;

/// Returns the JSON Schema of a zone file: pretty JSON with a final line break, made from the
/// structs that read zone files. The repository keeps it as `docs/zone.schema.json`.
pub fn schema() -> String {
    let mut schema = SchemaGenerator::default().into_root_schema_for::<ZoneFile>();
    schema.insert("title".to_owned(), "Waypost zone file".into());
    format!("{:#}\n", schema.to_value())
}
