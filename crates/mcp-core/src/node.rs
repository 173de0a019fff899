//! One node, as a tool sees it.

use crate::{
    Argv, Backend, Budget, Db, Deadline, Extent, Kind, LogQuery, LogStream, NodeName, ObjectQuery, Origin,
    Output, Place, PodRef, Read, ReadError, Target, ToolError,
    backend::netns,
    commands,
    sanitize::{Redactor, Seen},
};
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::Value;
use std::{
    collections::HashSet,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A node that a tool reads from. What is read is noted, so that the answer can say where it came from.
pub struct Node<'a> {
    backend: &'a dyn Backend,
    name: NodeName,
    pod: Option<PodRef>,
    within: Duration,
    budget: Budget,
    compared: bool,
    noted: Arc<Noted>,
    /// Was something asked that is the pod's own?
    of_pod: AtomicBool,
}

/// Where what was read came from, and what was odd about it; each once.
#[derive(Debug, Default)]
pub(crate) struct Noted(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    origins: Vec<Origin>,
    /// In their order.
    notes: Vec<String>,
    /// The same: there can be thousands, and each is looked for.
    known: HashSet<String>,
}

impl Noted {
    /// The value, after noting the rest.
    pub(crate) fn take<T>(&self, read: Read<T>) -> T {
        {
            let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if !noted.origins.iter().any(|origin| {
                (&origin.what, &origin.bundle, origin.extent)
                    == (&read.origin.what, &read.origin.bundle, read.origin.extent)
            }) {
                noted.origins.push(read.origin);
            }
        }
        read.notes.into_iter().for_each(|note| self.note(note));
        read.value
    }

    /// Something odd.
    pub(crate) fn note(&self, note: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.known.insert(note.clone()) {
            noted.notes.push(note);
        }
    }

    /// When the newest of it was read.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.origins.iter().filter_map(|origin| origin.when).max()
    }

    /// What of it is damaged.
    pub(crate) fn damaged(&self) -> Vec<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let damaged = noted.origins.iter().filter(|origin| origin.extent == Extent::Damaged);
        damaged.map(|origin| origin.what.clone()).collect()
    }

    /// What was noted, which is taken out.
    pub(crate) fn read(&self) -> (Vec<Origin>, Vec<String>) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (kept.origins, kept.notes)
    }
}

/// A way to get an answer, with a parser for what it gives.
///
/// A tool lists its readings, best first; the source answers with the first that it has.
pub struct Reading<T>(Source<T>);

/// What to read, and its parser.
enum Source<T> {
    Command { place: Place, argv: Argv, parse: Parser<Output, T> },
    Recorded { place: Place, command: &'static str, parse: Parser<Output, T> },
    Rows { db: Db, select: Select, parse: Parser<Rows, T> },
}

/// Makes the answer of what was read.
type Parser<From, T> = Box<dyn Fn(From) -> T + Send + Sync>;

/// Before anything parses, compares or filters it: a piece of a text does not tell that it belongs to a secret.
fn without_secrets(read: Read<Output>) -> Read<Output> {
    let Output { stdout, stderr, status } = read.value;
    let value = Output { stdout: Redactor::of(stdout), stderr: Redactor::of(stderr), status };
    Read { value, ..read }
}

impl<T> Reading<T> {
    /// The output of a command.
    pub fn command(place: Place, argv: Argv, parse: impl Fn(Output) -> T + Send + Sync + 'static) -> Self {
        Self(Source::Command { place, argv, parse: Box::new(parse) })
    }

    /// The output of a command that is only read where somebody recorded it, and never run: an older form, or one that
    /// prints more than it should.
    pub fn recorded(
        place: Place,
        command: &'static str,
        parse: impl Fn(Output) -> T + Send + Sync + 'static,
    ) -> Self {
        Self(Source::Recorded { place, command, parse: Box::new(parse) })
    }

    /// Rows of a table.
    pub fn rows(db: Db, select: Select, parse: impl Fn(Rows) -> T + Send + Sync + 'static) -> Self {
        Self(Source::Rows { db, select, parse: Box::new(parse) })
    }
}

impl<'a> Node<'a> {
    pub(crate) fn new(
        backend: &'a dyn Backend,
        name: NodeName,
        pod: Option<PodRef>,
        within: Duration,
        budget: Budget,
        compared: bool,
    ) -> Self {
        Self {
            backend,
            name,
            pod,
            within,
            budget,
            compared,
            noted: Arc::default(),
            of_pod: AtomicBool::new(false),
        }
    }

    /// The node, which notes what it reads with what the whole call reads.
    pub(crate) fn noting(self, noted: &Arc<Noted>) -> Self {
        Self { noted: noted.clone(), ..self }
    }

    /// Adds a note to the answer.
    pub fn note(&self, note: impl Into<String>) {
        self.noted.note(note.into());
    }

    /// The node's own values, or an empty value if they could not be read. A note says so then, because the node's own
    /// values look like differences without it.
    pub fn own_values<T: Default>(&self, what: &str, read: Result<T, ReadError>) -> T {
        read.unwrap_or_else(|e| {
            let why = if e.is_absence() { "not collected".to_owned() } else { crate::error::chain(&e) };
            self.note(format!(
                "{what} of the node are not known ({why}), so some of them may look like differences"
            ));
            T::default()
        })
    }

    /// Another node, whose data the answer about this one needs too: a packet goes on there. What is read of it is noted with
    /// what is read of this one.
    pub fn peer(&self, name: &NodeName) -> Self {
        let peer = Self::new(self.backend, name.clone(), None, self.within, self.budget, false);
        peer.noting(&self.noted)
    }

    /// The node where a pod is.
    ///
    /// # Errors
    /// If there is no such pod, or it is on no node yet.
    pub async fn of_pod(&self, pod: &PodRef) -> Result<NodeName, ToolError> {
        crate::resolve::node_of_pod(self.backend, pod, self.within).await
    }

    /// Its name.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// The pod by which the call named the node. What a pod has of its own is read at [`Place::Pod`].
    pub fn pod(&self) -> Option<&PodRef> {
        self.pod.as_ref()
    }

    /// How long the call may take here.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// What the reply may take of a model's context.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Can it be asked now, and again in a second? Else it was collected earlier.
    pub fn is_live(&self) -> bool {
        self.backend.is_live()
    }

    /// Waits, so that a live node can go on meanwhile.
    pub async fn pause(&self, time: Duration) {
        tokio::time::sleep(time.min(self.within)).await;
    }

    /// What "now" means here: for what was collected earlier, when it was.
    pub async fn now(&self) -> Option<Timestamp> {
        self.backend.now().await
    }

    /// Will the answer be compared with other nodes'? Then rows need an identity, and facts are read.
    pub fn is_compared(&self) -> bool {
        self.compared
    }

    fn at(&self, place: Place) -> Target {
        if matches!(place, Place::Pod(_)) {
            self.of_pod.store(true, Ordering::Relaxed);
        }
        Target { node: self.name.clone(), place, within: self.within }
    }

    /// The node's Kubernetes object, if the source has objects. A note says if it could not be read.
    pub async fn object(&self) -> Option<Value> {
        let query = ObjectQuery { name: self.name.as_str().parse().ok(), ..ObjectQuery::all(Kind::node()) };
        match self.backend.objects(&query, self.within).await {
            Ok(read) => self.noted.take(read).into_iter().next(),
            Err(ReadError::NotHeld { .. } | ReadError::NotCollected { .. }) => None,
            Err(e) => {
                self.note(format!("the annotations of the node are not known: {}", crate::error::chain(&e)));
                None
            }
        }
    }

    /// The schema of a database.
    pub async fn schema(&self, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.backend.schema(&self.at(db.place()), db).await
    }

    /// Rows, one [`Rows`] a select, all of one moment, without secrets. A condition sees what is shown.
    pub async fn rows(&self, db: Db, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        let seen = Seen::of(selects);
        let mut read = self.backend.rows(&self.at(db.place()), db, seen.asked()).await?;
        read.notes.extend(seen.show(&mut read.value));
        Ok(self.noted.take(read))
    }

    /// The output of a command.
    pub async fn command(&self, place: Place, argv: &Argv) -> Result<Output, ReadError> {
        self.check_interface(&place, argv).await?;
        Ok(self.noted.take(without_secrets(self.backend.command(&self.at(place), argv).await?)))
    }

    /// Is the interface there that a command asks about?
    ///
    /// ethtool(8) and ip(8) ask the kernel for an interface by name with an ioctl, and for one that does not exist the kernel
    /// tries to load a module of that name. To list the interfaces asks for no name.
    async fn check_interface(&self, place: &Place, argv: &Argv) -> Result<(), ReadError> {
        let Some(name) = argv.interface().filter(|_| self.is_live()) else { return Ok(()) };
        let links = self.backend.command(&self.at(place.clone()), &commands::links()).await?.value;
        let links = String::from_utf8_lossy(&links.stdout);
        let known: Vec<&str> = netns::interfaces(&links).collect();
        if known.contains(&name) {
            return Ok(());
        }
        Err(ReadError::NoInterface {
            name: name.into(),
            place: place.to_string(),
            node: self.name.clone(),
            known: ovsdb::nearest_first(name, known.into_iter()),
        })
    }

    /// What a command prints that would go on for ever, in so much time, or in what the call has left for it, which is
    /// noted then.
    pub async fn follow(&self, place: Place, argv: &Argv, time: Duration) -> Result<Output, ReadError> {
        let read = self.backend.follow(&self.at(place), argv, time).await?;
        Ok(self.noted.take(without_secrets(read)))
    }

    /// A database with its log of transactions.
    pub async fn database(&self, db: Db) -> Result<Arc<Database>, ReadError> {
        Ok(self.noted.take(self.backend.database(&self.at(db.place()), db).await?))
    }

    /// A log of the host.
    pub async fn log(&self, query: &LogQuery) -> Result<LogStream, ReadError> {
        Ok(self.noted.take(self.backend.log(query, self.within).await?))
    }

    /// The first reading that the source has. If it has none, the error names all of them.
    pub async fn first<T>(&self, readings: Vec<Reading<T>>) -> Result<T, ReadError> {
        let mut absent: Option<ReadError> = None;
        for Reading(source) in readings {
            let result = match source {
                Source::Command { place, argv, parse } => self.command(place, &argv).await.map(parse),
                Source::Recorded { place, command, parse } => {
                    let read = self.backend.recorded(&self.at(place), command).await;
                    read.map(|read| parse(self.noted.take(without_secrets(read))))
                }
                Source::Rows { db, select, parse } => {
                    let rows = self.rows(db, std::slice::from_ref(&select)).await;
                    rows.map(|mut rows| parse(rows.swap_remove(0)))
                }
            };
            match result {
                Err(e) if e.is_absence() => {
                    absent = Some(match absent {
                        Some(first) => first.or(e),
                        None => e,
                    });
                }
                result => return result,
            }
        }
        Err(absent.expect("a tool gives at least one reading"))
    }

    /// What an answer is of: the node, or its pod where what is the pod's own was asked.
    pub(crate) fn subject(&self) -> String {
        match &self.pod {
            Some(pod) if self.of_pod.load(Ordering::Relaxed) => format!("pod {pod} on {}", self.name),
            _ => self.name.to_string(),
        }
    }

    /// What was read so far, and what was odd about it.
    pub(crate) fn into_read(self) -> (Vec<Origin>, Vec<String>) {
        self.noted.read()
    }

    /// Runs a tool's work, but no longer than the call allows. A command tells itself that it took too long;
    /// this is for everything else.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, crate::ToolError>> + Send,
    ) -> Result<T, crate::ToolError> {
        let late = || ReadError::OutOfTime { what: format!("the question to {}", self.name) };
        let deadline = Deadline::current();
        deadline.check().map_err(|_| late())?;
        // The rest of the slack is for what is made of the answers.
        let within = deadline.left().min(self.within) + crate::tool::SLACK / 2;
        tokio::time::timeout(within, work).await.map_err(|_| late())?
    }
}
