//! Clustered files (`ovsdb(5)`, "Clustered Format"): one server's copy of a Raft log.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::index::FileIndex;
use super::record::{Damage, DamageReason, FileText, RecordBody, RecordReader, range_in};
use super::scan::scan;
use super::{FileFormat, OpenError};
use crate::{Schema, SchemaError};

/// A loaded file: its format, schema, index and damage.
pub(super) type LoadedFile = (FileFormat, Arc<Schema>, FileIndex, Option<Damage>);

/// The server and the cluster that a clustered file describes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clustered {
    /// The database's name.
    pub name: String,
    /// The cluster's UUID.
    pub cluster_id: Option<String>,
    /// The UUID of the server whose file this is.
    pub server_id: String,
    /// The address at which that server listens for the other servers: `ssl:[10.0.0.1]:6643`.
    pub local_address: String,
    /// The servers of the cluster as last written: UUID and address.
    pub servers: BTreeMap<String, String>,
    /// The last term that was written.
    pub term: u64,
    /// The last vote that was written, in any term.
    pub vote: Option<String>,
    /// The last leader that was written.
    pub leader: Option<String>,
    /// The log index of the snapshot at the beginning of the file.
    pub snapshot_index: u64,
    /// The last log index in the file.
    pub last_index: u64,
    /// The log index up to which the log is committed, or `None` if the file does not contain it.
    pub commit_index: Option<u64>,
    /// The number of log entries after the commit index, or after the snapshot if the file has no commit index. With a
    /// commit index these entries are left out of the rows; without one they are included.
    pub not_known_committed: usize,
    /// Whether the server has left the cluster.
    pub left: bool,
}

/// The first record. Indexes and terms are unsigned, but are written as signed numbers (`ovsdb(5)`, `<uint64>`).
#[derive(Deserialize)]
struct ClusterHeader<'a> {
    server_id: String,
    local_address: String,
    name: String,
    cluster_id: Option<String>,
    #[serde(default)]
    remote_addresses: Vec<String>,
    #[serde(default)]
    prev_term: i64,
    #[serde(default)]
    prev_index: i64,
    #[serde(default)]
    prev_servers: BTreeMap<String, String>,
    #[serde(borrow)]
    prev_data: Option<&'a RawValue>,
}

/// Any later record.
#[derive(Deserialize)]
struct ClusterRecord<'a> {
    term: Option<i64>,
    index: Option<i64>,
    commit_index: Option<i64>,
    vote: Option<String>,
    leader: Option<String>,
    note: Option<String>,
    servers: Option<BTreeMap<String, String>>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
}

/// A log entry, and the range of its data in the file.
struct LogEntry {
    number: usize,
    record: usize,
    index: u64,
    data: Option<Range<usize>>,
}

pub(super) fn load(file: &FileText) -> Result<LoadedFile, OpenError> {
    let mut reader = RecordReader::new(file, "CLUSTER");
    let first = reader.next().map_err(OpenError::FirstRecord)?.ok_or(OpenError::Empty)?;
    let bad_first = |error| OpenError::FirstRecord(file.damage(first.record, DamageReason::Json(error)));
    let header: ClusterHeader<'_> = serde_json::from_str(first.text).map_err(bad_first)?;
    let Some(snapshot) = header.prev_data else {
        let ClusterHeader { name, server_id, remote_addresses: remotes, .. } = header;
        return Err(OpenError::NotJoined { name, server_id, remotes });
    };
    let snapshot = range_in(first.text, snapshot.get(), first.start);
    let mut state = Clustered {
        name: header.name,
        cluster_id: header.cluster_id,
        server_id: header.server_id,
        local_address: header.local_address,
        servers: header.prev_servers,
        term: header.prev_term.cast_unsigned(),
        snapshot_index: header.prev_index.cast_unsigned(),
        last_index: header.prev_index.cast_unsigned(),
        ..Clustered::default()
    };

    let (mut entries, mut damage) = read_log(file, &mut reader, &mut state);
    if let Some(last) = entries.last() {
        state.last_index = last.index;
    }
    let committed = state.commit_index.unwrap_or(state.snapshot_index).max(state.snapshot_index);
    state.not_known_committed = entries.iter().filter(|entry| entry.index > committed).count();
    if state.commit_index.is_some() {
        entries.retain(|entry| entry.index <= committed);
    }

    let mut schema = None;
    let mut index = FileIndex::default();
    apply(file, 0, snapshot, &mut schema, &mut index).map_err(|error| match error {
        ApplyError::Json(error) => bad_first(error),
        ApplyError::Schema(error) => OpenError::Schema(error),
    })?;
    for LogEntry { number, record, data, .. } in entries {
        let Some(data) = data else { continue };
        match apply(file, number, data, &mut schema, &mut index) {
            Ok(()) => {}
            Err(ApplyError::Json(error)) => {
                damage = Some(file.damage(record, DamageReason::Json(error)));
                break;
            }
            Err(ApplyError::Schema(error)) => return Err(OpenError::Schema(error)),
        }
    }
    let schema = schema.ok_or_else(|| {
        OpenError::Schema(SchemaError::Member {
            path: "prev_data".to_owned(),
            expected: "a schema and its data",
        })
    })?;
    index.finish(&file.text);
    Ok((FileFormat::Clustered(Box::new(state)), schema, index, damage))
}

/// Reads the entries of the log as of the end of the file. An entry replaces all earlier entries with the same or a
/// later index, because Raft repairs the log of a follower this way (Raft, section 5.3).
fn read_log(
    file: &FileText,
    reader: &mut RecordReader<'_>,
    state: &mut Clustered,
) -> (Vec<LogEntry>, Option<Damage>) {
    let mut entries: Vec<LogEntry> = Vec::new();
    let mut number = 0;
    loop {
        number += 1;
        let RecordBody { record, start, text } = match reader.next() {
            Ok(Some(body)) => body,
            Ok(None) => return (entries, None),
            Err(damage) => return (entries, Some(damage)),
        };
        let found: ClusterRecord<'_> = match serde_json::from_str(text) {
            Ok(found) => found,
            Err(error) => return (entries, Some(file.damage(record, DamageReason::Json(error)))),
        };
        if let Some(index) = found.index.map(i64::cast_unsigned) {
            while entries.last().is_some_and(|entry| entry.index >= index) {
                entries.pop();
            }
            let data = found.data.map(|data| range_in(text, data.get(), start));
            entries.push(LogEntry { number, record, index, data });
        }
        state.term = found.term.map_or(state.term, |term| state.term.max(term.cast_unsigned()));
        state.commit_index = found.commit_index.map(i64::cast_unsigned).or(state.commit_index);
        state.vote = found.vote.or(state.vote.take());
        state.leader = found.leader.or(state.leader.take());
        state.left |= found.note.as_deref() == Some("left");
        if let Some(servers) = found.servers {
            state.servers = servers;
        }
    }
}

/// The reason why a `<cluster-txn>` cannot be applied.
enum ApplyError {
    Json(serde_json::Error),
    Schema(SchemaError),
}

/// Applies a `<cluster-txn>`: `[schema or null, transaction or null]`. A schema empties the database, and the
/// transaction next to it contains all rows.
fn apply(
    file: &FileText,
    number: usize,
    data: Range<usize>,
    schema: &mut Option<Arc<Schema>>,
    index: &mut FileIndex,
) -> Result<(), ApplyError> {
    let text = file.text.get(data.clone()).unwrap_or_default();
    let (new_schema, transaction): (&RawValue, &RawValue) =
        serde_json::from_str(text).map_err(ApplyError::Json)?;
    if new_schema.get() != "null" {
        let parsed = Schema::parse(new_schema.get()).map_err(ApplyError::Schema)?;
        *index = FileIndex::new(parsed.tables.len());
        *schema = Some(Arc::new(parsed));
    }
    if let Some(schema) = schema
        && transaction.get() != "null"
    {
        let range = range_in(text, transaction.get(), data.start);
        let scan = scan(transaction.get(), range.start, schema).map_err(ApplyError::Json)?;
        index.push(number, range, scan);
    }
    Ok(())
}
