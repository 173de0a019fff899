//! Stores the objects of the cluster by kind.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::Result;
use super::recorded::Recording;

/// The namespace and the name of an object. The namespace is empty for cluster-scoped objects.
pub(super) type Key = (String, String);

/// A kind with its objects.
#[derive(Clone, Debug)]
pub(super) struct Resource {
    /// The group and version: `v1` or `apps/v1`.
    pub(super) group_version: String,
    /// The name of the kind: `Pod`.
    pub(super) kind: String,
    /// Whether objects in lists have their kind and apiVersion, as custom resources do.
    pub(super) custom: bool,
    /// The columns of the recorded table, if there is one.
    pub(super) columns: Vec<Value>,
    /// The cells of recorded rows.
    pub(super) cells: BTreeMap<Key, Value>,
    /// The objects.
    pub(super) objects: BTreeMap<Key, Value>,
}

/// The objects of all kinds.
pub(super) struct Store {
    resources: BTreeMap<(String, String), Resource>,
    version: u64,
    /// The changes since the start of the server, for watches.
    history: Vec<ObjectChange>,
    /// Notifies watches of new changes.
    changed: watch::Sender<u64>,
}

/// A change of an object.
#[derive(Clone, Debug)]
pub(super) struct ObjectChange {
    pub(super) version: u64,
    /// The group with version, and the plural name of the kind.
    pub(super) of: (String, String),
    /// The type of the change: `ADDED`, `MODIFIED`, `DELETED`.
    pub(super) how: &'static str,
    pub(super) object: Value,
}

impl Store {
    /// Creates a store with every kind in the discovery documents and all recorded objects.
    pub(super) fn new(recorded: &Recording) -> Result<Self> {
        let mut resources = BTreeMap::new();
        for document in ["discovery-api.json", "discovery-apis.json"] {
            let document = recorded.file(document)?;
            for group in list(&document, "items") {
                for version in list(group, "versions") {
                    let group = group.pointer("/metadata/name").map_or("", text);
                    let number = version.get("version").map_or("", text);
                    let group_version =
                        if group.is_empty() { number.to_owned() } else { format!("{group}/{number}") };
                    for resource in list(version, "resources") {
                        let plural = resource.get("resource").map_or("", text).to_owned();
                        resources.insert(
                            (group_version.clone(), plural),
                            Resource {
                                group_version: group_version.clone(),
                                kind: resource.pointer("/responseKind/kind").map_or("", text).into(),
                                custom: false,
                                columns: Vec::new(),
                                cells: BTreeMap::new(),
                                objects: BTreeMap::new(),
                            },
                        );
                    }
                }
            }
        }
        let mut store = Self { resources, version: 0, history: Vec::new(), changed: watch::channel(0).0 };
        for kind in recorded.kinds()? {
            let version =
                kind.list.pointer("/metadata/resourceVersion").map_or("", text).parse().unwrap_or(0);
            store.version = store.version.max(version);
            let resource = store
                .resources
                .get_mut(&(kind.group_version.clone(), kind.plural.clone()))
                .ok_or_else(|| format!("{} is recorded but missing in discovery", kind.plural))?;
            resource.custom = list(&kind.list, "items").any(|object| object.get("kind").is_some());
            resource.objects =
                list(&kind.list, "items").map(|object| (key(object), object.clone())).collect();
            resource.columns = list(&kind.table, "columnDefinitions").cloned().collect();
            let row = |row: &Value| Some((key(row.get("object")?), row.get("cells")?.clone()));
            resource.cells = list(&kind.table, "rows").filter_map(row).collect();
        }
        Ok(store)
    }

    /// Returns a kind by its group, version and plural name.
    pub(super) fn resource(&self, group_version: &str, plural: &str) -> Option<&Resource> {
        self.resources.get(&(group_version.to_owned(), plural.to_owned()))
    }

    /// Returns a kind, which the caller may change.
    pub(super) fn resource_mut(&mut self, group_version: &str, plural: &str) -> Option<&mut Resource> {
        self.resources.get_mut(&(group_version.to_owned(), plural.to_owned()))
    }

    /// Returns all kinds, which the caller may change.
    pub(super) fn resources_mut(&mut self) -> impl Iterator<Item = &mut Resource> {
        self.resources.values_mut()
    }

    /// Returns an object of the core group.
    pub(super) fn core(&self, plural: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.resource("v1", plural)?.objects.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// Returns the resource version of the store.
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// Adds or replaces an object. Returns the stored object, or `None` if the kind does not exist.
    pub(super) fn put(&mut self, group_version: &str, plural: &str, mut object: Value) -> Option<Value> {
        self.version += 1;
        let version = self.version;
        let resource = self.resource_mut(group_version, plural)?;
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".into(), version.to_string().into());
        }
        if let (false, Some(object)) = (resource.custom, object.as_object_mut()) {
            // The recorded objects have no kind either, because their list names it.
            object.retain(|key, _| key != "kind" && key != "apiVersion");
        }
        let key = key(&object);
        resource.cells.remove(&key);
        let whole = resource.whole(&object);
        let how = if resource.objects.insert(key, object).is_some() { "MODIFIED" } else { "ADDED" };
        self.happened(group_version, plural, how, whole.clone());
        Some(whole)
    }

    /// Removes and returns an object.
    pub(super) fn remove(&mut self, group_version: &str, plural: &str, key: &Key) -> Option<Value> {
        self.version += 1;
        let resource = self.resource_mut(group_version, plural)?;
        let object = resource.objects.remove(key)?;
        let whole = resource.whole(&object);
        self.happened(group_version, plural, "DELETED", whole.clone());
        Some(whole)
    }

    /// Returns the changes after a version, and a receiver that is notified of later changes.
    pub(super) fn since(&self, version: u64) -> (Vec<ObjectChange>, watch::Receiver<u64>) {
        let changes = self.history.iter().filter(|change| change.version > version).cloned().collect();
        (changes, self.changed.subscribe())
    }

    fn happened(&mut self, group_version: &str, plural: &str, how: &'static str, object: Value) {
        let of = (group_version.to_owned(), plural.to_owned());
        self.history.push(ObjectChange { version: self.version, of, how, object });
        self.changed.send_replace(self.version);
    }
}

impl Resource {
    /// Returns an object with its kind and apiVersion.
    pub(super) fn whole(&self, object: &Value) -> Value {
        let mut whole = Map::new();
        whole.insert("kind".into(), self.kind.clone().into());
        whole.insert("apiVersion".into(), self.group_version.clone().into());
        for (key, value) in object.as_object().into_iter().flatten() {
            whole.insert(key.clone(), value.clone());
        }
        Value::Object(whole)
    }

    /// Returns a list object with the given objects.
    pub(super) fn list(&self, objects: Vec<Value>, metadata: Value) -> Value {
        json!({
            "kind": format!("{}List", self.kind),
            "apiVersion": self.group_version,
            "metadata": metadata,
            "items": objects,
        })
    }
}

/// Returns the key of an object, which identifies it within its kind.
pub(super) fn key(object: &Value) -> Key {
    let part = |name: &str| object.pointer(&format!("/metadata/{name}")).map_or("", text).to_owned();
    (part("namespace"), part("name"))
}

/// Returns the elements of a list in an object, or nothing if the list is absent.
pub(super) fn list<'a>(object: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    object.get(key).and_then(Value::as_array).into_iter().flatten()
}

/// Returns a text, or an empty text if the value is not a text.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
