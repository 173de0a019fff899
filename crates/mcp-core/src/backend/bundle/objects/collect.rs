//! The objects that a query has read so far, and their size in memory.

use super::ObjectFile;
use crate::{
    backend::ReadError,
    memory::{NoMemory, Reserved},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// The objects that were read so far.
#[derive(Default)]
pub(super) struct CollectedObjects<'a> {
    /// The objects by namespace and name; `None` for objects that do not match.
    pub(super) objects: BTreeMap<(String, String), Option<Value>>,
    pub(super) read: Vec<&'a ObjectFile>,
    pub(super) is_damaged: bool,
    pub(super) notes: Vec<String>,
    /// The number of files that could not be read.
    pub(super) unread: usize,
    /// The approximate size of the objects in memory, in bytes.
    pub(super) bytes: u64,
    /// The memory that the call holds for these objects, in bytes.
    held: u64,
    /// True if the size limit is reached, so that the rest is not read.
    pub(super) full: bool,
    pub(super) error: Option<ReadError>,
}

/// How many unreadable files an answer lists one by one.
pub(super) const UNREAD: usize = 12;

/// The size of a map entry without its key and value, in bytes.
pub(super) const ENTRY: u64 = 64;

/// The approximate size of a value in memory, in bytes.
pub(super) fn weight(value: &Value) -> u64 {
    const VALUE: u64 = size_of::<Value>() as u64;
    VALUE
        + match value {
            Value::Array(all) => all.iter().map(weight).sum(),
            Value::Object(all) => {
                all.iter().map(|(key, value)| ENTRY + key.len() as u64 + weight(value)).sum()
            }
            Value::String(text) => text.len() as u64,
            _ => 0,
        }
}

/// The number of bytes for which memory is reserved at once.
const STEP: u64 = 4 << 20;

/// The memory of objects and of the rows that a tool makes of them, as a multiple of the size of the objects.
const WITH_ROWS: u64 = 2;

/// The size of the objects of a large cluster in memory, as a multiple of the size of their YAML.
const PARSED: u64 = 4;

impl CollectedObjects<'_> {
    /// Reserves memory for the objects of a file of this size before the file is read, so that a call waits before it
    /// has large data.
    ///
    /// # Errors
    ///
    /// Returns [`NoMemory`] if the running calls leave too little memory until the call ends.
    pub(super) fn expect(&mut self, size: u64, memory: &mut Reserved) -> Result<(), NoMemory> {
        let more = (WITH_ROWS * (self.bytes + PARSED * size)).saturating_sub(self.held);
        if more >= STEP {
            memory.grow(more)?;
            self.held += more;
        }
        Ok(())
    }

    /// Reserves memory for the objects so far. Returns false if they are larger than `most`, or if the running calls
    /// leave too little memory.
    pub(super) fn fit(&mut self, most: u64, memory: &mut Reserved) -> bool {
        if self.full {
            return false;
        }
        let needed = WITH_ROWS * self.bytes;
        while self.held + STEP < needed && memory.grow(STEP).is_ok() {
            self.held += STEP;
        }
        self.full = self.bytes > most || self.held + STEP < needed;
        !self.full
    }

    /// Adds notes about what was not read. `unopened` is the number of files that were not opened.
    pub(super) fn say_what_is_missing(&mut self, unopened: usize) {
        if self.unread > UNREAD {
            self.notes.push(format!("{} more files could not be read", self.unread - UNREAD));
        }
        if self.full {
            let files = if unopened > 0 { format!(" and {unopened} more files") } else { String::new() };
            self.notes.push(format!(
                "there are more objects than fit in memory: the rest of the last file{files} was not read; pass a \
                 namespace or a name"
            ));
        }
    }
}
