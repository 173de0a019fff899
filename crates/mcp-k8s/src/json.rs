//! Objects as JSON.

use mcp_core::{Budget, ToolError};
use serde_json::Value;

/// A JSON document that fits into an answer: the object, or of several a list. What does not fit is left out in whole
/// objects, and the list says how many (`ListMeta.remainingItemCount`).
pub(crate) fn document(objects: &[Value], budget: Budget) -> Result<String, ToolError> {
    /// Left for the first line and the notes.
    const REST: usize = 3_000;
    let room = budget.bytes.saturating_sub(REST);
    if let [only] = objects {
        let pretty = format!("{only:#}");
        let lines = pretty.lines().count();
        return match [pretty, only.to_string()] {
            [pretty, _] if pretty.len() <= room && lines <= budget.lines => Ok(pretty),
            [_, plain] if plain.len() <= room => Ok(plain),
            [_, plain] => Err(ToolError::bad(
                format!("the object has {} bytes of JSON, and an answer holds {room}", plain.len()),
                "output=yaml can be read on with offset; columns gives chosen fields.",
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
