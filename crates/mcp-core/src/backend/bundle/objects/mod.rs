//! Kubernetes objects in bundles, as `oc adm inspect` writes them.
//!
//! [`place`] knows what each path holds, [`read`] parses objects, [`collect`] holds what a query has read, and
//! [`kinds`] knows the names of kinds. A file is read when a question needs it, and the most recently read files are
//! cached ([`remember`]).

mod collect;
mod kinds;
mod place;
mod read;
mod remember;

use super::cluster::{BundledCluster, OpenBundle};
use crate::{
    Deadline, ObjectKind, ObjectQuery,
    backend::{Extent, Origin, ReadError, ReadValue},
    error::chain,
    kubernetes::leave_out,
};
use collect::{CollectedObjects, ENTRY, UNREAD, weight};
use jiff::Timestamp;
use remember::ObjectCache;
use serde_json::Value;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, OnceLock},
};

pub(super) use kinds::is_discovery;
pub(crate) use read::each;
pub(super) use read::typed;

/// Returns true if a file of this name contains objects.
pub(super) fn is_object(path: &str) -> bool {
    place::of(path).is_some()
}

/// The files with objects in all bundles.
pub(super) struct Objects {
    /// The files by API group and plural.
    files: BTreeMap<(String, String), Vec<ObjectFile>>,
    /// The collection time of each bundle.
    times: Vec<Option<Timestamp>>,
    kinds: OnceLock<Vec<ObjectKind>>,
    remembered: ObjectCache,
}

/// A file with one object or a list of objects.
struct ObjectFile {
    bundle: usize,
    path: String,
    namespace: Option<String>,
    name: Option<String>,
}

/// The answer to a query.
pub(super) enum ObjectLookup {
    Read(ReadValue<Vec<Value>>),
    /// Nothing was collected: the reason, and what was collected instead.
    NotHeld {
        why: Option<String>,
        instead: Vec<String>,
    },
}

impl Objects {
    /// Finds the files by their names.
    pub(super) fn of(bundles: &[Arc<OpenBundle>]) -> Self {
        let mut files = BTreeMap::<_, Vec<ObjectFile>>::new();
        for (bundle, one) in bundles.iter().enumerate() {
            for path in one.files.paths() {
                if let Some(place) = place::of(path) {
                    let file = ObjectFile {
                        bundle,
                        path: path.to_owned(),
                        namespace: place.namespace.map(str::to_owned),
                        name: place.name.map(str::to_owned),
                    };
                    files.entry((place.group.to_owned(), place.plural.to_owned())).or_default().push(file);
                }
            }
        }
        // A file with a single object was written after the list that also contains the object. The file is read first,
        // and the first copy of an object counts.
        files.values_mut().for_each(|all| all.sort_by_key(|file| (file.bundle, file.name.is_none())));
        let times = bundles.iter().map(|one| collected(one)).collect();
        Self { files, times, kinds: OnceLock::new(), remembered: ObjectCache::default() }
    }

    /// The kinds of objects that the cluster has, collected or not.
    pub(super) fn kinds(&self, bundles: &[Arc<OpenBundle>]) -> Result<ReadValue<Vec<ObjectKind>>, ReadError> {
        let value = match self.kinds.get() {
            Some(kinds) => kinds.clone(),
            None => {
                let kinds = kinds::all(bundles, self);
                // A search that ran out of time is not kept, because kinds may be missing.
                Deadline::current()
                    .check()
                    .map_err(|over| over.stopped("the search for kinds of objects"))?;
                self.kinds.get_or_init(|| kinds).clone()
            }
        };
        let when = self.times.iter().flatten().max().copied();
        Ok(ReadValue { value, origin: Origin::new("kinds of objects", when), notes: Vec::new() })
    }

    /// Returns the objects that match a query, sorted by namespace and name.
    pub(super) fn find(
        &self,
        cluster: &BundledCluster,
        query: &ObjectQuery,
    ) -> Result<ObjectLookup, ReadError> {
        let kind = &query.kind;
        let Some(all) = self.files.get(&(kind.group.clone(), kind.plural.clone())) else {
            return Ok(ObjectLookup::NotHeld { why: None, instead: self.collected() });
        };
        let wanted = query.namespace.as_ref().map(|namespace| namespace.as_str());
        let of_namespace = |file: &&ObjectFile| match (wanted, file.namespace.as_deref()) {
            (Some(wanted), Some(namespace)) => wanted == namespace,
            _ => true,
        };
        let files: Vec<&ObjectFile> = all.iter().filter(of_namespace).collect();
        if files.is_empty() {
            let namespaces: BTreeSet<_> = all.iter().filter_map(|file| file.namespace.as_deref()).collect();
            let wanted = wanted.unwrap_or_default();
            return Ok(ObjectLookup::NotHeld {
                why: Some(format!("nothing was collected from namespace {wanted}")),
                instead: ovsdb::nearest_first(wanted, namespaces.into_iter()),
            });
        }
        let (files, other) = self.one_bundle_each(files);
        let collected = extent(kind, wanted.is_some(), &files);
        let mut picked = CollectedObjects::default();
        let files = self.worth_reading(files, query);
        let mut left = files.iter();
        for &file in left.by_ref() {
            self.pick(cluster, file, query, &mut picked);
            if picked.full {
                break;
            }
        }
        picked.say_what_is_missing(left.len());
        if picked.read.is_empty()
            && let Some(error) = picked.error
        {
            return Err(error);
        }
        let value = picked.objects.into_values().flatten().collect();
        let when = picked.read.iter().filter_map(|file| *self.times.get(file.bundle)?).max();
        let mut notes = picked.notes;
        notes.extend(not_read(cluster, kind, &picked.read, &other));
        if wanted.is_none() && query.name.is_none() {
            notes.extend(self.open_end(kind, all));
        }
        notes.extend(cluster.notes.iter().cloned());
        let extent = match (picked.is_damaged, picked.full) {
            (true, _) => Extent::Damaged,
            (false, true) => Extent::Part,
            (false, false) => collected,
        };
        let origin = Origin::new(shown(cluster, kind, &picked.read), when).with_extent(extent);
        // Data from several bundles has no single bundle as its origin.
        let bundles: BTreeSet<usize> = picked.read.iter().map(|file| file.bundle).collect();
        let only = bundles.first().filter(|_| bundles.len() == 1).and_then(|at| cluster.bundles.get(*at));
        let origin = match only {
            Some(one) => origin.in_bundle(&one.files.name),
            None => origin,
        };
        Ok(ObjectLookup::Read(ReadValue { value, origin, notes }))
    }

    /// Chooses one bundle for each namespace, because the union of two lists from different times shows a state that
    /// never existed. A bundle with a list wins over a bundle with single objects; among those, the newest wins. Also
    /// returns the bundles that are left out.
    fn one_bundle_each<'a>(&self, files: Vec<&'a ObjectFile>) -> (Vec<&'a ObjectFile>, BTreeSet<usize>) {
        let mut best = BTreeMap::<Option<&str>, _>::new();
        for file in &files {
            let time = self.times.get(file.bundle).copied().flatten();
            let rank = (file.name.is_none(), time, Reverse(file.bundle));
            let best = best.entry(file.namespace.as_deref()).or_insert(rank);
            *best = rank.max(*best);
        }
        let is_best = |file: &&ObjectFile| {
            best.get(&file.namespace.as_deref()).is_some_and(|(.., Reverse(bundle))| *bundle == file.bundle)
        };
        let (read, other): (Vec<_>, Vec<_>) = files.into_iter().partition(is_best);
        (read, other.into_iter().map(|file| file.bundle).collect())
    }

    /// Drops the files that cannot contain the object. For one object, its own file is enough.
    fn worth_reading<'a>(&self, files: Vec<&'a ObjectFile>, query: &ObjectQuery) -> Vec<&'a ObjectFile> {
        let Some(name) = &query.name else { return files };
        let may = |file: &&ObjectFile| file.name.as_deref().is_none_or(|own| own == name.as_str());
        let files: Vec<_> = files.into_iter().filter(may).collect();
        let one_place = query.namespace.is_some() || !query.kind.namespaced;
        match files.iter().find(|file| file.name.is_some()) {
            Some(own) if one_place => vec![own],
            _ => files,
        }
    }

    fn pick<'a>(
        &self,
        cluster: &BundledCluster,
        file: &'a ObjectFile,
        query: &ObjectQuery,
        picked: &mut CollectedObjects<'a>,
    ) {
        let Some(one) = cluster.bundles.get(file.bundle) else { return };
        let most = one.files.most_of_objects();
        let mut memory = Deadline::current().reserve();
        let enough = picked.expect(one.files.size(&file.path).unwrap_or_default(), &mut memory);
        let mut take = |object: &Value| {
            if !picked.fit(most, &mut memory) {
                return;
            }
            let text = |path| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            let key = (text("/metadata/namespace"), text("/metadata/name"));
            // An object that does not match is remembered too, because another copy of it, from another time, does not
            // count.
            if let std::collections::btree_map::Entry::Vacant(vacant) = picked.objects.entry(key) {
                picked.bytes += (vacant.key().0.len() + vacant.key().1.len()) as u64 + ENTRY;
                vacant.insert(query.matches(object).then(|| {
                    let mut object = object.clone();
                    leave_out(&mut object, query.without);
                    picked.bytes += weight(&object);
                    object
                }));
            }
        };
        let read = match enough {
            Ok(()) => self.remembered.each(file.bundle, &file.path, &query.kind, &one.files, &mut take),
            Err(no) => Err(ReadError::unreadable(format!("{} in {}", file.path, one.files.name), no)),
        };
        memory.keep();
        match read {
            Ok(notes) => {
                // The only notes about a file say that it is damaged.
                picked.is_damaged |= !notes.is_empty();
                picked.notes.extend(notes);
                picked.read.push(file);
            }
            Err(error) => {
                picked.is_damaged = true;
                picked.unread += 1;
                if picked.unread <= UNREAD {
                    picked.notes.push(chain(&error));
                }
                picked.error = picked.error.take().or(Some(error));
            }
        }
    }

    /// A note that the collection may lack namespaces or objects.
    fn open_end(&self, kind: &ObjectKind, files: &[ObjectFile]) -> Option<String> {
        /// A longer list of names does not help the reader.
        const NAMES: usize = 12;
        if kind.group.is_empty() && ["namespaces", "nodes"].contains(&kind.plural.as_str()) {
            return None;
        }
        let namespaces = |files: &[ObjectFile]| -> BTreeSet<String> {
            files.iter().filter_map(|file| file.namespace.clone()).collect()
        };
        let own = namespaces(files);
        if own.is_empty() {
            // `oc adm inspect` writes whole kinds as lists, and single objects that another object refers to.
            let singly = files.iter().all(|file| file.name.is_some());
            return singly.then(|| format!("only individual {kind} were collected, so there may be others"));
        }
        let shown: Vec<_> = own.iter().take(NAMES).map(String::as_str).collect();
        let more = own.len().saturating_sub(NAMES);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let all = self.files.values().flat_map(|files| namespaces(files)).collect::<BTreeSet<_>>();
        let shown = shown.join(", ");
        Some(if own == all {
            format!("only these namespaces were collected: {shown}{more}")
        } else {
            format!("{kind} were collected only in these namespaces: {shown}{more}")
        })
    }

    /// The kinds that were collected, as `plural.group`.
    fn collected(&self) -> Vec<String> {
        let name = |(group, plural): &(String, String)| match group.as_str() {
            "" => plural.clone(),
            group => format!("{plural}.{group}"),
        };
        self.files.keys().map(name).collect()
    }

    /// The groups and plurals that were collected.
    fn resources(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.keys().map(|(group, plural)| (group.as_str(), plural.as_str()))
    }

    /// An object of a kind whose names are otherwise unknown, and whether the object is in a namespace.
    fn example(&self, bundles: &[Arc<OpenBundle>], group: &str, plural: &str) -> Option<(Value, bool)> {
        let files = self.files.get(&(group.to_owned(), plural.to_owned()))?;
        files.iter().find_map(|file| {
            let mut first = None;
            let bytes = bundles.get(file.bundle)?.files.read_small(&file.path)?;
            _ = read::each(&bytes, |object| first = first.take().or(Some(object)));
            Some((first?, file.namespace.is_some()))
        })
    }

    /// The CustomResourceDefinitions in the bundles.
    fn definitions(&self, bundles: &[Arc<OpenBundle>]) -> Vec<Value> {
        let key = ("apiextensions.k8s.io".to_owned(), "customresourcedefinitions".to_owned());
        let mut all = Vec::new();
        for file in self.files.get(&key).into_iter().flatten() {
            let bytes = bundles.get(file.bundle).and_then(|one| one.files.read_small(&file.path));
            _ = bytes.map(|bytes| read::each(&bytes, |object| all.push(object)));
        }
        all
    }
}

/// How complete the files are. A list contained all objects at that time. Single objects are only a part, and lists of
/// single namespaces do not show other namespaces.
fn extent(kind: &ObjectKind, of_namespace: bool, files: &[&ObjectFile]) -> Extent {
    let is_whole = |file: &&ObjectFile| {
        file.name.is_none() && (of_namespace || !kind.namespaced || file.namespace.is_none())
    };
    if files.iter().any(is_whole) { Extent::Whole } else { Extent::Part }
}

/// The note about bundles with objects of the kind that were not read.
fn not_read(
    cluster: &BundledCluster,
    kind: &ObjectKind,
    read: &[&ObjectFile],
    other: &BTreeSet<usize>,
) -> Option<String> {
    let name = |at: &usize| Some(cluster.bundles.get(*at)?.files.name.clone());
    let other: Vec<String> = other.iter().filter_map(name).collect();
    let read: BTreeSet<usize> = read.iter().map(|file| file.bundle).collect();
    let read: Vec<String> = read.iter().filter_map(name).collect();
    (!other.is_empty() && !read.is_empty()).then(|| {
        let other = other.join(", ");
        format!(
            "{kind} are read from {}: each namespace is read from the newest bundle that has a list of it. Not \
             read: {other}; pass `bundle` to choose a bundle",
            read.join(", ")
        )
    })
}

/// Names the files for an answer, without the leading folders that are named after the collection.
fn shown(cluster: &BundledCluster, kind: &ObjectKind, files: &[&ObjectFile]) -> String {
    let below = |path: &str| {
        let at = ["cluster-scoped-resources/", "namespaces/"].iter().filter_map(|top| path.find(top)).min();
        at.and_then(|at| path.get(at..)).unwrap_or(path).to_owned()
    };
    let what = match files {
        [one] => below(&one.path),
        _ => format!("{} files of {kind}", files.len()),
    };
    let bundles: BTreeSet<usize> = files.iter().map(|file| file.bundle).collect();
    let names: Vec<_> =
        bundles.iter().filter_map(|at| Some(cluster.bundles.get(*at)?.files.name.clone())).collect();
    if cluster.bundles.len() == 1 { what } else { format!("{what} in {}", names.join(" and ")) }
}

/// The collection time of a bundle: the last time in its `timestamp` files, or the modification time of its newest
/// object.
fn collected(one: &OpenBundle) -> Option<Timestamp> {
    let files = &one.files;
    let told = files.paths().filter(|path| path.rsplit('/').next() == Some("timestamp"));
    let told = told.filter_map(|path| {
        let bytes = files.read_small(path)?;
        String::from_utf8_lossy(&bytes).lines().filter_map(time_of_go).max()
    });
    let written =
        || files.paths().filter(|path| is_object(path)).filter_map(|path| files.modified(path)).max();
    told.max().or_else(written)
}

/// Parses a time as Go prints it: `2026-11-22 08:34:55.535425953 +0000 UTC m=+0.400717961`.
fn time_of_go(line: &str) -> Option<Timestamp> {
    let mut words = line.split_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    Timestamp::strptime("%Y-%m-%d %H:%M:%S%.f %z", format!("{date} {time} {zone}")).ok()
}

/// The objects of a cluster, indexed at the first use.
#[derive(Default)]
pub(super) struct LazyObjects(OnceLock<Arc<Objects>>);

impl LazyObjects {
    pub(super) fn get(&self, bundles: &[Arc<OpenBundle>]) -> Arc<Objects> {
        self.0.get_or_init(|| Arc::new(Deadline::without(|| Objects::of(bundles)))).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::bundle::files::{Bounds, ReadMeter};
    use std::fmt::Write as _;

    fn pods() -> ObjectQuery {
        let kind = ObjectKind {
            version: "v1".into(),
            kind: "Pod".into(),
            plural: "pods".into(),
            ..ObjectKind::default()
        };
        ObjectQuery::all(ObjectKind { namespaced: true, ..kind })
    }

    fn found(files: &[(String, String)], bounds: Bounds) -> Result<ReadValue<Vec<Value>>, ReadError> {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let cluster = BundledCluster::open(&[dir.path().to_owned()], bounds, &ReadMeter::default()).unwrap();
        match cluster.objects().find(&cluster, &pods())? {
            ObjectLookup::Read(read) => Ok(read),
            ObjectLookup::NotHeld { .. } => panic!("nothing was collected"),
        }
    }

    fn list(namespace: usize, pods: usize) -> (String, String) {
        let mut text = "items:\n".to_owned();
        for pod in 0..pods {
            _ = writeln!(text, "- metadata: {{namespace: n{namespace}, name: p{pod}}}");
        }
        (format!("namespaces/n{namespace}/core/pods.yaml"), text)
    }

    #[test]
    fn an_answer_has_a_limit_for_the_size_of_its_objects() {
        let files: Vec<_> = (0..5).map(|namespace| list(namespace, 100)).collect();
        let bounds = Bounds { objects: 50_000, ..Bounds::default() };
        let read = found(&files, bounds).unwrap();
        assert!((50..200).contains(&read.value.len()), "{}", read.value.len());
        assert!(read.value.iter().map(weight).sum::<u64>() < 51_000);
        let note = read.notes.iter().find(|note| note.contains("more objects than fit in memory")).unwrap();
        assert!(note.contains("and 4 more files") || note.contains("and 3 more files"), "{note}");
        assert_eq!(found(&files, Bounds::default()).unwrap().value.len(), 500);
        let bounds = Bounds { objects: 1_000, ..Bounds::default() };
        assert!(matches!(found(&files, bounds), Err(ReadError::TooLarge { limit: 1_000, .. })));
    }

    #[test]
    fn unreadable_files_are_counted_instead_of_listed() {
        let bad = |n| (format!("namespaces/n{n}/core/pods.yaml"), "items: [".to_owned());
        let files: Vec<_> = (1..2_000).map(bad).chain([list(0, 1)]).collect();
        let read = found(&files, Bounds::default()).unwrap();
        assert_eq!(read.value.len(), 1);
        assert!(read.notes.len() < 20, "{}", read.notes.len());
        assert!(
            read.notes.iter().any(|note| note == "1987 more files could not be read"),
            "{:?}",
            read.notes
        );
    }

    #[test]
    fn times_are_parsed_as_go_prints_them() {
        let time = |line| time_of_go(line).map(|time| time.to_string());
        assert_eq!(
            time("2026-11-22 08:34:55.535425953 +0000 UTC m=+0.400717961").as_deref(),
            Some("2026-11-22T08:34:55.535425953Z")
        );
        assert_eq!(time("2026-11-22 03:34:55 -0500 EST m=+1").as_deref(), Some("2026-11-22T08:34:55Z"));
        assert_eq!(time("2026-11-22T08:34:54"), None);
    }
}
