//! Captures as resources, which a client can save as files.

use crate::{Capture, CaptureStore, evidence::shortened, sanitize::clean};
use base64::{Engine, engine::general_purpose::STANDARD};
use rmcp::model::{Resource, ResourceContents};

/// The largest capture that a client can read as a resource, in bytes. A client holds the whole message in memory, and
/// base64 makes it a third longer.
const MAX_RESOURCE: u64 = 16 << 20;

/// Returns the captures as resources, the newest first.
pub(super) fn resources(store: &CaptureStore) -> Vec<Resource> {
    let Some(format) = store.format() else { return Vec::new() };
    let resource = |capture: &Capture| {
        let state = if capture.is_running() { "It still runs." } else { "It is kept for 30 minutes." };
        let begun = capture.begun().strftime("%Y-%m-%dT%H:%M:%SZ");
        Resource::new(store.uri(capture.id()), format!("capture-{}", shortened(capture.id(), 8)))
            .with_title(clean(capture.title()))
            .with_description(format!("A capture that began at {begun}. {state}"))
            .with_mime_type(format.media_type)
            .with_size(capture.len())
    };
    store.list().iter().map(|capture| resource(capture)).collect()
}

/// Returns the content of a capture, or why it cannot be read.
pub(super) fn contents(store: &CaptureStore, capture: &Capture) -> Result<ResourceContents, String> {
    let format = store.format().ok_or("this server keeps no captures")?;
    if capture.len() > MAX_RESOURCE {
        return Err(format!(
            "the capture {} has {} bytes, and a resource has at most {MAX_RESOURCE}; the server option --save-dir keeps \
             captures of any size in a folder",
            capture.id(),
            capture.len()
        ));
    }
    let mut bytes = Vec::new();
    (format.write)(capture, &mut bytes).map_err(|e| format!("the capture cannot be read: {e}"))?;
    Ok(ResourceContents::blob(STANDARD.encode(bytes), store.uri(capture.id()))
        .with_mime_type(format.media_type))
}
