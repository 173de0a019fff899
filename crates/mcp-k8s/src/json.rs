//! Prints objects as JSON.

use mcp_core::{Budget, ToolError};
use serde_json::Value;

/// Returns a JSON document that fits into an answer: the object itself, or a list of several objects. Objects that do
/// not fit are left out, and `ListMeta.remainingItemCount` of the list says how many.
///
/// # Errors
/// If the only object does not fit.
pub(crate) fn document(objects: &[Value], budget: Budget) -> Result<String, ToolError> {
    /// The bytes that are reserved for the first line and the notes of the answer.
    const REST: usize = 3_000;
    let room = budget.bytes.saturating_sub(REST);
    if let [only] = objects {
        let pretty = format!("{only:#}");
        let lines = pretty.lines().count();
        return match [pretty, only.to_string()] {
            [pretty, _] if pretty.len() <= room && lines <= budget.lines => Ok(pretty),
            [_, plain] if plain.len() <= room => Ok(plain),
            [_, plain] => Err(ToolError::bad(
                format!(
                    "the object has {} bytes of JSON, and an answer has room for {room} bytes",
                    plain.len()
                ),
                "Use output=yaml, which supports offset, or select fields with columns.",
            )),
        };
    }
    let (mut items, mut bytes) = (Vec::new(), 0);
    for object in objects {
        let text = object.to_string();
        bytes += text.len() + 2;
        if bytes > room || items.len() + 2 > budget.lines {
            break;
        }
        items.push(text);
    }
    let metadata = match objects.len() - items.len() {
        0 => serde_json::json!({}),
        more => serde_json::json!({ "remainingItemCount": more }),
    };
    let items = items.join(",\n");
    Ok(format!(r#"{{"apiVersion":"v1","kind":"List","metadata":{metadata},"items":[{items}]}}"#))
}
