//! The objects that a check compares, and where they are complete.

use crate::{ClusterReader, Extent, Namespace, ObjectQuery, ToolError, UnreadFields};
use serde_json::Value;
use std::collections::BTreeSet;

/// The objects of a kind that a source has.
///
/// A must-gather has the objects of some namespaces. An object that is not listed does not exist only where the
/// collection was complete.
#[derive(Clone, Debug, Default)]
pub struct CollectedKind {
    /// The objects, sorted by namespace and name.
    pub objects: Vec<Value>,
    /// The namespaces of which all objects were collected. `None` if all objects of the cluster were.
    whole: Option<BTreeSet<String>>,
}

impl CollectedKind {
    /// Objects that were all collected, or all of them in the namespaces of `whole`.
    pub fn new(objects: Vec<Value>, whole: Option<BTreeSet<String>>) -> Self {
        Self { objects, whole }
    }

    /// Reads all objects of a kind, without the fields in `without`.
    ///
    /// # Errors
    /// Returns an error if the source has no such objects or cannot read them.
    pub async fn read(
        cluster: &ClusterReader<'_>,
        kind: &str,
        without: UnreadFields,
    ) -> Result<Self, ToolError> {
        let query = ObjectQuery { without, ..ObjectQuery::all(cluster.kind(kind).await?) };
        let (objects, extent) = cluster.list(&query).await?;
        if extent == Extent::Whole {
            return Ok(Self::new(objects, None));
        }
        let mut whole = BTreeSet::new();
        if query.kind.namespaced {
            for name in namespaces(cluster).await {
                let Ok(namespace) = name.parse::<Namespace>() else { continue };
                let of = ObjectQuery { namespace: Some(namespace), ..query.clone() };
                if cluster.extent(&of).await == Some(Extent::Whole) {
                    whole.insert(name);
                }
            }
        }
        Ok(Self::new(objects, Some(whole)))
    }

    /// Whether these are all objects of the cluster.
    pub fn is_whole(&self) -> bool {
        self.whole.is_none()
    }

    /// Whether these are all objects of a namespace.
    pub fn is_whole_in(&self, namespace: &str) -> bool {
        self.whole.as_ref().is_none_or(|whole| whole.contains(namespace))
    }
}

/// Returns the names of the collected namespaces.
async fn namespaces(cluster: &ClusterReader<'_>) -> BTreeSet<String> {
    let Ok(kind) = cluster.kind("namespaces").await else { return BTreeSet::new() };
    let query = ObjectQuery { without: &["spec", "status"], ..ObjectQuery::all(kind) };
    let objects = cluster.objects(&query).await.unwrap_or_default();
    let name = |object: &Value| object.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
    objects.iter().filter_map(name).collect()
}
