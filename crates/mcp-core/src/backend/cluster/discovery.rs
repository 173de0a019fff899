//! Discovers the kinds of objects that an API server has.

use super::{
    api::{Api, RequestDeadline, accept, path},
    error::ApiRequest,
};
use crate::{ObjectKind, ReadError};
use futures::{StreamExt, stream};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroupList, APIResourceList};
use kube::client::APIGroupDiscoveryList;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The media type for all kinds in one answer (Kubernetes 1.26 and later).
const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                          application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

/// An answer in either form. A server that does not support the first form silently returns the second.
#[derive(Deserialize)]
#[serde(tag = "kind")]
enum DiscoveryAnswer {
    #[serde(rename = "APIGroupDiscoveryList")]
    Aggregated(APIGroupDiscoveryList),
    #[serde(rename = "APIGroupList")]
    Versions(APIGroupList),
    /// The core group, which has one version.
    #[serde(rename = "APIVersions")]
    Core {},
}

/// Returns the kinds and notes about kinds that could not be discovered. The kinds of the core group come first, then
/// the other groups in the server's order of preference.
pub(super) async fn kinds(
    api: &Api,
    deadline: RequestDeadline,
) -> Result<(Vec<ObjectKind>, Vec<String>), ReadError> {
    let asked = ApiRequest::cluster("get", "the list of API resources");
    let ask = async |at: &str| {
        api.get::<DiscoveryAnswer>(&asked, accept(path(at.into())?, AGGREGATED), deadline).await
    };
    let (core, others) = futures::try_join!(ask("/api"), ask("/apis"))?;
    match (core, others) {
        (DiscoveryAnswer::Aggregated(core), DiscoveryAnswer::Aggregated(others)) => {
            Ok(aggregated(core.items.into_iter().chain(others.items)))
        }
        (_, DiscoveryAnswer::Versions(groups)) => one_by_one(api, groups, deadline).await,
        _ => one_by_one(api, APIGroupList::default(), deadline).await,
    }
}

/// Takes each kind from the first version of its group that has it.
fn aggregated(
    groups: impl Iterator<Item = kube::client::APIGroupDiscovery>,
) -> (Vec<ObjectKind>, Vec<String>) {
    let (mut kinds, mut notes) = (Vec::new(), Vec::new());
    for group in groups {
        let name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
        let mut seen = BTreeSet::new();
        for version in group.versions {
            let v = version.version.unwrap_or_default();
            if version.freshness.as_deref() == Some("Stale") {
                notes.push(format!(
                    "the API server could not discover the kinds of {name}/{v}, so they may be missing"
                ));
            }
            for resource in version.resources {
                let plural = resource.resource.unwrap_or_default();
                if !resource.verbs.iter().any(|verb| verb == "list") || !seen.insert(plural.clone()) {
                    continue;
                }
                kinds.push(ObjectKind {
                    group: name.clone(),
                    version: v.clone(),
                    kind: resource.response_kind.and_then(|gvk| gvk.kind).unwrap_or_default(),
                    singular: resource.singular_resource.unwrap_or_default(),
                    short_names: resource.short_names,
                    namespaced: resource.scope.as_deref() == Some("Namespaced"),
                    plural,
                });
            }
        }
    }
    (kinds, notes)
}

/// Discovers the kinds of an older server, or through a proxy that drops unknown headers, with one request per version.
async fn one_by_one(
    api: &Api,
    groups: APIGroupList,
    deadline: RequestDeadline,
) -> Result<(Vec<ObjectKind>, Vec<String>), ReadError> {
    let mut versions = vec![(String::new(), "v1".to_owned(), "/api/v1".to_owned())];
    for group in groups.groups {
        let preferred = group.preferred_version.map(|version| version.version);
        let mut all: Vec<String> = group.versions.into_iter().map(|version| version.version).collect();
        all.sort_by_key(|version| Some(version) != preferred.as_ref());
        let at = |version: String| {
            (group.name.clone(), version.clone(), format!("/apis/{}/{version}", group.name))
        };
        versions.extend(all.into_iter().map(at));
    }
    let ask = |(group, version, at): (String, String, String)| async move {
        let asked = ApiRequest::cluster("get", format!("the kinds of {at}"));
        let list: Result<APIResourceList, _> = match path(at) {
            Ok(request) => api.get(&asked, request, deadline).await,
            Err(e) => Err(e),
        };
        (group, version, list)
    };
    let lists: Vec<_> = stream::iter(versions).map(ask).buffered(8).collect().await;
    let (mut kinds, mut notes, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for (group, version, list) in lists {
        match list {
            Ok(list) => {
                for resource in list.resources {
                    let wanted =
                        resource.verbs.iter().any(|verb| verb == "list") && !resource.name.contains('/');
                    if wanted && seen.insert((group.clone(), resource.name.clone())) {
                        kinds.push(ObjectKind {
                            group: group.clone(),
                            version: version.clone(),
                            kind: resource.kind,
                            plural: resource.name,
                            singular: resource.singular_name,
                            short_names: resource.short_names.unwrap_or_default(),
                            namespaced: resource.namespaced,
                        });
                    }
                }
            }
            // The core group must answer, but a group whose own server is down must not hide the others.
            Err(e) if group.is_empty() => return Err(e),
            Err(e) => notes
                .push(format!("the kinds of {group}/{version} are not known: {}", crate::error::chain(&e))),
        }
    }
    Ok((kinds, notes))
}
