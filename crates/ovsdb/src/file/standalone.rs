//! Standalone files (`ovsdb(5)`, "Standalone Format"): the schema, then transactions.
//!
//! Only the first record is a schema. When a server converts a standalone database, it writes a new file.

use std::sync::Arc;

use super::index::FileIndex;
use super::raft::LoadedFile;
use super::record::{DamageReason, FileText, RecordReader};
use super::scan::scan;
use super::{FileFormat, OpenError};
use crate::{Schema, SchemaError};

pub(super) fn load(file: &FileText) -> Result<LoadedFile, OpenError> {
    let mut reader = RecordReader::new(file, "JSON");
    let first = reader.next().map_err(OpenError::FirstRecord)?.ok_or(OpenError::Empty)?;
    let schema = Schema::parse(first.text).map_err(|error| match error {
        SchemaError::Json(error) => {
            OpenError::FirstRecord(file.damage(first.record, DamageReason::Json(error)))
        }
        error @ SchemaError::Member { .. } => OpenError::Schema(error),
    })?;
    let mut index = FileIndex::new(schema.tables.len());
    let mut number = 0;
    let damage = loop {
        number += 1;
        let body = match reader.next() {
            Ok(Some(body)) => body,
            Ok(None) => break None,
            Err(damage) => break Some(damage),
        };
        match scan(body.text, body.start, &schema) {
            Ok(scan) => index.push(number, body.start..body.start + body.text.len(), scan),
            Err(error) => break Some(file.damage(body.record, DamageReason::Json(error))),
        }
    };
    index.finish(&file.text);
    Ok((FileFormat::Standalone, Arc::new(schema), index, damage))
}
