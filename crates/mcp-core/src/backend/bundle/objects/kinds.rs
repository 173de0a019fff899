//! The kinds of objects in the cluster of a bundle, and their names.
//!
//! `oc adm inspect` writes the API server's discovery documents to `aggregated-discovery-api.yaml` and `-apis.yaml`.
//! Without these files, the kinds are the CustomResourceDefinitions in the bundle and the known kinds of Kubernetes,
//! OVN-Kubernetes and OpenShift.

use super::{Objects, read};
use crate::{
    ObjectKind,
    backend::bundle::{cluster::OpenBundle, files::Files},
};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// The known kinds: group, version, kind, plural, singular, `ns` for namespaced, short names; `-` means none. They come
/// from the API server of Kubernetes 1.36 with OVN-Kubernetes of 2026-08, and from a must-gather of OpenShift.
const KNOWN: &str = include_str!("known.tsv");

/// A group in the discovery document (`apidiscovery.k8s.io/v2`).
#[derive(Deserialize)]
struct DiscoveryGroup {
    #[serde(default)]
    metadata: GroupMetadata,
    versions: Vec<DiscoveryVersion>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GroupMetadata {
    name: String,
}

#[derive(Deserialize)]
struct DiscoveryVersion {
    version: String,
    resources: Vec<DiscoveryResource>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DiscoveryResource {
    resource: String,
    #[serde(default)]
    singular_resource: String,
    #[serde(default)]
    short_names: Vec<String>,
    response_kind: ResponseKind,
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: String,
}

/// A CustomResourceDefinition (`apiextensions.k8s.io/v1`).
#[derive(Deserialize)]
struct CrdObject {
    spec: CrdSpec,
}

#[derive(Deserialize)]
struct CrdSpec {
    group: String,
    names: CrdNames,
    scope: String,
    versions: Vec<CrdVersion>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CrdNames {
    kind: String,
    plural: String,
    #[serde(default)]
    singular: String,
    #[serde(default)]
    short_names: Vec<String>,
}

#[derive(Deserialize)]
struct CrdVersion {
    name: String,
    #[serde(default)]
    served: bool,
}

/// All kinds. If several kinds have the same name, the name means the first one.
pub(super) fn all(bundles: &[Arc<OpenBundle>], objects: &Objects) -> Vec<ObjectKind> {
    let mut kinds = KnownKinds::default();
    for files in bundles.iter().map(|one| &one.files) {
        for group in discovered(files) {
            kinds.extend(of_group(group));
        }
    }
    // Without discovery, every kind that is known anywhere may exist here.
    if kinds.all.is_empty() {
        kinds.extend(known());
        kinds.extend(objects.definitions(bundles).into_iter().filter_map(of_definition));
    }
    for (group, plural) in objects.resources() {
        if !kinds.has(group, plural) {
            kinds.extend(objects.example(bundles, group, plural).map(|(object, namespaced)| ObjectKind {
                group: group.to_owned(),
                plural: plural.to_owned(),
                namespaced,
                ..of_example(&object)
            }));
        }
    }
    kinds.all
}

#[derive(Default)]
struct KnownKinds {
    all: Vec<ObjectKind>,
    seen: BTreeSet<(String, String)>,
}

impl KnownKinds {
    fn has(&self, group: &str, plural: &str) -> bool {
        self.seen.contains(&(group.to_owned(), plural.to_owned()))
    }

    /// Adds kinds that are not known yet. The first of several versions is the preferred one.
    fn extend(&mut self, kinds: impl IntoIterator<Item = ObjectKind>) {
        let seen = &mut self.seen;
        self.all
            .extend(kinds.into_iter().filter(|kind| seen.insert((kind.group.clone(), kind.plural.clone()))));
    }
}

fn discovered(files: &Files) -> Vec<DiscoveryGroup> {
    // The core group comes first; it is in the file with the shorter name.
    let mut paths: Vec<_> = files.paths().filter(|path| is_discovery(path)).collect();
    paths.sort_by_key(|path| (path.ends_with("apis.yaml"), *path));
    let mut groups = Vec::new();
    for path in paths {
        let group = |object| groups.extend(serde_json::from_value(object));
        // A damaged file still yields the groups before the damage.
        _ = files.read_small(path).map(|bytes| read::each(&bytes, group));
    }
    groups
}

/// Returns true if the file is a discovery document of the API server.
pub(in crate::backend::bundle) fn is_discovery(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    ["aggregated-discovery-api.yaml", "aggregated-discovery-apis.yaml"].contains(&name)
}

fn of_group(group: DiscoveryGroup) -> impl Iterator<Item = ObjectKind> {
    let DiscoveryGroup { metadata: GroupMetadata { name }, versions } = group;
    let of_version = move |DiscoveryVersion { version, resources }| {
        let name = name.clone();
        let listed = |resource: &DiscoveryResource| resource.verbs.iter().any(|verb| verb == "list");
        resources.into_iter().filter(listed).map(move |resource| ObjectKind {
            group: name.clone(),
            version: version.clone(),
            kind: resource.response_kind.kind,
            plural: resource.resource,
            singular: resource.singular_resource,
            short_names: resource.short_names,
            namespaced: resource.scope == "Namespaced",
        })
    };
    versions.into_iter().flat_map(of_version)
}

fn of_definition(object: Value) -> Option<ObjectKind> {
    let CrdSpec { group, names, scope, versions } = serde_json::from_value::<CrdObject>(object).ok()?.spec;
    Some(ObjectKind {
        group,
        version: versions.iter().find(|version| version.served)?.name.clone(),
        kind: names.kind,
        plural: names.plural,
        singular: names.singular,
        short_names: names.short_names,
        namespaced: scope == "Namespaced",
    })
}

fn of_example(object: &Value) -> ObjectKind {
    let text = |field: &str| object.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (version, kind) = (text("apiVersion"), text("kind"));
    ObjectKind {
        version: version.rsplit('/').next().unwrap_or(&version).to_owned(),
        singular: kind.to_lowercase(),
        kind,
        ..ObjectKind::default()
    }
}

fn known() -> impl Iterator<Item = ObjectKind> {
    let word = |word: &str| if word == "-" { String::new() } else { word.to_owned() };
    KNOWN.lines().filter_map(move |line| {
        let mut words = line.split('\t').map(word);
        Some(ObjectKind {
            group: words.next()?,
            version: words.next()?,
            kind: words.next()?,
            plural: words.next()?,
            singular: words.next()?,
            namespaced: words.next()? == "ns",
            short_names: words
                .next()?
                .split(',')
                .filter(|name| !name.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_kind_is_found_by_its_names() {
        let all: Vec<ObjectKind> = known().collect();
        assert_eq!(all.len(), KNOWN.lines().count());
        for (name, plural) in [
            ("eip", "egressips"),
            ("udn", "userdefinednetworks"),
            ("cudn", "clusteruserdefinednetworks"),
            ("ra", "routeadvertisements"),
            ("apbexternalroute", "adminpolicybasedexternalroutes"),
            ("anp", "adminnetworkpolicies"),
            ("banp", "baselineadminnetworkpolicies"),
            ("ClusterNetworkPolicy", "clusternetworkpolicies"),
            ("netpol", "networkpolicies"),
            ("endpointslice", "endpointslices"),
            ("net-attach-def", "network-attachment-definitions"),
            ("egressqos", "egressqoses"),
            ("networkqoses.k8s.ovn.org", "networkqoses"),
            ("vtep", "vteps"),
            ("networks.operator.openshift.io", "networks"),
        ] {
            let found = all.iter().find(|kind| kind.is_called(name)).map(|kind| kind.plural.as_str());
            assert_eq!(found, Some(plural), "{name}");
        }
    }
}
