//! The whole cluster, for tools that need no data of a single node.

use crate::{
    Backend, Budget, BundleFile, CaptureStore, Coverage, Db, Extent, LogQuery, LogStream, Node, NodeName,
    ObjectKind, ObjectQuery, PodRef, ReadError, ReadValue, Reading, Table, ToolError,
    node::Provenance,
    tool::{AT_ONCE, SLACK},
};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use jiff::Timestamp;
use ovsdb::{Rows, Select};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A cluster that a tool reads from. It records what was read, so that the answer can name its sources.
pub struct ClusterReader<'a> {
    backend: &'a dyn Backend,
    within: Duration,
    until: Instant,
    budget: Budget,
    noted: Arc<Provenance>,
    captures: Option<Arc<CaptureStore>>,
}

/// The name of a node, with the value that was made from its rows or the error of reading them.
pub type RowsOfNode<T> = (NodeName, Result<T, ReadError>);

impl<'a> ClusterReader<'a> {
    pub(crate) fn new(backend: &'a dyn Backend, within: Duration, budget: Budget) -> Self {
        let until = Instant::now() + within;
        Self { backend, within, until, budget, noted: Arc::default(), captures: None }
    }

    /// Gives the reader the captures of the server.
    pub(crate) fn with_captures(self, captures: &Arc<CaptureStore>) -> Self {
        Self { captures: Some(captures.clone()), ..self }
    }

    /// Returns the captures that the server keeps.
    ///
    /// # Errors
    ///
    /// Returns an error outside the call of a tool.
    pub fn captures(&self) -> Result<&Arc<CaptureStore>, ToolError> {
        let none = || ReadError::not_held("a capture", self.backend.name());
        Ok(self.captures.as_ref().ok_or_else(none)?)
    }

    /// Returns the node that a pod runs on.
    ///
    /// # Errors
    ///
    /// Returns an error if the pod does not exist or is not scheduled yet.
    pub async fn node_of_pod(&self, pod: &PodRef) -> Result<NodeName, ToolError> {
        crate::resolve::node_of_pod(self.backend, pod, self.within).await
    }

    /// Passes the content of a file that is no text to `read`, and returns what `read` makes of it. The file is
    /// decompressed if it is compressed. `read` runs on a thread that may block.
    pub async fn binary<T: Send + 'static>(
        &self,
        file: &BundleFile,
        read: impl FnOnce(&mut dyn Read) -> io::Result<T> + Send + 'static,
    ) -> Result<T, ReadError> {
        let made = Arc::new(Mutex::new(None));
        let to = made.clone();
        let visit = move |content: &mut dyn Read| {
            *to.lock().unwrap_or_else(PoisonError::into_inner) = Some(read(content)?);
            Ok(())
        };
        self.noted.take(self.backend.binary(&file.bundle, &file.path, Box::new(visit)).await?);
        let made = made.lock().unwrap_or_else(PoisonError::into_inner).take();
        made.ok_or_else(|| {
            ReadError::not_held(format!("{} in {}", file.path, file.bundle), self.backend.name())
        })
    }

    /// Returns the time limit of the call.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Returns the size that the reply may have.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Whether the source is live. A bundle is not live.
    pub fn is_live(&self) -> bool {
        self.backend.is_live()
    }

    /// Returns the current time of a live source, or the time when a bundle was collected.
    pub async fn now(&self) -> Option<Timestamp> {
        self.backend.now().await
    }

    /// Returns the time of the newest data that was read so far. Ages are relative to this time and not to
    /// [`Self::now`], because bundles of one cluster can be days apart, and an object is as old as it was when it was
    /// read.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.noted.newest()
    }

    /// Adds a note to the answer.
    pub fn note(&self, note: impl Into<String>) {
        self.noted.note(note.into());
    }

    /// Returns the nodes that can be read, sorted by name.
    pub async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        crate::resolve::listed(self.backend, self.within).await
    }

    /// Returns a node of the cluster. The node records what it reads in the provenance of the whole call, and has the
    /// rest of the call's time and the call's budget.
    pub fn node(&self, name: &NodeName) -> Node<'a> {
        let left = self.until.saturating_duration_since(Instant::now());
        Node::new(self.backend, name.clone(), None, left, self.budget, false).noting(&self.noted)
    }

    /// Returns the state of the data of each node.
    pub async fn coverage(&self) -> Result<Coverage, ReadError> {
        self.backend.coverage().await
    }

    /// Returns the kind with this name, plural, short name or `plural.group`, or `None`. If the kinds of an API group
    /// could not be read and the name may belong to that group, it adds a note, because `None` then proves nothing.
    pub async fn known_kind(&self, name: &str) -> Result<Option<ObjectKind>, ReadError> {
        Ok(self.look_for(name).await?.ok())
    }

    /// Returns the kind with this name.
    ///
    /// # Errors
    ///
    /// Returns [`ToolError::NotFound`] with the existing kinds, or [`ToolError::BadParameter`] if some kinds could not
    /// be read.
    pub async fn kind(&self, name: &str) -> Result<ObjectKind, ToolError> {
        self.look_for(name).await?.map_err(|UnknownKind { kinds, unknown }| {
            // The names omit the group, because the group would make a short name long and unlike the given name.
            let none = ToolError::not_found("kind of object", name, kinds.into_iter().map(|kind| kind.plural));
            if unknown.is_empty() {
                return none;
            }
            ToolError::bad(
                format!("no known kind of object is named `{name}`, and not all kinds are known: {}", unknown.join("; ")),
                format!(
                    "If the kind belongs to one of these groups, the server of the group does not answer; its APIService \
                     object says why. {}",
                    none.hint()
                ),
            )
        })
    }

    async fn look_for(&self, name: &str) -> Result<Result<ObjectKind, UnknownKind>, ReadError> {
        // The list of kinds is not recorded as evidence; the objects of a kind are.
        let ReadValue { value: kinds, notes, .. } = self.backend.kinds(self.within).await?;
        if let Some(found) = kinds.iter().find(|kind| kind.is_called(name)) {
            return Ok(Ok(found.clone()));
        }
        let group = name.split_once('.').map(|(_, group)| group.to_lowercase());
        let may_have_it = |note: &String| {
            let mut words = note.split([' ', '/']);
            // `v1.apps` belongs to the group `apps`, too.
            group.as_ref().is_none_or(|group| {
                words.any(|word| {
                    group.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                })
            })
        };
        let unknown: Vec<String> = notes.into_iter().filter(may_have_it).collect();
        unknown.iter().for_each(|note| self.noted.note(note.clone()));
        Ok(Err(UnknownKind { kinds, unknown }))
    }

    /// Returns objects sorted by namespace and name. Values of Secrets and managed fields are removed.
    pub async fn objects(&self, query: &ObjectQuery) -> Result<Vec<Value>, ReadError> {
        Ok(self.noted.take(self.backend.objects(query, self.within).await?))
    }

    /// Returns objects like [`Self::objects`], and tells whether they are all objects of the cluster.
    pub async fn list(&self, query: &ObjectQuery) -> Result<(Vec<Value>, Extent), ReadError> {
        let read = self.backend.objects(query, self.within).await?;
        let extent = read.origin.extent;
        Ok((self.noted.take(read), extent))
    }

    /// Returns how complete the objects of a query are, without recording them as evidence. Returns `None` if they
    /// cannot be read.
    pub(crate) async fn extent(&self, query: &ObjectQuery) -> Option<Extent> {
        let read = self.backend.objects(query, self.within).await.ok()?;
        Some(read.origin.extent)
    }

    /// Returns the damaged files that were read so far. A contradiction with one of these files is not a fault of the
    /// cluster.
    pub fn damaged(&self) -> Vec<String> {
        self.noted.damaged()
    }

    /// Returns objects as the API server prints them, or `None` if the source is not an API server.
    pub async fn table(&self, query: &ObjectQuery) -> Result<Option<Table>, ReadError> {
        let read = self.backend.table(query, self.within).await?;
        Ok(read.map(|read| self.noted.take(read)))
    }

    /// Returns the files whose paths contain a text, sorted by bundle and path. Only bundles have files.
    pub async fn files(&self, contains: &str) -> Result<Vec<BundleFile>, ReadError> {
        let late = || ReadError::TooLate { what: "listing the files".into(), seconds: self.within.as_secs() };
        let read = tokio::time::timeout(self.within, self.backend.files(contains)).await;
        Ok(self.noted.take(read.map_err(|_| late())??))
    }

    /// Opens a log or another file.
    pub async fn log(&self, query: &LogQuery) -> Result<LogStream, ReadError> {
        Ok(self.noted.take(self.backend.log(query, self.within).await?))
    }

    /// Reads one database of many nodes, and applies `read` to the rows of each node. The order and the time limits
    /// are those of [`Self::ask`].
    pub fn rows_of<'s, T: Send + 's>(
        &'s self,
        nodes: Vec<NodeName>,
        db: Db,
        selects: &[Select],
        read: impl Fn(Vec<Rows>) -> T + Send + 's,
    ) -> BoxStream<'s, RowsOfNode<T>> {
        self.ask(nodes.into_iter().map(|node| (node, db, selects.to_vec())).collect(), read)
    }

    /// Reads databases of many nodes, and applies `read` to the rows of each. It reads several databases at once and
    /// returns the results in the order of the questions.
    ///
    /// Each question may take half of the call's time, so that a silent node does not prevent the others from being
    /// read. `read` reduces the rows of each node as they arrive; only these results wait for their turn.
    pub fn ask<'s, T: Send + 's>(
        &'s self,
        questions: Vec<(NodeName, Db, Vec<Select>)>,
        read: impl Fn(Vec<Rows>) -> T + Send + 's,
    ) -> BoxStream<'s, RowsOfNode<T>> {
        let ask = move |(place, (name, db, selects)): (usize, (NodeName, Db, Vec<Select>))| async move {
            let left = self.until.saturating_duration_since(Instant::now());
            let share = left.min(self.within / 2);
            let node = Node::new(self.backend, name.clone(), None, share, self.budget, false);
            // The backend's own timeout has a better error text and needs a moment to report it, but everything must
            // end within the time of the call.
            let most = (share + SLACK).min(left + SLACK / 2);
            let rows = tokio::time::timeout(most, node.rows(db, &selects)).await;
            let seconds = if left.is_zero() { self.within } else { share }.as_secs();
            let late = ReadError::TooLate { what: format!("reading {db} of {name}"), seconds };
            (place, (node, name, rows.unwrap_or(Err(late))))
        };
        let read = move |(place, (node, name, rows)): (usize, (Node<'a>, NodeName, Result<Vec<Rows>, _>))| {
            (place, (node, name, rows.map(&read)))
        };
        // Record the provenance in the order of the questions, not in the order of the answers.
        let noted = |(node, name, read)| {
            self.merge(node);
            (name, read)
        };
        let answers =
            stream::iter(questions.into_iter().enumerate()).map(ask).buffer_unordered(AT_ONCE).map(read);
        in_order(answers.boxed()).map(noted).boxed()
    }

    /// Returns the first reading that each node has. It reads several nodes at once and returns the results in the
    /// order of the nodes. The time limits are those of [`Self::ask`].
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
                let late = ReadError::TooLate { what: format!("reading {name}"), seconds: share.as_secs() };
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

    /// Records what was read from a node.
    fn merge(&self, node: Node<'_>) {
        let (origins, notes) = node.into_read();
        for origin in origins {
            self.noted.take(ReadValue { value: (), origin, notes: Vec::new() });
        }
        for note in notes {
            self.noted.note(note);
        }
    }

    pub(crate) fn into_read(self) -> (Vec<crate::Origin>, Vec<String>) {
        self.noted.read()
    }
}

/// A name that no known kind has.
struct UnknownKind {
    kinds: Vec<ObjectKind>,
    unknown: Vec<String>,
}

/// Returns items in the order of their places, which count from 0, whatever order they arrive in.
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
    use crate::{Argv, CommandTarget, Origin, Output};
    use async_trait::async_trait;
    use ovsdb::{Database, Schema};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// A source in which the node `silent` never answers, the node `late` answers a little later, and all others
    /// answer at once.
    #[derive(Default)]
    pub(crate) struct Fake {
        pub(crate) kinds: (Vec<ObjectKind>, Vec<String>),
        /// The error that reading objects returns.
        pub(crate) objects: Option<fn() -> ReadError>,
        /// The number of reads of databases.
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

        async fn command(&self, _: &CommandTarget, _: &Argv) -> Result<ReadValue<Output>, ReadError> {
            Err(ReadError::not_held("a command", "fake"))
        }

        async fn schema(&self, _: &CommandTarget, _: Db) -> Result<Arc<Schema>, ReadError> {
            Err(ReadError::not_held("a schema", "fake"))
        }

        async fn rows(
            &self,
            at: &CommandTarget,
            _: Db,
            _: &[Select],
        ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
            self.asked.fetch_add(1, Relaxed);
            match at.node.as_str() {
                "silent" => std::future::pending().await,
                "late" => tokio::time::sleep(Duration::from_millis(100)).await,
                _ => {}
            }
            let origin = Origin::new(at.node.to_string(), None);
            Ok(ReadValue { value: Vec::new(), origin, notes: vec![format!("note of {}", at.node)] })
        }

        async fn database(&self, _: &CommandTarget, _: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
            Err(ReadError::not_held("a database", "fake"))
        }

        async fn kinds(&self, _: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
            let (value, notes) = self.kinds.clone();
            Ok(ReadValue { value, origin: Origin::new("kinds", None), notes })
        }

        async fn objects(&self, _: &ObjectQuery, _: Duration) -> Result<ReadValue<Vec<Value>>, ReadError> {
            Err(self.objects.map_or_else(|| ReadError::not_held("objects", "fake"), |why| why()))
        }
    }

    /// Returns more nodes than are read at once, with the silent one first.
    fn names() -> Vec<NodeName> {
        let slow = ["silent".to_owned(), "late".to_owned()].into_iter();
        slow.chain((0..100).map(|n| format!("n{n:03}"))).map(|name| name.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_silent_node_does_not_prevent_the_others_from_being_read() {
        let fake = Fake::default();
        let cluster = ClusterReader::new(&fake, Duration::from_millis(400), Budget::default());
        let names = names();
        let rows: Vec<_> = cluster.rows_of(names.clone(), Db::Nb, &[], |rows| rows.len()).collect().await;
        assert_eq!(
            rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
            names,
            "the order of the nodes"
        );
        let failed: Vec<_> =
            rows.iter().filter(|(_, rows)| rows.is_err()).map(|(name, _)| name.as_str()).collect();
        assert_eq!(failed, ["silent"]);
        let (origins, notes) = cluster.into_read();
        assert_eq!(origins.first().unwrap().what, "late", "the evidence has the order of the nodes, too");
        assert_eq!((origins.len(), notes.len()), (101, 101));
    }

    #[tokio::test]
    async fn a_node_of_the_cluster_shares_its_evidence_and_its_time() {
        let fake = Fake::default();
        let cluster = ClusterReader::new(&fake, Duration::from_secs(3), Budget::default());
        let node = cluster.node(&"n001".parse().unwrap());
        node.rows(Db::Nb, &[]).await.unwrap();
        assert!(node.within() <= cluster.within());
        let (origins, notes) = cluster.into_read();
        assert_eq!(origins.iter().map(|origin| origin.what.as_str()).collect::<Vec<_>>(), ["n001"]);
        assert_eq!(notes, ["note of n001"]);
    }

    #[tokio::test]
    async fn a_kind_of_an_unreadable_group_is_not_reported_as_missing() {
        let unknown = "the kinds of metrics.k8s.io/v1beta1 are not known: 503".to_owned();
        let fake = Fake { kinds: (vec![ObjectKind::pod()], vec![unknown.clone()]), ..Fake::default() };
        let cluster = ClusterReader::new(&fake, Duration::from_secs(1), Budget::default());
        assert!(cluster.kind("po").await.is_ok());
        for sure in ["egressips.k8s.ovn.org", "leases.v1.coordination.k8s.io"] {
            assert!(matches!(cluster.kind(sure).await, Err(ToolError::NotFound { .. })), "{sure}");
        }
        assert_eq!(cluster.known_kind("egressips.k8s.ovn.org").await.unwrap(), None);
        for unsure in ["podmetrics", "pods.metrics.k8s.io", "pods.v1beta1.metrics.k8s.io"] {
            let report = cluster.kind(unsure).await.unwrap_err().report();
            assert!(
                report.contains("not all kinds are known: the kinds of metrics.k8s.io/v1beta1"),
                "{report}"
            );
        }
        assert_eq!(cluster.known_kind("podmetrics").await.unwrap(), None);
        assert_eq!(cluster.into_read().1, [unknown]);
    }
}
