//! One node as a tool sees it.

mod collection;

use crate::{
    Argv, Backend, Budget, CallEnded, CapturePart, CaptureReport, CommandPlace, CommandTarget, Db, Deadline,
    Extent, LogQuery, LogStream, NodeName, ObjectKind, ObjectQuery, Origin, Output, PodRef, ReadError,
    ReadValue, ToolError,
    backend::netns,
    commands,
    reply::ReplyForm,
    sanitize::{RedactedQuery, Redactor},
};
use collection::ChosenCollection;
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::Value;
use std::{
    collections::HashSet,
    fmt::Display,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A node that a tool reads from. It records what was read, so that the answer can name its sources. A
/// clone records in the same place.
#[derive(Clone)]
pub struct Node<'a> {
    backend: &'a dyn Backend,
    name: NodeName,
    pod: Option<PodRef>,
    within: Duration,
    budget: Budget,
    compared: bool,
    form: ReplyForm,
    noted: Arc<Provenance>,
    /// True if the tool read something that belongs to the pod.
    of_pod: Arc<AtomicBool>,
    /// The collection whose data is read first, if the tool chose one.
    chosen: Option<ChosenCollection>,
}

/// The sources that were read and the notes about them, each once.
#[derive(Debug, Default)]
pub(crate) struct Provenance(Mutex<ProvenanceEntries>);

#[derive(Debug, Default)]
struct ProvenanceEntries {
    origins: Vec<Origin>,
    /// The notes, in the order in which they were made.
    notes: Vec<String>,
    /// The same notes as a set, because there can be thousands and each new note is looked up.
    known: HashSet<String>,
}

impl Provenance {
    /// Records the origin and the notes of `read`, and returns its value.
    pub(crate) fn take<T>(&self, read: ReadValue<T>) -> T {
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

    /// Records a note about something unusual.
    pub(crate) fn note(&self, note: String) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.known.insert(note.clone()) {
            noted.notes.push(note);
        }
    }

    /// Returns the time of the newest source that was read.
    pub(crate) fn newest(&self) -> Option<Timestamp> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        noted.origins.iter().filter_map(|origin| origin.when).max()
    }

    /// Returns the damaged sources that were read.
    pub(crate) fn damaged(&self) -> Vec<String> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let damaged = noted.origins.iter().filter(|origin| origin.extent == Extent::Damaged);
        damaged.map(|origin| origin.what.clone()).collect()
    }

    /// Takes out all recorded origins and notes.
    pub(crate) fn read(&self) -> (Vec<Origin>, Vec<String>) {
        let kept = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (kept.origins, kept.notes)
    }
}

/// The name by which tcpdump(8) captures on all interfaces.
const ANY_INTERFACE: &str = "any";

/// One way to get an answer: the data to read and the parser for it.
///
/// A tool lists its readings, the best one first. [`Node::first`] uses the first reading that the source has.
pub struct Reading<T> {
    source: ReadingSource<T>,
    /// The largest output that is parsed, in bytes.
    most: usize,
}

/// The largest output that is parsed into a list, in bytes. A list takes up to 30 times as much memory as its text.
const LARGEST_LIST: usize = 64 << 20;

/// The data to read, and its parser.
enum ReadingSource<T> {
    Command { place: CommandPlace, argv: Argv, parse: Parser<Output, T> },
    Recorded { place: CommandPlace, command: &'static str, parse: Parser<Output, T> },
    Rows { db: Db, select: Select, parse: Parser<Rows, T> },
}

/// Turns the data into the answer.
type Parser<From, T> = Box<dyn Fn(From) -> T + Send + Sync>;

/// Redacts secrets before anything parses, compares or filters the output. A part of the output may no longer show
/// that it belongs to a secret.
fn without_secrets(read: ReadValue<Output>) -> Result<ReadValue<Output>, ReadError> {
    let Output { stdout, stderr, status } = read.value;
    let late = |over: CallEnded| over.stopped(format!("removing secrets from {}", read.origin.what));
    let value = Output {
        stdout: Redactor::of(stdout).map_err(late)?,
        stderr: Redactor::of(stderr).map_err(late)?,
        status,
    };
    Ok(ReadValue { value, ..read })
}

impl<T> Reading<T> {
    /// Reads the output of a command.
    pub fn command(
        place: CommandPlace,
        argv: Argv,
        parse: impl Fn(Output) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::of(ReadingSource::Command { place, argv, parse: Box::new(parse) })
    }

    /// Reads the output of a command that a bundle recorded. The command is never run, because it is an older form or
    /// prints more than it should.
    pub fn recorded(
        place: CommandPlace,
        command: &'static str,
        parse: impl Fn(Output) -> T + Send + Sync + 'static,
    ) -> Self {
        Self::of(ReadingSource::Recorded { place, command, parse: Box::new(parse) })
    }

    /// Reads rows of a table.
    pub fn rows(db: Db, select: Select, parse: impl Fn(Rows) -> T + Send + Sync + 'static) -> Self {
        Self::of(ReadingSource::Rows { db, select, parse: Box::new(parse) })
    }

    fn of(source: ReadingSource<T>) -> Self {
        Self { source, most: LARGEST_LIST }
    }

    /// Allows outputs of any size, because the tool keeps the text and reads it line by line.
    #[must_use]
    pub fn as_text(self) -> Self {
        Self { most: usize::MAX, ..self }
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
            form: ReplyForm::Text,
            noted: Arc::default(),
            of_pod: Arc::default(),
            chosen: None,
        }
    }

    /// Sets the form of the reply.
    pub(crate) fn in_form(self, form: ReplyForm) -> Self {
        Self { form, ..self }
    }

    /// Makes the node record what it reads in the provenance of the whole call.
    pub(crate) fn noting(self, noted: &Arc<Provenance>) -> Self {
        Self { noted: noted.clone(), ..self }
    }

    /// Adds a note to the answer.
    pub fn note(&self, note: impl Into<String>) {
        self.noted.note(note.into());
    }

    /// Returns the node's own values, or an empty value and a note if they could not be read. The note is needed
    /// because without its own values the node seems to differ from the others.
    pub fn own_values<T: Default>(&self, what: &str, read: Result<T, ReadError>) -> T {
        read.unwrap_or_else(|e| {
            let why = if e.is_absence() { "not collected".to_owned() } else { crate::error::chain(&e) };
            self.note(format!(
                "{what} of the node are not known ({why}), so some of them may be listed as differences"
            ));
            T::default()
        })
    }

    /// Returns another node whose data the answer about this node also needs, for example because a packet continues
    /// there. Both nodes record what is read in the same place.
    pub fn peer(&self, name: &NodeName) -> Self {
        let peer = Self::new(self.backend, name.clone(), None, self.within, self.budget, false);
        let chosen = self.chosen.clone().filter(|_| *name == self.name);
        Self { chosen, ..peer.noting(&self.noted) }
    }

    /// Returns the node that a pod runs on.
    ///
    /// # Errors
    ///
    /// Returns an error if the pod does not exist or is not scheduled yet.
    pub async fn of_pod(&self, pod: &PodRef) -> Result<NodeName, ToolError> {
        crate::resolve::node_of_pod(self.backend, pod, self.within).await
    }

    /// Returns the name of the node.
    pub fn name(&self) -> &NodeName {
        &self.name
    }

    /// Returns the pod by which the call named the node. [`CommandPlace::Pod`] reads what belongs to the pod alone.
    pub fn pod(&self) -> Option<&PodRef> {
        self.pod.as_ref()
    }

    /// Returns the time that the call may take on this node.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// Returns the size that the reply may have.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Whether the source is live, so that a second read shows newer data. A bundle is not live.
    pub fn is_live(&self) -> bool {
        self.backend.is_live()
    }

    /// Waits while a live node continues to work, but no longer than the time limit of the call.
    pub async fn pause(&self, time: Duration) {
        tokio::time::sleep(time.min(self.within)).await;
    }

    /// Returns the current time of a live source, or the time when a bundle was collected.
    pub async fn now(&self) -> Option<Timestamp> {
        self.backend.now().await
    }

    /// Returns the time of the newest data that this answer read so far. Ages in parameters count back from it.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.noted.newest()
    }

    /// Whether the reply is a JSON document, in which a row can be an object ([`Row::object`](crate::Row::object)).
    pub fn wants_objects(&self) -> bool {
        self.form == ReplyForm::Json
    }

    /// Whether the answer is compared with the answers of other nodes. Rows then need an identity, and the facts of
    /// the answer are used.
    pub fn is_compared(&self) -> bool {
        self.compared
    }

    fn at(&self, place: CommandPlace) -> CommandTarget {
        if matches!(place, CommandPlace::Pod(_)) {
            self.of_pod.store(true, Ordering::Relaxed);
        }
        let choice = self.chosen.as_ref().map(|chosen| chosen.choice.clone()).unwrap_or_default();
        CommandTarget { choice, ..CommandTarget::new(self.name.clone(), place, self.within) }
    }

    /// Returns the node's Kubernetes object, or `None` if the source has no objects. If the object could not be read,
    /// it adds a note.
    pub async fn object(&self) -> Option<Value> {
        let query =
            ObjectQuery { name: self.name.as_str().parse().ok(), ..ObjectQuery::all(ObjectKind::node()) };
        match self.backend.objects(&query, self.within).await {
            Ok(read) => self.noted.take(read).into_iter().next(),
            Err(ReadError::NotHeld { .. } | ReadError::NotCollected { .. }) => None,
            Err(e) => {
                self.note(format!("the annotations of the node are not known: {}", crate::error::chain(&e)));
                None
            }
        }
    }

    /// Returns the schema of a database.
    pub async fn schema(&self, db: Db) -> Result<Arc<Schema>, ReadError> {
        self.backend.schema(&self.at(db.place()), db).await
    }

    /// Returns the rows of several selects, one [`Rows`] per select, all from one transaction and with secrets
    /// redacted. Conditions are tested on the redacted values.
    pub async fn rows(&self, db: Db, selects: &[Select]) -> Result<Vec<Rows>, ReadError> {
        let seen = RedactedQuery::of(selects);
        let mut read = self.backend.rows(&self.at(db.place()), db, seen.asked()).await?;
        read.notes.extend(seen.show(&mut read.value));
        Ok(self.take(&db.place(), read))
    }

    /// Runs a command and returns its output, with secrets redacted.
    pub async fn command(&self, place: CommandPlace, argv: &Argv) -> Result<Output, ReadError> {
        self.check_interface(&place, argv).await?;
        let read = self.backend.command(&self.at(place.clone()), argv).await?;
        Ok(self.take(&place, without_secrets(read)?))
    }

    /// Checks that the interface exists that a command names.
    ///
    /// ethtool(8) and ip(8) look up an interface by name with an ioctl. For a name that does not exist, the kernel
    /// tries to load a module of that name. Listing all interfaces avoids this, because it passes no name.
    async fn check_interface(&self, place: &CommandPlace, argv: &Argv) -> Result<(), ReadError> {
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

    /// Runs a command that does not end by itself, and returns what it printed within `time`. If the call has less
    /// time left, the command runs for that time only, and a note says so.
    pub async fn follow(
        &self,
        place: CommandPlace,
        argv: &Argv,
        time: Duration,
    ) -> Result<Output, ReadError> {
        let read = self.backend.follow(&self.at(place.clone()), argv, time).await?;
        Ok(self.take(&place, without_secrets(read)?))
    }

    /// Runs a program that watches the node for `time`, and keeps its standard output in `into`. If the program fails
    /// or its connection breaks after something has arrived, the report of `into` says so, and what arrived is kept.
    ///
    /// # Errors
    ///
    /// Returns an error if nothing arrived because the program could not run.
    pub async fn capture(
        &self,
        place: CommandPlace,
        argv: &Argv,
        time: Duration,
        into: &CapturePart,
    ) -> Result<(), ReadError> {
        if argv.interface() != Some(ANY_INTERFACE) {
            self.check_interface(&place, argv).await?;
        }
        let report = match self.backend.capture(&self.at(place.clone()), argv, time, into).await {
            Ok(read) => {
                let output = self.take(&place, without_secrets(read)?);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                CaptureReport { said, broken: None, ended: Timestamp::now() }
            }
            Err(e) if !into.is_empty() => {
                let broken = Some(crate::error::chain(&e));
                CaptureReport { said: String::new(), broken, ended: Timestamp::now() }
            }
            Err(e) => return Err(e),
        };
        into.close(report);
        Ok(())
    }

    /// Returns a database with its transaction log.
    pub async fn database(&self, db: Db) -> Result<Arc<Database>, ReadError> {
        Ok(self.take(&db.place(), self.backend.database(&self.at(db.place()), db).await?))
    }

    /// Opens a log of the host.
    pub async fn log(&self, query: &LogQuery) -> Result<LogStream, ReadError> {
        Ok(self.noted.take(self.backend.log(query, self.within).await?))
    }

    /// Returns the first reading that the source has. If the source has none of them, the error names all of them.
    pub async fn first<T>(&self, readings: Vec<Reading<T>>) -> Result<T, ReadError> {
        if let Some(alone) = self.alone() {
            match alone.first_here(&readings).await {
                Err(e) if e.is_absence() => {}
                result => return result,
            }
        }
        self.first_here(&readings).await
    }

    async fn first_here<T>(&self, readings: &[Reading<T>]) -> Result<T, ReadError> {
        let mut absent: Option<ReadError> = None;
        for reading in readings {
            match self.read(reading).await {
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

    async fn read<T>(&self, Reading { source, most }: &Reading<T>) -> Result<T, ReadError> {
        let fitting = |output: Output, command: &dyn Display| match output.stdout.len() > *most {
            true => {
                let (what, limit) = (format!("the output of `{command}` on {}", self.name), *most as u64);
                Err(ReadError::TooLarge { what, limit })
            }
            false => Ok(output),
        };
        match source {
            ReadingSource::Command { place, argv, parse } => {
                let output = self.command(place.clone(), argv).await?;
                Ok(parse(fitting(output, argv)?))
            }
            ReadingSource::Recorded { place, command, parse } => {
                let read = self.backend.recorded(&self.at(place.clone()), command).await?;
                let output = self.take(place, without_secrets(read)?);
                Ok(parse(fitting(output, command)?))
            }
            ReadingSource::Rows { db, select, parse } => {
                let mut rows = self.rows(*db, std::slice::from_ref(select)).await?;
                Ok(parse(rows.swap_remove(0)))
            }
        }
    }

    /// Returns what the answer is about, as the end of its title: `on node-1`, or `of pod shop/web-1 on node-1` if the
    /// tool read something that belongs to the pod.
    pub(crate) fn subject(&self) -> String {
        match &self.pod {
            Some(pod) if self.of_pod.load(Ordering::Relaxed) => format!("of pod {pod} on {}", self.name),
            _ => format!("on {}", self.name),
        }
    }

    /// Returns the origins and the notes of everything that was read.
    pub(crate) fn into_read(self) -> (Vec<Origin>, Vec<String>) {
        self.noted.read()
    }

    /// Runs the work of a tool within the time limit of the call. A command reports its own time-out; this limit is
    /// for everything else.
    pub(crate) async fn bounded<T>(
        &self,
        work: impl Future<Output = Result<T, crate::ToolError>> + Send,
    ) -> Result<T, crate::ToolError> {
        let late = |over: CallEnded| over.stopped(format!("the call on {}", self.name));
        let deadline = Deadline::current();
        deadline.check().map_err(late)?;
        // The other half of the slack remains for putting the reply together.
        let within = deadline.left().min(self.within) + crate::tool::SLACK / 2;
        let result = tokio::time::timeout(within, work).await.map_err(|_| late(deadline.over()))?;
        deadline.check_whole().map_err(late)?;
        result
    }
}
