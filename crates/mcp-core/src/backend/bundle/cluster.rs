//! Combines bundles into one cluster.

use super::{
    contents::{self, Contents, Gathered, SosReport},
    files::{Bounds, Files, ReadMeter},
    join,
    logs::ContainerLogs,
    objects::{self, LazyObjects, Objects},
};
use crate::{
    Db, Deadline, NodeName,
    backend::{Collection, ReadError},
    error::chain,
    target::CollectionChoice,
};
use jiff::Timestamp;
use ovsdb::Database;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

/// Several bundles as one cluster, and which bundle answers for what.
pub(super) struct BundledCluster {
    pub(super) bundles: Vec<Arc<OpenBundle>>,
    databases: BTreeMap<(NodeName, Db), Vec<DatabaseCopy>>,
    /// Problems that every answer mentions: bundles that do not belong together, bundles that could not be opened.
    pub(super) notes: Vec<String>,
    recent: Mutex<VecDeque<Arc<Database>>>,
    objects: LazyObjects,
}

/// One bundle.
pub(super) struct OpenBundle {
    pub(super) files: Files,
    pub(super) contents: Contents,
    containers: OnceLock<ContainerLogs>,
}

/// A file that contains a database of a node. The first undamaged file is read if there are several.
pub(super) struct DatabaseCopy {
    bundle: usize,
    path: String,
    /// The name of the file in answers.
    pub(super) shown: String,
    pub(super) when: Option<Timestamp>,
    pub(super) collection: Collection,
    opened: Mutex<Weak<Database>>,
}

/// A database, and what an answer says about it.
pub(super) struct FoundDatabase<'a> {
    pub(super) database: Arc<Database>,
    pub(super) candidate: &'a DatabaseCopy,
    /// Problems with the database.
    pub(super) notes: Vec<String>,
    /// Copies that are not read.
    pub(super) beside: Vec<String>,
}

/// The end of a note about a database that does not belong to one zone.
pub(super) const CENTRAL: &str = "is from a cluster in central mode, with one database for all nodes; only interconnect mode, with one \
                                  zone per node, is supported";

/// The end of a note about a database that `sos clean` edited.
pub(super) const EDITED: &str = "was edited by `sos clean`: its addresses, names and checksums differ from the cluster's, and \
                                 the same name may mean different things in two reports";

/// The total file size of recently used databases that stay open, in bytes.
const RECENT: usize = 1 << 30;

impl BundledCluster {
    /// Opens bundles. A bundle that cannot be read does not stop the other bundles from answering.
    pub(super) fn open(paths: &[PathBuf], bounds: Bounds, meter: &ReadMeter) -> Result<Self, ReadError> {
        meter.begin(paths);
        let (mut bundles, mut notes, mut first) = (Vec::new(), Vec::new(), None);
        for path in paths {
            match OpenBundle::open(path, bounds, meter) {
                Ok(one) => {
                    notes.extend(one.files.unfinished.iter().cloned());
                    bundles.push(one);
                }
                Err(e) => {
                    notes.push(chain(&e));
                    first = first.or(Some(e));
                }
            }
        }
        match first {
            Some(e) if bundles.is_empty() => return Err(e),
            _ => {}
        }
        let mut names = BTreeMap::<String, usize>::new();
        for one in &mut bundles {
            let seen = names.entry(one.files.name.clone()).or_default();
            *seen += 1;
            if *seen > 1 {
                one.files.name = format!("{} ({seen})", one.files.name);
            }
        }
        notes.extend(join::join(&mut bundles));
        let bundles: Vec<Arc<OpenBundle>> = bundles.into_iter().map(Arc::new).collect();
        let databases = candidates(&bundles);
        Ok(Self { bundles, databases, notes, recent: Mutex::default(), objects: LazyObjects::default() })
    }

    /// Creates a view of one bundle. Its nodes keep the names that they have among all bundles.
    pub(super) fn only(&self, bundle: usize) -> Option<Self> {
        let bundles = vec![self.bundles.get(bundle)?.clone()];
        Some(Self {
            databases: candidates(&bundles),
            bundles,
            notes: self.notes.clone(),
            recent: Mutex::default(),
            objects: LazyObjects::default(),
        })
    }

    /// The bundles and their indices, the newest first. Bundles of the same age or of unknown age stay in the order in
    /// which they were given.
    pub(super) fn newest_first(&self) -> Vec<(usize, &OpenBundle)> {
        let mut all: Vec<(usize, &OpenBundle)> = self.bundles.iter().map(|one| &**one).enumerate().collect();
        all.sort_by_key(|(_, one)| Reverse(one.when()));
        all
    }

    /// The Kubernetes objects.
    pub(super) fn objects(&self) -> Arc<Objects> {
        self.objects.get(&self.bundles)
    }

    /// The nodes that any file names: a database, a report, recorded commands, logs, or only a Node object. A node
    /// without any other data is part of the cluster too.
    pub(super) fn nodes(&self) -> Vec<NodeName> {
        let mut nodes: BTreeSet<&NodeName> = self.databases.keys().map(|(node, _)| node).collect();
        for Contents { nodes: known, objects, reports, gathered, missing, logs, host_logs, hosts, .. } in
            self.bundles.iter().map(|one| &one.contents)
        {
            nodes.extend(known.keys().chain(objects).chain(logs.keys()));
            nodes.extend(reports.iter().map(|report| &report.node));
            nodes.extend(gathered.iter().map(|gathered| &gathered.node));
            nodes.extend(missing.iter().map(|(node, ..)| node));
            nodes.extend(host_logs.iter().map(|(node, ..)| node));
            nodes.extend(hosts.iter().map(|(node, _)| node));
        }
        nodes.into_iter().cloned().collect()
    }

    /// The collection time of the newest data.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        let when = self.bundles.iter().filter_map(|one| one.contents.when()).max();
        when.or_else(|| self.bundles.iter().filter_map(|one| one.when()).max())
    }

    /// The reports of a node, the newest first.
    pub(super) fn reports<'a>(
        &'a self,
        node: &'a NodeName,
    ) -> impl Iterator<Item = (&'a OpenBundle, &'a SosReport)> {
        let of = move |one: &'a Arc<OpenBundle>| {
            one.contents.reports.iter().filter(move |r| r.node == *node).map(move |r| (&**one, r))
        };
        let mut all: Vec<(&OpenBundle, &SosReport)> = self.bundles.iter().flat_map(of).collect();
        all.sort_by_key(|(_, report)| Reverse(report.when));
        all.into_iter()
    }

    /// The recorded commands of a node in must-gathers, the newest first.
    pub(super) fn gathered<'a>(
        &'a self,
        node: &'a NodeName,
    ) -> impl Iterator<Item = (&'a OpenBundle, &'a Gathered)> {
        let of = move |one: &'a Arc<OpenBundle>| {
            one.contents.gathered.iter().filter(move |g| g.node == *node).map(move |g| (&**one, g))
        };
        let mut all: Vec<(&OpenBundle, &Gathered)> = self.bundles.iter().flat_map(of).collect();
        all.sort_by_key(|(_, gathered)| Reverse(gathered.when));
        all.into_iter()
    }

    /// The files that contain a database, in the order in which they are tried.
    pub(super) fn candidates(&self, node: &NodeName, db: Db) -> &[DatabaseCopy] {
        self.databases.get(&(node.clone(), db)).map_or(&[], Vec::as_slice)
    }

    /// The files of the bundle that contains a candidate.
    pub(super) fn files(&self, candidate: &DatabaseCopy) -> &Files {
        &self.bundles.get(candidate.bundle).expect("an index of `bundles`").files
    }

    /// Opens the first undamaged copy of a database, or the first readable copy if all are damaged. The newest copy is
    /// the first, unless a collection is chosen.
    pub(super) fn database(
        &self,
        node: &NodeName,
        db: Db,
        choice: &CollectionChoice,
    ) -> Option<Result<FoundDatabase<'_>, ReadError>> {
        let (mut damaged, mut failed, mut notes) = (None, None, Vec::new());
        let mut candidates: Vec<&DatabaseCopy> = self.candidates(node, db).iter().collect();
        match choice {
            CollectionChoice::Newest => {}
            CollectionChoice::First(first) => candidates.sort_by_key(|copy| copy.collection != *first),
            CollectionChoice::Only(only) => candidates.retain(|copy| copy.collection == *only),
        }
        for (i, candidate) in candidates.iter().copied().enumerate() {
            match self.open_database(candidate) {
                Ok(database) if database.damage().is_none() => {
                    if contents::is_central(db, &database) {
                        notes.push(format!("{} {CENTRAL}", candidate.shown));
                    }
                    if database.is_edited() {
                        notes.push(format!("{} {EDITED}", candidate.shown));
                    }
                    let beside = candidates.iter().skip(i + 1).map(|copy| copy.not_read(choice)).collect();
                    return Some(Ok(FoundDatabase { database, candidate, notes, beside }));
                }
                Ok(database) => {
                    let damage = database.damage().map(|damage| chain(damage)).unwrap_or_default();
                    notes.push(format!("{} is damaged: {damage}", candidate.shown));
                    damaged = damaged.or(Some((database, candidate)));
                }
                Err(e) => {
                    notes.push(chain(&e));
                    failed = failed.or(Some(e));
                }
            }
        }
        match (damaged, failed) {
            (Some((database, candidate)), _) => {
                Some(Ok(FoundDatabase { database, candidate, notes, beside: Vec::new() }))
            }
            (None, Some(e)) => Some(Err(e)),
            (None, None) => None,
        }
    }

    /// Opens a database, or returns it if it is open.
    pub(super) fn open_database(&self, candidate: &DatabaseCopy) -> Result<Arc<Database>, ReadError> {
        // The lock is held while reading: a second question for the same file waits until the first has opened it.
        let mut opened = candidate.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(database) = opened.upgrade() {
            return Ok(database);
        }
        let bytes = self.files(candidate).read(&candidate.path)?;
        let database = contents::open(bytes).map_err(|e| ReadError::unreadable(&candidate.shown, e))?;
        let database = Arc::new(database);
        *opened = Arc::downgrade(&database);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(database.clone());
        while recent.len() > 1 && recent.iter().map(|d| d.file_len()).sum::<usize>() > RECENT {
            recent.pop_front();
        }
        Ok(database)
    }
}

impl DatabaseCopy {
    /// The note about a copy that is not read.
    fn not_read(&self, choice: &CollectionChoice) -> String {
        let when =
            self.when.map_or("of unknown time".into(), |t| t.strftime("of %Y-%m-%dT%H:%M:%SZ").to_string());
        let read = match choice {
            CollectionChoice::Newest => "the newest undamaged copy is read",
            _ => "the copy that was collected with the other data is read",
        };
        format!("not read: {}, {when}; {read}; pass `bundle` to choose another", self.shown)
    }
}

impl OpenBundle {
    /// The collection of a file: the sosreport whose folder contains it, or the must-gather.
    fn collection_of(&self, path: &str) -> Collection {
        let folders = self.contents.reports.iter().map(|report| report.root.as_str());
        let folder = folders.filter(|folder| path.starts_with(folder)).max_by_key(|folder| folder.len());
        self.collection(folder.unwrap_or_default())
    }

    /// The collection in a folder of the bundle.
    pub(super) fn collection(&self, folder: &str) -> Collection {
        Collection { bundle: self.files.name.clone(), folder: folder.into() }
    }

    /// The logs of containers. The first call searches for them.
    pub(super) fn containers(&self) -> &ContainerLogs {
        self.containers.get_or_init(|| Deadline::without(|| ContainerLogs::of_files(&self.files)))
    }

    /// The collection time of the bundle: the time of its newest part with a known time.
    pub(super) fn when(&self) -> Option<Timestamp> {
        self.contents.when().or_else(|| self.containers().newest(&self.files))
    }

    fn open(path: &std::path::Path, bounds: Bounds, meter: &ReadMeter) -> Result<Self, ReadError> {
        let files = Files::open(path, bounds, meter)?;
        let contents = Contents::of(&files);
        let one = Self { files, contents, containers: OnceLock::new() };
        let has_objects = || one.contents.central.is_none() && one.files.paths().any(objects::is_object);
        let is_packets = |path: &str| contents::is_capture(path) || contents::is_event_recording(path);
        let has_captures = || one.files.paths().any(is_packets);
        if !one.contents.is_empty() || !one.containers().is_empty() || has_objects() || has_captures() {
            return Ok(one);
        }
        let Self { files, contents, .. } = one;
        let mut why = match &contents.central {
            Some(file) => format!("{file} {CENTRAL}"),
            // A file that could not be understood explains more than the absence of other files.
            None if !contents.troubles.is_empty() => contents.troubles.join("; "),
            None if files.paths().next().is_none() => "it contains no files".into(),
            None => format!(
                "none of its {} files is an OVN or Open vSwitch database, a Kubernetes object, the output of a command or a \
                 capture of packets (.pcap, .pcapng, .cap); expected are the files of a must-gather of an interconnect cluster (network_logs/ovnk_database_store, \
                 namespaces), of a sosreport (sos_commands) or of kind logs (ovnnb_db.db)",
                files.paths().count()
            ),
        };
        let others = if contents.central.is_some() { contents.troubles } else { Vec::new() };
        for trouble in files.unfinished.iter().cloned().chain(files.troubles()).chain(others) {
            why = format!("{why}; {trouble}");
        }
        Err(ReadError::unreadable(path.display().to_string(), why))
    }
}

/// Lists the files of each database, the newest first: a replaced pod leaves its file behind, and the newest bundle
/// shows the latest state. Files of the same age keep the order in which their bundles were given.
fn candidates(bundles: &[Arc<OpenBundle>]) -> BTreeMap<(NodeName, Db), Vec<DatabaseCopy>> {
    let mut databases = BTreeMap::<_, Vec<DatabaseCopy>>::new();
    for (bundle, one) in bundles.iter().enumerate() {
        let OpenBundle { files, contents, .. } = &**one;
        let mut stored: Vec<_> = contents.databases.iter().collect();
        stored.sort_by(|a, b| a.path.cmp(&b.path));
        for stored in stored {
            let shown = if bundles.len() == 1 {
                stored.shown.clone()
            } else {
                format!("{} in {}", stored.shown, files.name)
            };
            databases.entry((stored.node.clone(), stored.db)).or_default().push(DatabaseCopy {
                bundle,
                path: stored.path.clone(),
                shown,
                when: stored.when,
                collection: one.collection_of(&stored.path),
                opened: Mutex::default(),
            });
        }
    }
    databases.values_mut().for_each(|copies| copies.sort_by_key(|copy| Reverse(copy.when)));
    databases
}
