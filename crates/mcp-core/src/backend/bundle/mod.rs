//! Bundles: files that were collected from a cluster.
//!
//! A must-gather has the databases of every node's zone. A sosreport has the databases of one node and the outputs of
//! hundreds of commands. [`files`] reads bundles without unpacking them, [`contents`] knows what each file holds, and
//! [`cluster`] combines several bundles into one cluster. Bundles open lazily: a server that starts with a bundle reads
//! nothing before the first question.

mod browse;
mod cluster;
mod contents;
mod coverage;
mod files;
mod join;
mod logs;
mod objects;
mod recorded;

pub(super) use contents::{is_capture, is_event_recording};
pub(super) use logs::plain;
pub(crate) use objects::each as each_object;

use super::{Backend, BundleFile, Coverage, Extent, FileVisitor, Origin, Output, ReadError, ReadValue};
use crate::{
    Argv, CommandPlace, CommandTarget, Db, Deadline, LogQuery, LogSource, LogStream, NodeName, ObjectKind,
    ObjectQuery, Progress,
};
use async_trait::async_trait;
use cluster::BundledCluster;
use files::{Bounds, ReadMeter};
use jiff::Timestamp;
use ovsdb::{Database, Rows, Schema, Select};
use recorded::Lookup;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::OnceCell;

/// A source that reads one or more bundles as one cluster.
pub struct Bundle {
    name: String,
    paths: Vec<PathBuf>,
    opened: Arc<OnceCell<Arc<BundledCluster>>>,
    /// Views of single bundles that calls have asked for, by the index of the bundle.
    alone: Mutex<BTreeMap<usize, Arc<Self>>>,
    /// How many bytes of the archives were read while opening them.
    meter: ReadMeter,
}

impl Bundle {
    /// Creates a source from directories and archives. It reads nothing yet.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let name = |p: &PathBuf| p.file_name().unwrap_or(p.as_os_str()).to_string_lossy().into_owned();
        let names: Vec<_> = paths.iter().map(name).collect();
        let name = match names.as_slice() {
            // Every answer would repeat all names; the origin of the data names its bundle.
            [first, _, _, ..] => format!("{first} and {} more bundles", names.len() - 1),
            names => names.join(" + "),
        };
        Self { name, paths, opened: Arc::default(), alone: Mutex::default(), meter: ReadMeter::default() }
    }

    async fn opened(&self) -> Result<Arc<BundledCluster>, ReadError> {
        if let Some(cluster) = self.opened.get() {
            return Ok(cluster.clone());
        }
        let (cell, paths, meter) = (self.opened.clone(), self.paths.clone(), self.meter.clone());
        let opening = async move {
            let open = || blocking(move || BundledCluster::open(&paths, Bounds::default(), &meter));
            cell.get_or_try_init(|| async { open().await.map(Arc::new) }).await.cloned()
        };
        // The work continues in its own task, so that a client that gives up and asks again does not start it again.
        tokio::spawn(opening).await.map_err(|e| ReadError::unreadable(&self.name, e))?
    }

    /// The error for data that was not collected, with a list of what the bundles have of that node.
    fn not_collected(
        &self,
        cluster: &BundledCluster,
        what: String,
        node: &NodeName,
        tried: Option<String>,
    ) -> ReadError {
        let wanted = what.trim_start_matches('`').split('`').next().unwrap_or_default().to_owned();
        let dbs = [Db::Nb, Db::Sb, Db::OpenVSwitch];
        let held =
            dbs.iter().filter(|db| !cluster.candidates(node, **db).is_empty()).map(|db| db.to_string());
        let missing = cluster.bundles.iter().flat_map(|one| &one.contents.missing);
        let missing = missing.filter(|(of, db, _)| of == node && db.name() == what);
        let missing: Vec<_> = missing.map(|(_, _, why)| why.clone()).collect();
        let reports = cluster.reports(node).map(|(one, report)| {
            let recorded = &report.commands(&one.files).recorded;
            let held = recorded.iter().filter(|command| command.path.is_some());
            let held: Vec<&str> = held.map(|command| command.exec.as_str()).collect();
            format!("{} in {}", nearest_commands(&wanted, &held), one.files.name)
        });
        ReadError::NotCollected {
            what,
            node: node.clone(),
            source_name: self.name.clone(),
            why: tried.into_iter().chain(missing).reduce(|a, b| format!("{a}; {b}")),
            instead: held.chain(reports).collect(),
        }
    }
}

impl Bundle {
    /// Finds the recorded output of a command.
    async fn find(&self, at: &CommandTarget, words: Vec<String>) -> Result<ReadValue<Output>, ReadError> {
        let cluster = self.opened().await?;
        let (of, at_node, asked, name) = (cluster.clone(), at.clone(), words.clone(), self.name.clone());
        let look = move || {
            let words: Vec<&str> = asked.iter().map(String::as_str).collect();
            Ok(recorded::find(&of, &at_node, &words, &name))
        };
        match blocking(look).await? {
            Lookup::Read(mut read) => {
                read.notes.extend(cluster.notes.iter().cloned());
                Ok(read)
            }
            Lookup::Failed(e) => Err(e),
            Lookup::NotRun(tried) => {
                let of = if let CommandPlace::Pod(pod) = &at.place {
                    format!(" in pod {pod}")
                } else {
                    String::new()
                };
                Err(self.not_collected(&cluster, format!("`{}`{of}", words.join(" ")), &at.node, tried))
            }
        }
    }
}

#[async_trait]
impl Backend for Bundle {
    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, progress: &Progress) -> Result<(), ReadError> {
        if self.opened.initialized() {
            return Ok(());
        }
        progress.opening(self.opened(), &self.name, || self.meter.read()).await.map(drop)
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        Ok(self.opened().await?.nodes())
    }

    async fn about(&self) -> String {
        match self.opened.get().cloned() {
            Some(cluster) => {
                let about = blocking(move || Ok(coverage::about(&cluster))).await;
                about.unwrap_or_else(|_| self.name.clone())
            }
            None => format!("{} (still opening)", self.name),
        }
    }

    async fn only(&self, bundle: &str) -> Result<Arc<dyn Backend>, ReadError> {
        let cluster = self.opened().await?;
        let names: Vec<&str> = cluster.bundles.iter().map(|one| one.files.name.as_str()).collect();
        let exact = names.iter().position(|name| *name == bundle);
        let mut like = names.iter().enumerate().filter(|(_, name)| name.contains(bundle)).map(|(at, _)| at);
        let (first, second) = (like.next(), like.next());
        let not_held = |why: &str| ReadError::NotHeld {
            what: format!("bundle `{bundle}`"),
            source_name: self.name.clone(),
            why: Some(why.into()),
            instead: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let at = match (exact, first, second) {
            (Some(at), ..) | (None, Some(at), None) => at,
            (None, Some(_), Some(_)) => {
                return Err(not_held("several bundles have this text in their names"));
            }
            (None, None, _) => return Err(not_held("no bundle has this text in its name")),
        };
        let mut alone = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = alone.get(&at) {
            return Ok(one.clone());
        }
        let view = cluster.only(at).ok_or_else(|| not_held("the bundle no longer exists"))?;
        let one = Arc::new(Self {
            name: names.get(at).copied().unwrap_or_default().to_owned(),
            paths: Vec::new(),
            opened: Arc::new(OnceCell::new_with(Some(Arc::new(view)))),
            alone: Mutex::default(),
            meter: self.meter.clone(),
        });
        alone.insert(at, one.clone());
        Ok(one)
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        let cluster = self.opened().await?;
        blocking(move || Ok(coverage::of(&cluster))).await
    }

    async fn command(&self, at: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        self.find(at, argv.words().to_vec()).await
    }

    async fn recorded(
        &self,
        at: &CommandTarget,
        command: &'static str,
    ) -> Result<ReadValue<Output>, ReadError> {
        self.find(at, command.split(' ').map(str::to_owned).collect()).await
    }

    async fn schema(&self, at: &CommandTarget, db: Db) -> Result<Arc<Schema>, ReadError> {
        Ok(self.database(at, db).await?.value.schema().clone())
    }

    async fn rows(
        &self,
        at: &CommandTarget,
        db: Db,
        selects: &[Select],
    ) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        let ReadValue { value: database, origin, notes } = self.database(at, db).await?;
        let selects = selects.to_vec();
        let all = move || selects.iter().map(|select| Ok(database.select(select)?)).collect();
        Ok(ReadValue { value: blocking(all).await?, origin, notes })
    }

    async fn database(&self, at: &CommandTarget, db: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        let cluster = self.opened().await?;
        let (of, node, choice) = (cluster.clone(), at.node.clone(), at.choice.clone());
        let read = move || {
            of.database(&node, db, &choice).transpose().map(|found| {
                found.map(|found| {
                    let origin = Origin::new(&found.candidate.shown, found.candidate.when);
                    let origin =
                        origin.in_collection(found.candidate.collection.clone()).beside(found.beside);
                    let is_whole = found.database.damage().is_none();
                    let origin = origin.with_extent(if is_whole { Extent::Whole } else { Extent::Damaged });
                    let notes = found.notes.into_iter().chain(of.notes.iter().cloned()).collect();
                    ReadValue { value: found.database, origin, notes }
                })
            })
        };
        let found = blocking(read).await?;
        found.ok_or_else(|| self.not_collected(&cluster, db.to_string(), &at.node, None))
    }

    async fn log(&self, query: &LogQuery, _within: Duration) -> Result<ReadValue<LogStream>, ReadError> {
        let cluster = self.opened().await?;
        if let LogSource::File { bundle, path } = &query.source {
            return browse::open(cluster, &self.name, bundle, path).await;
        }
        let (name, query) = (self.name.clone(), query.clone());
        blocking(move || logs::open(&cluster, &name, &query)).await
    }

    async fn files(&self, contains: &str) -> Result<ReadValue<Vec<BundleFile>>, ReadError> {
        let cluster = self.opened().await?;
        let contains = contains.to_owned();
        let list = move || {
            let files = browse::list(&cluster, &contains);
            Ok(ReadValue {
                value: files,
                origin: Origin::new("the list of files", cluster.as_of()),
                notes: cluster.notes.clone(),
            })
        };
        blocking(list).await
    }

    async fn binary(&self, bundle: &str, path: &str, read: FileVisitor) -> Result<ReadValue<()>, ReadError> {
        browse::binary(self.opened().await?, &self.name, bundle, path, read).await
    }

    async fn now(&self) -> Option<Timestamp> {
        let cluster = self.opened().await.ok()?;
        blocking(move || Ok(cluster.as_of())).await.ok().flatten()
    }

    async fn kinds(&self, _within: Duration) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        let cluster = self.opened().await?;
        blocking(move || cluster.objects().kinds(&cluster.bundles)).await
    }

    async fn objects(
        &self,
        query: &ObjectQuery,
        _within: Duration,
    ) -> Result<ReadValue<Vec<Value>>, ReadError> {
        let cluster = self.opened().await?;
        let asked = query.clone();
        match blocking(move || cluster.objects().find(&cluster, &asked)).await? {
            objects::ObjectLookup::Read(read) => Ok(read),
            objects::ObjectLookup::NotHeld { why, instead } => Err(ReadError::NotHeld {
                what: format!("`{query}`"),
                source_name: self.name.clone(),
                why,
                instead,
            }),
        }
    }
}

/// Lists the recorded commands that are most similar to one that was not recorded, and the number of the others.
fn nearest_commands(wanted: &str, recorded: &[&str]) -> String {
    const NAMED: usize = 4;
    let program = |command: &str| command.split([' ', '_']).next().unwrap_or_default().to_owned();
    let mut nearest = ovsdb::nearest_first(wanted, recorded.iter().copied());
    // The sort is stable: commands of the same program come first, and each group stays sorted by similarity.
    nearest.sort_by_key(|command| program(command) != program(wanted));
    let named: Vec<String> = nearest.iter().take(NAMED).map(|command| format!("`{command}`")).collect();
    match nearest.len() - named.len() {
        0 if named.is_empty() => "no command".into(),
        0 => named.join(", "),
        more => format!("{} and {more} more commands", named.join(", ")),
    }
}

/// Runs work that reads files or computes for long on a blocking thread.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    let deadline = Deadline::current();
    let work = tokio::task::spawn_blocking(move || deadline.during(work));
    work.await.map_err(|e| ReadError::unreadable("the bundle", e))?
}
