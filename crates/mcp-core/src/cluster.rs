//! The whole cluster, as a tool sees it that asks for no node's data.

use crate::{
    Backend, Budget, Coverage, Db, Kind, LogQuery, LogStream, Node, NodeName, ObjectQuery, Read, ReadError,
    Table, ToolError, node::Noted, tool::AT_ONCE,
};
use futures::{StreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use ovsdb::{Rows, Select};
use serde_json::Value;
use std::time::{Duration, Instant};

/// A cluster that a tool reads from. What is read is noted, so that the answer can say where it came from.
pub struct Cluster<'a> {
    backend: &'a dyn Backend,
    within: Duration,
    until: Instant,
    budget: Budget,
    noted: Noted,
}

/// The rows that one of many nodes has, or why there are none.
pub type RowsOfNode = (NodeName, Result<Vec<Rows>, ReadError>);

impl<'a> Cluster<'a> {
    pub(crate) fn new(backend: &'a dyn Backend, within: Duration, budget: Budget) -> Self {
        Self { backend, within, until: Instant::now() + within, budget, noted: Noted::default() }
    }

    /// How long a call may take.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// What the reply may take of a model's context.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Can it be asked now? Else it was collected earlier.
    pub fn is_live(&self) -> bool {
        self.backend.is_live()
    }

    /// What "now" means here: for what was collected earlier, when it was.
    pub async fn now(&self) -> Option<Timestamp> {
        self.backend.now().await
    }

    /// When the newest of what was read so far was true: what ages are relative to. Not [`Self::now`]: bundles of one
    /// cluster can be days apart, and an object is as old as it was when it was read.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.noted.newest()
    }

    /// The nodes that can be read, by name.
    pub async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        crate::resolve::listed(self.backend, self.within).await
    }

    /// What there is to read of each node.
    pub async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.backend.coverage().await
    }

    /// The kinds of objects that it has.
    pub async fn kinds(&self) -> Result<Vec<Kind>, ReadError> {
        // The list of kinds is no evidence: what is read of them is.
        Ok(self.backend.kinds(self.within).await?.value)
    }

    /// The kind that an engineer calls so.
    ///
    /// # Errors
    /// [`ToolError::NotFound`] with the kinds that there are.
    pub async fn kind(&self, name: &str) -> Result<Kind, ToolError> {
        let kinds = self.kinds().await?;
        let found = kinds.iter().find(|kind| kind.is_called(name)).cloned();
        // The group would make a long name of a short one, and unlike what was meant.
        found.ok_or_else(|| {
            ToolError::not_found("kind of object", name, kinds.into_iter().map(|kind| kind.plural))
        })
    }

    /// Objects, by namespace and name. Values of Secrets and managed fields are not among what they hold.
    pub async fn objects(&self, query: &ObjectQuery) -> Result<Vec<Value>, ReadError> {
        Ok(self.noted.take(self.backend.objects(query, self.within).await?))
    }

    /// Objects as the API server prints them; none where there is no server to do so.
    pub async fn table(&self, query: &ObjectQuery) -> Result<Option<Table>, ReadError> {
        let read = self.backend.table(query, self.within).await?;
        Ok(read.map(|read| self.noted.take(read)))
    }

    /// A log.
    pub async fn log(&self, query: &LogQuery) -> Result<LogStream, ReadError> {
        Ok(self.noted.take(self.backend.log(query, self.within).await?))
    }

    /// One of its nodes, to read from. What it reads is noted by [`Self::merge`].
    pub fn node(&self, name: NodeName) -> Node<'a> {
        Node::new(self.backend, name, None, self.within, self.budget, false)
    }

    /// Rows of one database of many nodes, in the order of the nodes and several at once: as far as the time of the call
    /// goes. For the others it is [`ReadError::TooLate`], so that what came is an answer too.
    pub fn rows_of<'s>(
        &'s self,
        nodes: Vec<NodeName>,
        db: Db,
        selects: &'s [Select],
    ) -> BoxStream<'s, RowsOfNode> {
        let ask = move |name: NodeName| async move {
            let node = self.node(name.clone());
            let rows = tokio::time::timeout_at(self.until.into(), node.rows(db, selects)).await;
            let late = ReadError::TooLate { what: format!("{db} of {name}"), seconds: self.within.as_secs() };
            (node, (name, rows.unwrap_or(Err(late))))
        };
        // Noted in the order of the nodes, whichever was the first to answer.
        let noted = move |(node, rows)| {
            self.merge(node);
            rows
        };
        stream::iter(nodes).map(ask).buffered(AT_ONCE).map(noted).boxed()
    }

    /// Notes what was read from a node.
    pub fn merge(&self, node: Node<'_>) {
        let (origins, notes) = node.into_read();
        for origin in origins {
            self.noted.take(Read { value: (), origin, notes: Vec::new() });
        }
        for note in notes {
            self.noted.note(note);
        }
    }

    pub(crate) fn into_read(self) -> (Vec<crate::Origin>, Vec<String>) {
        self.noted.into_read()
    }
}
