//! Prints objects as tables, as the API server does.
//!
//! Columns are recorded. Cells of kinds whose objects the lab adds or changes are computed from the object; other cells
//! are recorded. Ages are always computed.

use axum::Json;
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::query::Query;
use super::read::Page;
use super::store::{Resource, key, list, text};

/// Checks whether a client accepts a table.
pub(super) fn wanted(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("as=Table") && accept.contains("v=v1"))
}

/// Returns a page as a table.
pub(super) fn answer(resource: &Resource, page: &Page<'_>, version: u64, query: &Query) -> Response {
    let columns = if resource.columns.is_empty() { default_columns() } else { resource.columns.clone() };
    let names: Vec<&str> = columns.iter().filter_map(|column| column.get("name")?.as_str()).collect();
    let row = |object: &&Value| {
        let recorded = resource.cells.get(&key(object));
        let cells: Vec<Value> = names
            .iter()
            .enumerate()
            .map(|(number, name)| {
                let known = recorded.and_then(|cells| cells.get(number));
                cell(&resource.kind, name, object)
                    .or_else(|| known.cloned())
                    .unwrap_or_else(|| "<none>".into())
            })
            .collect();
        let mut row = json!({ "cells": cells });
        let shown = match query.get("includeObject") {
            "None" => None,
            "Object" => Some(resource.whole(object)),
            _ => Some(json!({
                "kind": "PartialObjectMetadata",
                "apiVersion": "meta.k8s.io/v1",
                "metadata": object.get("metadata"),
            })),
        };
        if let (Some(row), Some(shown)) = (row.as_object_mut(), shown) {
            row.insert("object".into(), shown);
        }
        row
    };
    let rows: Vec<Value> = page.objects.iter().map(row).collect();
    Json(json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": page.metadata(version),
        "columnDefinitions": columns,
        "rows": rows,
    }))
    .into_response()
}

fn default_columns() -> Vec<Value> {
    let column = |name: &str, format: &str| json!({ "name": name, "type": "string", "format": format, "description": "", "priority": 0 });
    vec![column("Name", "name"), column("Age", "")]
}

/// Computes a cell. Returns `None` if it cannot be computed.
fn cell(kind: &str, column: &str, object: &Value) -> Option<Value> {
    let at = |path: &str| object.pointer(path).map_or("", text);
    let shown = |text: &str| Some(Value::from(if text.is_empty() { "<none>" } else { text }));
    match (kind, column) {
        (_, "Name") => shown(at("/metadata/name")),
        (_, "Age") => Some(age(at("/metadata/creationTimestamp"))),
        ("Pod", "Ready") => {
            let statuses: Vec<&Value> = list(object.get("status")?, "containerStatuses").collect();
            let ready =
                statuses.iter().filter(|status| status.get("ready").is_some_and(|ready| *ready == true));
            Some(format!("{}/{}", ready.count(), list(object.get("spec")?, "containers").count()).into())
        }
        ("Pod", "Status") => shown(pod_status(object)),
        ("Pod", "Restarts") => Some(restarts(object)),
        ("Pod", "IP") => shown(at("/status/podIP")),
        ("Pod", "Node") => shown(at("/spec/nodeName")),
        ("Node", "Status") => {
            let is_ready = |condition: &&Value| condition.get("type").is_some_and(|kind| kind == "Ready");
            let ready = list(object.get("status")?, "conditions").find(is_ready)?;
            shown(if ready.get("status")? == "True" { "Ready" } else { "NotReady" })
        }
        ("Node", "Roles") => {
            let labels = object.pointer("/metadata/labels")?.as_object()?;
            let roles = labels.keys().filter_map(|label| label.strip_prefix("node-role.kubernetes.io/"));
            shown(&roles.collect::<Vec<_>>().join(","))
        }
        ("Node", "Version") => shown(at("/status/nodeInfo/kubeletVersion")),
        ("Node", "Internal-IP") => {
            let internal = |address: &&Value| address.get("type").is_some_and(|kind| kind == "InternalIP");
            shown(list(object.get("status")?, "addresses").find(internal)?.get("address").map_or("", text))
        }
        ("Node", "OS-Image") => shown(at("/status/nodeInfo/osImage")),
        ("Node", "Kernel-Version") => shown(&format!(
            "{} ({})",
            at("/status/nodeInfo/kernelVersion"),
            at("/status/nodeInfo/architecture")
        )),
        ("Node", "Container-Runtime") => shown(at("/status/nodeInfo/containerRuntimeVersion")),
        ("Service", "Type") => shown(at("/spec/type")),
        ("Service", "Cluster-IP") => shown(at("/spec/clusterIP")),
        ("Service", "Port(s)") => {
            let port = |port: &Value| {
                let number = |key: &str| port.get(key).map(Value::to_string);
                let node_port = number("nodePort").map(|number| format!(":{number}")).unwrap_or_default();
                Some(format!("{}{node_port}/{}", number("port")?, port.get("protocol").map_or("TCP", text)))
            };
            shown(&list(object.get("spec")?, "ports").filter_map(port).collect::<Vec<_>>().join(","))
        }
        ("Service", "Selector") => shown(&labels(object.pointer("/spec/selector"))),
        ("NetworkPolicy", "Pod-Selector") => shown(&labels(object.pointer("/spec/podSelector/matchLabels"))),
        ("DaemonSet", "Desired") => object.pointer("/status/desiredNumberScheduled").cloned(),
        ("DaemonSet", "Current") => object.pointer("/status/currentNumberScheduled").cloned(),
        ("DaemonSet", "Ready") => object.pointer("/status/numberReady").cloned(),
        ("DaemonSet", "Up-to-date") => object.pointer("/status/updatedNumberScheduled").cloned(),
        ("DaemonSet", "Available") => object.pointer("/status/numberAvailable").cloned(),
        ("EgressIP", "EgressIPs") => {
            Some(object.pointer("/spec/egressIPs")?.as_array()?.first().cloned().unwrap_or_default())
        }
        ("EgressIP", "Assigned Node") => shown(at("/status/items/0/node")),
        ("EgressIP", "Assigned EgressIPs") => shown(at("/status/items/0/egressIP")),
        ("EndpointSlice", "AddressType") => shown(at("/addressType")),
        ("EndpointSlice", "Ports") => {
            let ports = list(object, "ports").filter_map(|port| Some(port.get("port")?.to_string()));
            let ports = ports.collect::<Vec<_>>().join(",");
            shown(if ports.is_empty() { "<unset>" } else { &ports })
        }
        ("EndpointSlice", "Endpoints") => {
            let addresses =
                list(object, "endpoints").flat_map(|endpoint| list(endpoint, "addresses")).map(text);
            let addresses = addresses.collect::<Vec<_>>().join(",");
            shown(if addresses.is_empty() { "<unset>" } else { &addresses })
        }
        ("Event", "Last Seen") => Some(age(at("/lastTimestamp"))),
        ("Event", "First Seen") => Some(age(at("/firstTimestamp"))),
        ("Event", "Type") => shown(at("/type")),
        ("Event", "Reason") => shown(at("/reason")),
        ("Event", "Message") => shown(at("/message")),
        ("Event", "Count") => object.get("count").cloned(),
        ("Event", "Object") => {
            shown(&format!("{}/{}", at("/involvedObject/kind").to_lowercase(), at("/involvedObject/name")))
        }
        ("Event", "Subobject") => Some(at("/involvedObject/fieldPath").into()),
        ("Event", "Source") => Some(format!("{}, {}", at("/source/component"), at("/source/host")).into()),
        _ => None,
    }
}

/// In the order in which the server looks for a reason.
fn pod_status(pod: &Value) -> &str {
    if pod.pointer("/metadata/deletionTimestamp").is_some() {
        return "Terminating";
    }
    let Some(status) = pod.get("status") else { return "" };
    let of = |state: &str| {
        let path = format!("/state/{state}/reason");
        list(status, "containerStatuses").find_map(|each| each.pointer(&path)?.as_str())
    };
    let reason = status.get("reason").and_then(Value::as_str);
    of("waiting")
        .or(reason)
        .or_else(|| of("terminated"))
        .unwrap_or_else(|| status.get("phase").map_or("", text))
}

fn restarts(pod: &Value) -> Value {
    let statuses = || pod.get("status").into_iter().flat_map(|status| list(status, "containerStatuses"));
    let count: u64 = statuses().filter_map(|status| status.get("restartCount")?.as_u64()).sum();
    let last =
        statuses().filter_map(|status| status.pointer("/lastState/terminated/finishedAt")?.as_str()).max();
    match last {
        Some(last) if count > 0 => format!("{count} ({} ago)", text(&age(last))).into(),
        _ => count.to_string().into(),
    }
}

/// Formats labels as `app=web,tier=front`.
fn labels(map: Option<&Value>) -> String {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    pairs.map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join(",")
}

/// Formats an age as Kubernetes does.
fn age(time: &str) -> Value {
    let Ok(time) = time.parse::<Timestamp>() else { return "<unknown>".into() };
    duration((Timestamp::now().as_second() - time.as_second()).max(0)).into()
}

fn duration(seconds: i64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let with = |big: i64, unit: &str, small: i64, smaller: &str| {
        if small == 0 { format!("{big}{unit}") } else { format!("{big}{unit}{small}{smaller}") }
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => with(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => with(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => with(days, "d", hours % 24, "h"),
        691_200..63_072_000 => format!("{days}d"),
        _ => with(days / 365, "y", days % 365, "d"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let cases = [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (179, "2m59s"),
            (3600, "60m"),
            (10_860, "3h1m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (1_000_000, "11d"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn the_status_of_a_pod_is_the_worst_reason() {
        let crashing = json!({ "status": { "phase": "Running", "containerStatuses": [
            { "restartCount": 3, "state": { "waiting": { "reason": "CrashLoopBackOff" } } },
        ] } });
        assert_eq!(pod_status(&crashing), "CrashLoopBackOff");
        assert_eq!(restarts(&crashing), "3");
        assert_eq!(pod_status(&json!({ "status": { "phase": "Pending" } })), "Pending");
        assert_eq!(
            pod_status(&json!({ "metadata": { "deletionTimestamp": "x" }, "status": {} })),
            "Terminating"
        );
    }
}
