//! The entry points of the fuzz targets (`fuzz/` in the root of the repository). Each one calls the code that a server
//! calls. Nothing else uses them.

use crate::{
    ObjectKind,
    argv::{CaptureFilter, Operand},
    backend,
    kubernetes::redact,
    sanitize::{self, Redactor},
};
use serde_json::Value;

/// Returns a text as an answer shows it.
pub fn clean(text: &str) -> String {
    sanitize::clean(text)
}

/// Returns a log as a server reads it, if it arrives in pieces of this size.
pub fn redact_log(log: &[u8], piece: usize) -> Vec<u8> {
    let mut redactor = Redactor::default();
    let mut shown: Vec<u8> = log.chunks(piece.max(1)).flat_map(|piece| redactor.push(piece)).collect();
    shown.extend(redactor.finish());
    shown
}

/// Returns the output of a command as a server reads it.
pub fn redact_output(output: &[u8]) -> Vec<u8> {
    // Without a call there is no time limit, so the error does not occur.
    Redactor::of(output.to_vec()).unwrap_or_default()
}

/// Returns the word that a program gets for a filter of packets, or the error.
pub fn capture_filter(text: &str) -> Result<String, String> {
    let filter = CaptureFilter::parse(text).map_err(|error| error.to_string())?;
    Ok(Operand::word(&filter).as_str().to_owned())
}

/// Returns the objects of a file of a bundle before they are redacted, and the error that ended the reading.
pub fn objects(bytes: &[u8]) -> (Vec<Value>, Option<String>) {
    let mut objects = Vec::new();
    let read = backend::each_object(bytes, |object| objects.push(object));
    (objects, read.err().map(|error| error.to_string()))
}

/// Removes the secrets of an object, as every source of objects does.
pub fn redact_object(kind: &ObjectKind, object: &mut Value) {
    redact(kind, object);
}
