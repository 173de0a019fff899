//! Bundles taken together as one cluster.

use super::{
    contents::{self, Contents, Gathered, Report},
    files::{Bounds, Files, Meter},
    join,
    logs::Containers,
    objects::{self, Lazy, Objects},
};
use crate::{Db, Deadline, NodeName, backend::ReadError, error::chain};
use jiff::Timestamp;
use ovsdb::Database;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, VecDeque},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

/// The bundles, and which of them answers for what.
pub(super) struct Cluster {
    pub(super) bundles: Vec<Arc<One>>,
    databases: BTreeMap<(NodeName, Db), Vec<Candidate>>,
    /// What does not fit together, or could not be opened: said with every answer.
    pub(super) notes: Vec<String>,
    recent: Mutex<VecDeque<Arc<Database>>>,
    objects: Lazy,
}

/// One bundle.
pub(super) struct One {
    pub(super) files: Files,
    pub(super) contents: Contents,
    containers: OnceLock<Containers>,
}

/// A file that holds a database of a node. The first whole file of several is read.
pub(super) struct Candidate {
    bundle: usize,
    path: String,
    /// As an answer names it.
    pub(super) shown: String,
    pub(super) when: Option<Timestamp>,
    opened: Mutex<Weak<Database>>,
}

/// A database and what to say about it.
pub(super) struct Found<'a> {
    pub(super) database: Arc<Database>,
    pub(super) candidate: &'a Candidate,
    /// What is odd about it.
    pub(super) notes: Vec<String>,
    /// The copies that are not read.
    pub(super) beside: Vec<String>,
}

/// What is said of a database that is not of one zone.
pub(super) const CENTRAL: &str = "is of a cluster in central mode, with one database for all nodes; only interconnect mode, with a \
                                  zone for each node, is supported";

/// What is said of a database that `sos clean` went through.
pub(super) const EDITED: &str = "was edited by `sos clean`: its addresses, names and checksums are not those of the cluster, and \
                                 what it calls the same may differ from report to report";

/// Databases that stay open when nobody reads them: so many bytes of files.
const RECENT: usize = 1 << 30;

impl Cluster {
    /// Opens bundles. One that cannot be read does not keep the others from answering.
    pub(super) fn open(paths: &[PathBuf], bounds: Bounds, meter: &Meter) -> Result<Self, ReadError> {
        meter.begin(paths);
        let (mut bundles, mut notes, mut first) = (Vec::new(), Vec::new(), None);
        for path in paths {
            match One::open(path, bounds, meter) {
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
        let bundles: Vec<Arc<One>> = bundles.into_iter().map(Arc::new).collect();
        let databases = candidates(&bundles);
        Ok(Self { bundles, databases, notes, recent: Mutex::default(), objects: Lazy::default() })
    }

    /// A view of one bundle only. Its nodes keep the names that they have among all bundles.
    pub(super) fn only(&self, bundle: usize) -> Option<Self> {
        let bundles = vec![self.bundles.get(bundle)?.clone()];
        Some(Self {
            databases: candidates(&bundles),
            bundles,
            notes: self.notes.clone(),
            recent: Mutex::default(),
            objects: Lazy::default(),
        })
    }

    /// The bundles and their indices, the newest first. Bundles of the same age or of unknown age stay in the order in
    /// which they were given.
    pub(super) fn newest_first(&self) -> Vec<(usize, &One)> {
        let mut all: Vec<(usize, &One)> = self.bundles.iter().map(|one| &**one).enumerate().collect();
        all.sort_by_key(|(_, one)| Reverse(one.when()));
        all
    }

    /// Kubernetes objects.
    pub(super) fn objects(&self) -> Arc<Objects> {
        self.objects.get(&self.bundles)
    }

    /// The nodes that any file names: by a database, a report, recorded commands, logs, or the node's object alone. A node of
    /// which nothing else was collected is in the cluster nevertheless.
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

    /// When what was collected last was collected.
    pub(super) fn as_of(&self) -> Option<Timestamp> {
        let when = self.bundles.iter().filter_map(|one| one.contents.when()).max();
        when.or_else(|| self.bundles.iter().filter_map(|one| one.when()).max())
    }

    /// The reports of a node, the newest first.
    pub(super) fn reports<'a>(&'a self, node: &'a NodeName) -> impl Iterator<Item = (&'a One, &'a Report)> {
        let of = move |one: &'a Arc<One>| {
            one.contents.reports.iter().filter(move |r| r.node == *node).map(move |r| (&**one, r))
        };
        let mut all: Vec<(&One, &Report)> = self.bundles.iter().flat_map(of).collect();
        all.sort_by_key(|(_, report)| Reverse(report.when));
        all.into_iter()
    }

    /// What must-gathers keep of commands that were run on a node, the newest first.
    pub(super) fn gathered<'a>(
        &'a self,
        node: &'a NodeName,
    ) -> impl Iterator<Item = (&'a One, &'a Gathered)> {
        let of = move |one: &'a Arc<One>| {
            one.contents.gathered.iter().filter(move |g| g.node == *node).map(move |g| (&**one, g))
        };
        let mut all: Vec<(&One, &Gathered)> = self.bundles.iter().flat_map(of).collect();
        all.sort_by_key(|(_, gathered)| Reverse(gathered.when));
        all.into_iter()
    }

    /// The files that hold a database, the one that counts first.
    pub(super) fn candidates(&self, node: &NodeName, db: Db) -> &[Candidate] {
        self.databases.get(&(node.clone(), db)).map_or(&[], Vec::as_slice)
    }

    /// The files of a candidate.
    pub(super) fn files(&self, candidate: &Candidate) -> &Files {
        &self.bundles.get(candidate.bundle).expect("an index of `bundles`").files
    }

    /// The newest whole copy of a database; if no copy is whole, the newest that can be read at all.
    pub(super) fn database(&self, node: &NodeName, db: Db) -> Option<Result<Found<'_>, ReadError>> {
        let (mut damaged, mut failed, mut notes) = (None, None, Vec::new());
        let candidates = self.candidates(node, db);
        for (i, candidate) in candidates.iter().enumerate() {
            match self.open_database(candidate) {
                Ok(database) if database.damage().is_none() => {
                    if contents::is_central(db, &database) {
                        notes.push(format!("{} {CENTRAL}", candidate.shown));
                    }
                    if database.is_edited() {
                        notes.push(format!("{} {EDITED}", candidate.shown));
                    }
                    let beside = candidates.iter().skip(i + 1).map(Candidate::not_read).collect();
                    return Some(Ok(Found { database, candidate, notes, beside }));
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
                Some(Ok(Found { database, candidate, notes, beside: Vec::new() }))
            }
            (None, Some(e)) => Some(Err(e)),
            (None, None) => None,
        }
    }

    /// Opens a database, or gives the one that is open.
    pub(super) fn open_database(&self, candidate: &Candidate) -> Result<Arc<Database>, ReadError> {
        // Held while reading: a second question for the same file waits for the first to open it.
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

impl Candidate {
    /// What is said of a copy where another is read.
    fn not_read(&self) -> String {
        let when =
            self.when.map_or("of unknown time".into(), |t| t.strftime("of %Y-%m-%dT%H:%M:%SZ").to_string());
        format!(
            "not read: {}, {when}; the newest whole copy is read, and the parameter `bundle` chooses another",
            self.shown
        )
    }
}

impl One {
    /// The logs of containers. Looked for when first asked.
    pub(super) fn containers(&self) -> &Containers {
        self.containers.get_or_init(|| Deadline::without(|| Containers::of_files(&self.files)))
    }

    /// When the bundle was collected: the time of its newest part that has a known time.
    pub(super) fn when(&self) -> Option<Timestamp> {
        self.contents.when().or_else(|| self.containers().newest(&self.files))
    }

    fn open(path: &std::path::Path, bounds: Bounds, meter: &Meter) -> Result<Self, ReadError> {
        let files = Files::open(path, bounds, meter)?;
        let contents = Contents::of(&files);
        let one = Self { files, contents, containers: OnceLock::new() };
        let has_objects = || one.contents.central.is_none() && one.files.paths().any(objects::is_object);
        if !one.contents.is_empty() || !one.containers().is_empty() || has_objects() {
            return Ok(one);
        }
        let Self { files, contents, .. } = one;
        let mut why = match &contents.central {
            Some(file) => format!("{file} {CENTRAL}"),
            // What could not be understood says more than that there is nothing else.
            None if !contents.troubles.is_empty() => contents.troubles.join("; "),
            None => format!(
                "none of its {} files is a database of OVN or Open vSwitch, a Kubernetes object or the output of a command, \
                 as a must-gather of an interconnect cluster (network_logs/ovnk_database_store, namespaces), a sosreport \
                 (sos_commands) or kind logs (ovnnb_db.db) have them",
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

/// The files of each database, the newest first: a replaced pod leaves its file behind, and the newest bundle shows the
/// present state. Files of the same age stay in the order in which their bundles were given.
fn candidates(bundles: &[Arc<One>]) -> BTreeMap<(NodeName, Db), Vec<Candidate>> {
    let mut databases = BTreeMap::<_, Vec<Candidate>>::new();
    for (bundle, one) in bundles.iter().enumerate() {
        let One { files, contents, .. } = &**one;
        let mut stored: Vec<_> = contents.databases.iter().collect();
        stored.sort_by(|a, b| a.path.cmp(&b.path));
        for stored in stored {
            let shown = if bundles.len() == 1 {
                stored.shown.clone()
            } else {
                format!("{} in {}", stored.shown, files.name)
            };
            databases.entry((stored.node.clone(), stored.db)).or_default().push(Candidate {
                bundle,
                path: stored.path.clone(),
                shown,
                when: stored.when,
                opened: Mutex::default(),
            });
        }
    }
    databases.values_mut().for_each(|copies| copies.sort_by_key(|copy| Reverse(copy.when)));
    databases
}
