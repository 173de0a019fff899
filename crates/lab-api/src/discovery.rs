//! Answers discovery requests, in the aggregated and in the older format.

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Result;
use super::recorded::Recording;
use super::store::{list, text};

/// The recorded discovery documents.
pub(super) struct Discovery {
    core: Value,
    groups: Value,
    versions: Value,
    version: Value,
}

impl Discovery {
    pub(super) fn new(recorded: &Recording) -> Result<Self> {
        Ok(Self {
            core: recorded.file("discovery-api.json")?,
            groups: recorded.file("discovery-apis.json")?,
            versions: recorded.file("api.json")?,
            version: recorded.file("version.json")?,
        })
    }

    /// Returns the answer to a discovery request, or `None` for other requests.
    pub(super) fn answer(&self, path: &str, headers: &HeaderMap) -> Option<Response> {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let aggregated = accept.contains("as=APIGroupDiscoveryList") && accept.contains("v=v2");
        let document = match words.as_slice() {
            ["version"] => self.version.clone(),
            ["healthz" | "livez" | "readyz"] => return Some("ok".into_response()),
            ["api"] if aggregated => return Some(whole(&self.core)),
            ["apis"] if aggregated => return Some(whole(&self.groups)),
            ["api"] => self.versions.clone(),
            ["apis"] => self.group_list(),
            ["api", version] => resources(&self.core, "", version)?,
            ["apis", name] => group(self.find(name)?),
            ["apis", group, version] => resources(&self.groups, group, version)?,
            _ => return None,
        };
        Some(Json(document).into_response())
    }

    fn find(&self, name: &str) -> Option<&Value> {
        list(&self.groups, "items").find(|group| group.pointer("/metadata/name").is_some_and(|n| n == name))
    }

    fn group_list(&self) -> Value {
        let groups: Vec<Value> = list(&self.groups, "items")
            .map(|each| {
                let mut group = group(each);
                if let Some(group) = group.as_object_mut() {
                    group.retain(|key, _| key != "kind" && key != "apiVersion");
                }
                group
            })
            .collect();
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
    }
}

/// Returns an aggregated document with its content type.
fn whole(document: &Value) -> Response {
    let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    ([(CONTENT_TYPE, kind)], document.to_string()).into_response()
}

fn group(group: &Value) -> Value {
    let name = group.pointer("/metadata/name").map_or("", text);
    let versions: Vec<Value> = list(group, "versions")
        .filter_map(|version| version.get("version")?.as_str())
        .map(|version| json!({ "groupVersion": format!("{name}/{version}"), "version": version }))
        .collect();
    let preferred = versions.first().cloned();
    json!({ "kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": versions, "preferredVersion": preferred })
}

/// Returns the kinds of a version of a group.
fn resources(document: &Value, group: &str, version: &str) -> Option<Value> {
    let found =
        list(document, "items").find(|each| each.pointer("/metadata/name").map_or("", text) == group)?;
    let found =
        list(found, "versions").find(|each| each.get("version").is_some_and(|name| name == version))?;
    let mut resources = Vec::new();
    for resource in list(found, "resources") {
        let plural = resource.get("resource").map_or("", text);
        let namespaced = resource.get("scope").is_some_and(|scope| scope == "Namespaced");
        let mut entry = json!({
            "name": plural,
            "singularName": resource.get("singularResource"),
            "namespaced": namespaced,
            "kind": resource.pointer("/responseKind/kind"),
            "verbs": resource.get("verbs"),
        });
        for key in ["shortNames", "categories"] {
            if let (Some(entry), Some(value)) = (entry.as_object_mut(), resource.get(key)) {
                entry.insert(key.into(), value.clone());
            }
        }
        resources.push(entry);
        for part in list(resource, "subresources") {
            resources.push(json!({
                "name": format!("{plural}/{}", part.get("subresource").map_or("", text)),
                "singularName": "",
                "namespaced": namespaced,
                "kind": part.pointer("/responseKind/kind"),
                "verbs": part.get("verbs"),
            }));
        }
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}
