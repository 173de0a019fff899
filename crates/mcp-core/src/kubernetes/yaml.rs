//! Conversion of values to YAML.

use serde_json::Value;

/// Returns the lines of a value as `kubectl -o yaml` prints them.
pub fn yaml_lines(value: &Value) -> Vec<String> {
    let options = serde_saphyr::ser_options! { compact_list_indent: true, prefer_block_scalars: true };
    match serde_saphyr::to_string_with_options(value, options) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        // JSON can express every value; YAML cannot.
        Err(_) => vec![value.to_string()],
    }
}
