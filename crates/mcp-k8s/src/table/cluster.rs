//! Prints nodes, namespaces, events and configuration (as in `pkg/printers/internalversion/printers.go` of Kubernetes
//! 1.36).

use super::{
    Cells, TableContext,
    age::since,
    object::{Object, or_none},
};
use serde_json::Value;

pub(super) fn node(object: Object<'_>, context: &TableContext) -> Cells {
    let address = |kind: &str| {
        let found = object.list("/status/addresses").find(|address| address.text("/type") == kind);
        or_none(found.map_or("", |address| address.text("/address")))
    };
    let info = |field: &str| object.text(&format!("/status/nodeInfo/{field}"));
    let unknown = |text: &str| Value::from(if text.is_empty() { "<unknown>" } else { text });
    let kernel = match (info("kernelVersion"), info("architecture")) {
        (kernel, "") => kernel.to_owned(),
        (kernel, architecture) => format!("{kernel} ({architecture})"),
    };
    vec![
        object.text("/metadata/name").into(),
        node_status(object).into(),
        or_none(&roles(object).join(",")),
        context.age(object),
        info("kubeletVersion").into(),
        address("InternalIP"),
        address("ExternalIP"),
        unknown(info("osImage")),
        unknown(&kernel),
        unknown(info("containerRuntimeVersion")),
    ]
}

/// Returns the status of a node: `Ready`, `NotReady,SchedulingDisabled`.
pub(crate) fn node_status(node: Object<'_>) -> String {
    let ready = match node.condition("Ready") {
        Some(condition) if condition.text("/status") == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if node.is("/spec/unschedulable") { format!("{ready},SchedulingDisabled") } else { ready.into() }
}

fn roles(node: Object<'_>) -> Vec<&str> {
    let mut all: Vec<&str> = node
        .map("/metadata/labels")
        .into_iter()
        .filter_map(|(key, value)| match key.strip_prefix("node-role.kubernetes.io/") {
            Some(role) => Some(role).filter(|role| !role.is_empty()),
            None if key == "kubernetes.io/role" => value.0.as_str(),
            None => None,
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Prints events of both API groups. The group `events.k8s.io` has other names for the same fields.
pub(super) fn event(object: Object<'_>, context: &TableContext) -> Cells {
    let has = |paths: &[&str]| paths.iter().map(|path| object.at(path)).find(|found| !found.0.is_null());
    let text = |paths: &[&str]| {
        paths.iter().map(|path| object.text(path)).find(|text| !text.is_empty()).unwrap_or_default()
    };
    let time = |time: Option<Object<'_>>| since(time.map_or(&Value::Null, |time| time.0), context.as_of);
    let first = time(has(&["/firstTimestamp", "/deprecatedFirstTimestamp", "/eventTime"]));
    let last = has(&["/lastTimestamp", "/deprecatedLastTimestamp"]).map(|last| time(Some(last)));
    let count = has(&["/count", "/deprecatedCount"]).map_or(0, |count| count.int(""));
    let (last, count) = match object.has("/series") {
        true => (time(Some(object.at("/series/lastObservedTime"))), object.int("/series/count")),
        false => (last.unwrap_or_else(|| first.clone()), count.max(1)),
    };
    let component = text(&[
        "/source/component",
        "/deprecatedSource/component",
        "/reportingComponent",
        "/reportingController",
    ]);
    let source = match text(&["/source/host", "/deprecatedSource/host", "/reportingInstance"]) {
        "" => component.to_owned(),
        host => format!("{component}, {host}"),
    };
    let of = has(&["/involvedObject", "/regarding"]).unwrap_or(object.at("/regarding"));
    let kind = of.text("/kind").to_lowercase();
    let target = match of.text("/name") {
        "" => kind,
        name => format!("{kind}/{name}"),
    };
    vec![
        last.into(),
        object.text("/type").into(),
        object.text("/reason").into(),
        target.into(),
        of.text("/fieldPath").into(),
        source.into(),
        text(&["/message", "/note"]).trim().into(),
        first.into(),
        count.into(),
        object.text("/metadata/name").into(),
    ]
}

pub(super) fn config_map(object: Object<'_>, context: &TableContext) -> Cells {
    let entries = object.map("/data").len() + object.map("/binaryData").len();
    vec![object.text("/metadata/name").into(), entries.into(), context.age(object)]
}

pub(super) fn secret(object: Object<'_>, context: &TableContext) -> Cells {
    let entries = object.map("/data").len();
    vec![
        object.text("/metadata/name").into(),
        object.text("/type").into(),
        entries.into(),
        context.age(object),
    ]
}

pub(super) fn component_status(object: Object<'_>, _: &TableContext) -> Cells {
    let healthy = object.list("/conditions").find(|condition| condition.text("/type") == "Healthy");
    let status = match healthy.map(|condition| condition.text("/status")) {
        Some("True") => "Healthy",
        Some(_) => "Unhealthy",
        None => "Unknown",
    };
    let said = |path| healthy.map_or("", |condition| condition.text(path)).into();
    vec![object.text("/metadata/name").into(), status.into(), said("/message"), said("/error")]
}
