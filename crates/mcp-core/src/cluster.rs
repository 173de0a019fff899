//! The whole cluster, as a tool sees it that asks for no node's data.

use crate::{
    Backend, Budget, BundleFile, Coverage, Db, Extent, Kind, LogQuery, LogStream, Node, NodeName,
    ObjectQuery, Read, ReadError, Reading, Table, ToolError,
    node::Noted,
    tool::{AT_ONCE, SLACK},
};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use ovsdb::{Rows, Select};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// A cluster that a tool reads from. What is read is noted, so that the answer can say where it came from.
pub struct Cluster<'a> {
    backend: &'a dyn Backend,
    within: Duration,
    until: Instant,
    budget: Budget,
    noted: Arc<Noted>,
}

/// What was made of the rows that one of many nodes has, or why there are none.
pub type RowsOfNode<T> = (NodeName, Result<T, ReadError>);

impl<'a> Cluster<'a> {
    pub(crate) fn new(backend: &'a dyn Backend, within: Duration, budget: Budget) -> Self {
        Self { backend, within, until: Instant::now() + within, budget, noted: Arc::default() }
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

    /// A node, to be asked as a tool asks the node that it answers for. What is read of it is noted with what the whole call
    /// reads, it has what is left of the call's time, and the reply has the call's budget.
    pub fn node(&self, name: &NodeName) -> Node<'a> {
        let left = self.until.saturating_duration_since(Instant::now());
        Node::new(self.backend, name.clone(), None, left, self.budget, false).noting(&self.noted)
    }

    /// What there is to read of each node.
    pub async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.backend.coverage().await
    }

    /// The kind that an engineer calls so, or none. Where it may be of a group whose kinds could not be learnt, that is
    /// noted: none is no proof then.
    pub async fn known_kind(&self, name: &str) -> Result<Option<Kind>, ReadError> {
        Ok(self.look_for(name).await?.ok())
    }

    /// The kind that an engineer calls so.
    ///
    /// # Errors
    /// [`ToolError::NotFound`] with the kinds that there are; another where not all of them could be learnt.
    pub async fn kind(&self, name: &str) -> Result<Kind, ToolError> {
        self.look_for(name).await?.map_err(|Missed { kinds, unknown }| {
            // The group would make a long name of a short one, and unlike what was meant.
            let none = ToolError::not_found("kind of object", name, kinds.into_iter().map(|kind| kind.plural));
            if unknown.is_empty() {
                return none;
            }
            ToolError::bad(
                format!("no known kind of object is named `{name}`, and not all are known: {}", unknown.join("; ")),
                format!(
                    "If the kind belongs to one of these groups, the server of the group does not answer; its APIService \
                     object says why. {}",
                    none.hint()
                ),
            )
        })
    }

    async fn look_for(&self, name: &str) -> Result<Result<Kind, Missed>, ReadError> {
        // The list of kinds is no evidence: what is read of them is.
        let Read { value: kinds, notes, .. } = self.backend.kinds(self.within).await?;
        if let Some(found) = kinds.iter().find(|kind| kind.is_called(name)) {
            return Ok(Ok(found.clone()));
        }
        let group = name.split_once('.').map(|(_, group)| group.to_lowercase());
        let may_have_it = |note: &String| {
            let mut words = note.split([' ', '/']);
            // `v1.apps` is of `apps` too.
            group.as_ref().is_none_or(|group| {
                words.any(|word| {
                    group.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            })
        };
        let unknown: Vec<String> = notes.into_iter().filter(may_have_it).collect();
        unknown.iter().for_each(|note| self.noted.note(note.clone()));
        Ok(Err(Missed { kinds, unknown }))
    }

    /// Objects, by namespace and name. Values of Secrets and managed fields are not among what they hold.
    pub async fn objects(&self, query: &ObjectQuery) -> Result<Vec<Value>, ReadError> {
        Ok(self.noted.take(self.backend.objects(query, self.within).await?))
    }

    /// As [`Self::objects`], and how many of those that the cluster has are among them.
    pub async fn list(&self, query: &ObjectQuery) -> Result<(Vec<Value>, Extent), ReadError> {
        let read = self.backend.objects(query, self.within).await?;
        let extent = read.origin.extent;
        Ok((self.noted.take(read), extent))
    }

    /// The files that were read so far and are damaged. What does not fit together with one of them is no fault of the
    /// cluster.
    pub fn damaged(&self) -> Vec<String> {
        self.noted.damaged()
    }

    /// Objects as the API server prints them; none where there is no server to do so.
    pub async fn table(&self, query: &ObjectQuery) -> Result<Option<Table>, ReadError> {
        let read = self.backend.table(query, self.within).await?;
        Ok(read.map(|read| self.noted.take(read)))
    }

    /// The files whose paths contain a text, by bundle and path. Only bundles have files.
    pub async fn files(&self, contains: &str) -> Result<Vec<BundleFile>, ReadError> {
        let late = || ReadError::TooLate { what: "the list of files".into(), seconds: self.within.as_secs() };
        let read = tokio::time::timeout(self.within, self.backend.files(contains)).await;
        Ok(self.noted.take(read.map_err(|_| late())??))
    }

    /// A log or another file.
    pub async fn log(&self, query: &LogQuery) -> Result<LogStream, ReadError> {
        Ok(self.noted.take(self.backend.log(query, self.within).await?))
    }

    /// What is made of the rows of one database of many nodes. As [`Self::ask`].
    pub fn rows_of<'s, T: Send + 's>(
        &'s self,
        nodes: Vec<NodeName>,
        db: Db,
        selects: &[Select],
        read: impl Fn(Vec<Rows>) -> T + Send + 's,
    ) -> BoxStream<'s, RowsOfNode<T>> {
        self.ask(nodes.into_iter().map(|node| (node, db, selects.to_vec())).collect(), read)
    }

    /// What is made of the rows that answer questions to databases of nodes: in the order of the questions, several asked
    /// at once. Each has half of the call's time at most, so that a node that is silent takes no more than that, and keeps
    /// no other from being asked: what came is an answer too.
    ///
    /// `read` makes little of much as it comes: what waits for its turn is held.
    pub fn ask<'s, T: Send + 's>(
        &'s self,
        questions: Vec<(NodeName, Db, Vec<Select>)>,
        read: impl Fn(Vec<Rows>) -> T + Send + 's,
    ) -> BoxStream<'s, RowsOfNode<T>> {
        let ask = move |(place, (name, db, selects)): (usize, (NodeName, Db, Vec<Select>))| async move {
            let left = self.until.saturating_duration_since(Instant::now());
            let share = left.min(self.within / 2);
            let node = Node::new(self.backend, name.clone(), None, share, self.budget, false);
            // Who is late by itself says more of it, and needs time to say it; but all of it is in the call's.
            let most = (share + SLACK).min(left + SLACK / 2);
            let rows = tokio::time::timeout(most, node.rows(db, &selects)).await;
            let seconds = if left.is_zero() { self.within } else { share }.as_secs();
            let late = ReadError::TooLate { what: format!("{db} of {name}"), seconds };
            (place, (node, name, rows.unwrap_or(Err(late))))
        };
        let read = move |(place, (node, name, rows)): (usize, (Node<'a>, NodeName, Result<Vec<Rows>, _>))| {
            (place, (node, name, rows.map(&read)))
        };
        // Noted in the order of the questions, whichever was answered first.
        let noted = |(node, name, read)| {
            self.merge(node);
            (name, read)
        };
        let answers =
            stream::iter(questions.into_iter().enumerate()).map(ask).buffer_unordered(AT_ONCE).map(read);
        in_order(answers.boxed()).map(noted).boxed()
    }

    /// Takes from each node the first reading that the node has. It asks several nodes at once and returns the results in
    /// the order of the nodes. The time limits are those of [`Self::ask`].
    pub fn first_of<'s, T: Send + 's>(
        &'s self,
        nodes: Vec<NodeName>,
        readings: impl Fn() -> Vec<Reading<T>> + Send + Sync + 's,
    ) -> BoxStream<'s, RowsOfNode<T>> {
        let ask = move |(place, name): (usize, NodeName)| {
            let readings = readings();
            async move {
                let left = self.until.saturating_duration_since(Instant::now());
                let share = left.min(self.within / 2);
                let node = Node::new(self.backend, name.clone(), None, share, self.budget, false);
                let most = (share + SLACK).min(left + SLACK / 2);
                let read = tokio::time::timeout(most, node.first(readings)).await;
                let late =
                    ReadError::TooLate { what: format!("the reading of {name}"), seconds: share.as_secs() };
                (place, (node, name, read.unwrap_or(Err(late))))
            }
        };
        let noted = |(node, name, read)| {
            self.merge(node);
            (name, read)
        };
        let answers = stream::iter(nodes.into_iter().enumerate()).map(ask).buffer_unordered(AT_ONCE);
        in_order(answers.boxed()).map(noted).boxed()
    }

    /// Notes what was read from a node.
    fn merge(&self, node: Node<'_>) {
        let (origins, notes) = node.into_read();
        for origin in origins {
            self.noted.take(Read { value: (), origin, notes: Vec::new() });
        }
        for note in notes {
            self.noted.note(note);
        }
    }

    pub(crate) fn into_read(self) -> (Vec<crate::Origin>, Vec<String>) {
        self.noted.read()
    }
}

/// A name that no kind has: the kinds that there are, and why there may be more.
struct Missed {
    kinds: Vec<Kind>,
    unknown: Vec<String>,
}

/// What comes in any order, in that of its places, which count from 0.
fn in_order<T>(unordered: impl Stream<Item = (usize, T)> + Unpin) -> impl Stream<Item = T> {
    stream::unfold((unordered, BTreeMap::new(), 0), |(mut unordered, mut waiting, next)| async move {
        loop {
            if let Some(item) = waiting.remove(&next) {
                return Some((item, (unordered, waiting, next + 1)));
            }
            let (place, item) = unordered.next().await?;
            waiting.insert(place, item);
        }
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Argv, Origin, Output, Target};
    use async_trait::async_trait;
    use ovsdb::{Database, Schema};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// Of the node `silent` nothing comes; of `late` it comes a little later, of others at once.
    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) kinds: (Vec<Kind>, Vec<String>),
        /// Why there are no objects.
        pub(crate) objects: Option<fn() -> ReadError>,
        /// Questions to databases: all of them.
        pub(crate) asked: AtomicUsize,
    }

    #[async_trait]
    impl Backend for Fake {
        fn name(&self) -> &str {
            "fake"
        }

        async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
            Ok(names())
        }

        async fn coverage(&self) -> Result<Coverage, ReadError> {
            Err(ReadError::not_held("coverage", "fake"))
        }

        async fn command(&self, _: &Target, _: &Argv) -> Result<Read<Output>, ReadError> {
            Err(ReadError::not_held("a command", "fake"))
        }

        async fn schema(&self, _: &Target, _: Db) -> Result<Arc<Schema>, ReadError> {
            Err(ReadError::not_held("a schema", "fake"))
        }

        async fn rows(&self, at: &Target, _: Db, _: &[Select]) -> Result<Read<Vec<Rows>>, ReadError> {
            self.asked.fetch_add(1, Relaxed);
            match at.node.as_str() {
                "silent" => std::future::pending().await,
                "late" => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => {}
            }
            let origin = Origin::new(at.node.to_string(), None);
            Ok(Read { value: Vec::new(), origin, notes: vec![format!("note of {}", at.node)] })
        }

        async fn database(&self, _: &Target, _: Db) -> Result<Read<Arc<Database>>, ReadError> {
            Err(ReadError::not_held("a database", "fake"))
        }

        async fn kinds(&self, _: Duration) -> Result<Read<Vec<Kind>>, ReadError> {
            let (value, notes) = self.kinds.clone();
            Ok(Read { value, origin: Origin::new("kinds", None), notes })
        }

        async fn objects(&self, _: &ObjectQuery, _: Duration) -> Result<Read<Vec<Value>>, ReadError> {
            Err(self.objects.map_or_else(|| ReadError::not_held("objects", "fake"), |why| why()))
        }
    }

    /// More than are asked at once, behind the silent one.
    fn names() -> Vec<NodeName> {
        let slow = ["silent".to_owned(), "late".to_owned()].into_iter();
        slow.chain((0..100).map(|n| format!("n{n:03}"))).map(|name| name.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_silent_node_keeps_no_other_from_being_read() {
        let fake = Fake::default();
        let cluster = Cluster::new(&fake, Duration::from_millis(400), Budget::default());
        let names = names();
        let rows: Vec<_> = cluster.rows_of(names.clone(), Db::Nb, &[], |rows| rows.len()).collect().await;
        assert_eq!(rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(), names, "in their order");
        let failed: Vec<_> =
            rows.iter().filter(|(_, rows)| rows.is_err()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(failed, ["silent"]);
        let (origins, notes) = cluster.into_read();
        assert_eq!(origins.first().unwrap().what, "late", "what is read is noted in their order too");
        assert_eq!((origins.len(), notes.len()), (101, 101));
    }

    #[tokio::test]
    async fn a_node_of_the_cluster_shares_its_evidence_and_its_time() {
        let fake = Fake::default();
        let cluster = Cluster::new(&fake, Duration::from_secs(3), Budget::default());
        let node = cluster.node(&"n001".parse().unwrap());
        node.rows(Db::Nb, &[]).await.unwrap();
        assert!(node.within() <= cluster.within());
        let (origins, notes) = cluster.into_read();
        assert_eq!(origins.iter().map(|origin| origin.what.as_str()).collect::<Vec<_>>(), ["n001"]);
        assert_eq!(notes, ["note of n001"]);
    }

    #[tokio::test]
    async fn what_was_not_learnt_is_not_said_to_be_missing() {
        let unknown = "the kinds of metrics.k8s.io/v1beta1 are not known: 503".to_owned();
        let fake = Fake { kinds: (vec![Kind::pod()], vec![unknown.clone()]), ..Fake::default() };
        let cluster = Cluster::new(&fake, Duration::from_secs(1), Budget::default());
        assert!(cluster.kind("po").await.is_ok());
        for sure in ["egressips.k8s.ovn.org", "leases.v1.coordination.k8s.io"] {
            assert!(matches!(cluster.kind(sure).await, Err(ToolError::NotFound { .. })), "{sure}");
        }
        assert_eq!(cluster.known_kind("egressips.k8s.ovn.org").await.unwrap(), None);
        for unsure in ["podmetrics", "pods.metrics.k8s.io", "pods.v1beta1.metrics.k8s.io"] {
            let report = cluster.kind(unsure).await.unwrap_err().report();
            assert!(report.contains("not all are known: the kinds of metrics.k8s.io/v1beta1"), "{report}");
        }
        assert_eq!(cluster.known_kind("podmetrics").await.unwrap(), None);
        assert_eq!(cluster.into_read().1, [unknown]);
    }
}
