//! Reads databases through their servers, for sources that can run commands.

use super::{Backend, Origin, ReadError, ReadValue};
use crate::{CommandTarget, Db, NodeName, argv::OvsdbQuery, commands};
use ovsdb::{Rows, Schema, Select, wire::WireError};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// A cache of the schemas that database servers use. Each schema is read once.
#[derive(Default)]
pub(super) struct DatabaseServers(Mutex<BTreeMap<(NodeName, Db), Arc<Schema>>>);

impl DatabaseServers {
    /// The schema that the server of a database uses.
    pub(super) async fn schema(
        &self,
        source: &impl Backend,
        at: &CommandTarget,
        db: Db,
    ) -> Result<Arc<Schema>, ReadError> {
        let key = (at.node.clone(), db);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        match known {
            Some(schema) => Ok(schema),
            None => self.ask(source, at, db).await,
        }
    }

    /// Asks the server of a database for its schema, even if the schema is known.
    pub(super) async fn ask(
        &self,
        source: &impl Backend,
        at: &CommandTarget,
        db: Db,
    ) -> Result<Arc<Schema>, ReadError> {
        let output = source.command(at, &commands::get_schema(db)).await?.value;
        let schema = Schema::parse(&String::from_utf8_lossy(&output.stdout))
            .map_err(|e| ReadError::unreadable(format!("the schema of {db} on {}", at.node), e))?;
        let schema = Arc::new(schema);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert((at.node.clone(), db), schema.clone());
        Ok(schema)
    }

    /// Rows as the server returns them.
    pub(super) async fn rows(
        &self,
        source: &impl Backend,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        let query = OvsdbQuery::new(db, selects).map_err(ReadError::Query)?;
        let checked = |schema: &Schema| selects.iter().try_for_each(|select| select.check(schema));
        let mut schema = self.schema(source, at, db).await?;
        if checked(&schema).is_err() {
            // An upgrade of the server can add tables and columns, so the schema is read again.
            schema = self.ask(source, at, db).await?;
            checked(&schema)?;
        }
        let argv = commands::query_rows(db, &query);
        let read = source.command(at, &argv).await?;
        let failed = |e| ReadError::unreadable(format!("the answer of {db} on {}", at.node), e);
        let rows = match ovsdb::wire::parse_reply(&schema, selects, &read.value.stdout) {
            // The server was upgraded between the two reads.
            Err(WireError::SchemaMismatch { .. }) => {
                let schema = self.ask(source, at, db).await?;
                ovsdb::wire::parse_reply(&schema, selects, &read.value.stdout).map_err(failed)?
            }
            result => result.map_err(failed)?,
        };
        // The origin names the database and where the command ran, without the whole transaction.
        let asked_where = read.origin.what.strip_prefix(&argv.to_string()).unwrap_or_default();
        let what = format!("ovsdb-client query {db}{asked_where}");
        Ok(ReadValue { value: rows, origin: Origin { what, ..read.origin }, notes: read.notes })
    }
}
