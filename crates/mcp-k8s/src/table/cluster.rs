//! What the cluster is made of: nodes, namespaces, events, configuration (`pkg/printers/internalversion/printers.go` of
//! Kubernetes 1.36).

use super::{
    Cells, Context,
    age::since,
    object::{NONE, Object, or_none},
};
use serde_json::Value;

pub(super) fn node(object: Object<'_>, context: &Context) -> Cells {
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

/// `Ready`, `NotReady,SchedulingDisabled`.
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

pub(super) fn namespace(object: Object<'_>, context: &Context) -> Cells {
    vec![object.text("/metadata/name").into(), object.text("/status/phase").into(), context.age(object)]
}

pub(super) fn event(object: Object<'_>, context: &Context) -> Cells {
    let first =
        [object.at("/firstTimestamp"), object.at("/eventTime")].into_iter().find(|time| !time.0.is_null());
    let first = since(first.map_or(&Value::Null, |time| time.0), context.as_of);
    let last = match object.at("/lastTimestamp").0 {
        Value::Null => first.clone(),
        time => since(time, context.as_of),
    };
    let (last, count) = match (object.has("/series"), object.int("/count")) {
        (true, _) => {
            (since(object.at("/series/lastObservedTime").0, context.as_of), object.int("/series/count"))
        }
        (false, 0) => (last, 1),
        (false, count) => (last, count),
    };
    let of = |paths: [&str; 2]| paths.into_iter().map(|path| object.text(path)).find(|text| !text.is_empty());
    let component = of(["/source/component", "/reportingComponent"]).unwrap_or_default();
    let source = match of(["/source/host", "/reportingInstance"]) {
        Some(host) => format!("{component}, {host}"),
        None => component.to_owned(),
    };
    let kind = object.text("/involvedObject/kind").to_lowercase();
    vec![
        last.into(),
        object.text("/type").into(),
        object.text("/reason").into(),
        format!("{kind}/{}", object.text("/involvedObject/name")).into(),
        object.text("/involvedObject/fieldPath").into(),
        source.into(),
        object.text("/message").trim().into(),
        first.into(),
        count.into(),
        object.text("/metadata/name").into(),
    ]
}

pub(super) fn config_map(object: Object<'_>, context: &Context) -> Cells {
    let entries = object.map("/data").len() + object.map("/binaryData").len();
    vec![object.text("/metadata/name").into(), entries.into(), context.age(object)]
}

pub(super) fn secret(object: Object<'_>, context: &Context) -> Cells {
    let entries = object.map("/data").len();
    vec![
        object.text("/metadata/name").into(),
        object.text("/type").into(),
        entries.into(),
        context.age(object),
    ]
}

/// Kinds of which a server says nothing but when they were made: custom resource definitions, roles.
pub(super) fn created(object: Object<'_>, _: &Context) -> Cells {
    vec![object.text("/metadata/name").into(), object.text("/metadata/creationTimestamp").into()]
}

/// Kinds of which nothing but name and age is known.
pub(super) fn name_and_age(object: Object<'_>, context: &Context) -> Cells {
    vec![object.text("/metadata/name").into(), context.age(object)]
}

pub(super) fn csi_node(object: Object<'_>, context: &Context) -> Cells {
    vec![object.text("/metadata/name").into(), object.list("/spec/drivers").len().into(), context.age(object)]
}

pub(super) fn storage_class(object: Object<'_>, context: &Context) -> Cells {
    let name = object.text("/metadata/name");
    let default = object.map("/metadata/annotations").into_iter().any(|(key, value)| {
        key == "storageclass.kubernetes.io/is-default-class" && value.0.as_str() == Some("true")
    });
    let unset = |text: &str| if text.is_empty() { Value::from("<unset>") } else { text.into() };
    vec![
        if default { format!("{name} (default)").into() } else { name.into() },
        object.text("/provisioner").into(),
        unset(object.text("/reclaimPolicy")),
        unset(object.text("/volumeBindingMode")),
        object.is("/allowVolumeExpansion").into(),
        context.age(object),
    ]
}

pub(super) fn admission_policy(object: Object<'_>, context: &Context) -> Cells {
    let kind = match (object.text("/spec/paramKind/apiVersion"), object.text("/spec/paramKind/kind")) {
        (_, "") => "<unset>".to_owned(),
        (version, kind) => format!("{version}/{kind}"),
    };
    vec![
        object.text("/metadata/name").into(),
        object.list("/spec/validations").len().into(),
        kind.into(),
        context.age(object),
    ]
}

pub(super) fn admission_binding(object: Object<'_>, context: &Context) -> Cells {
    let parameter = match (object.text("/spec/paramRef/namespace"), object.text("/spec/paramRef/name")) {
        (_, "") => "<unset>".to_owned(),
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/policyName").into(),
        parameter.into(),
        context.age(object),
    ]
}

pub(super) fn webhooks(object: Object<'_>, context: &Context) -> Cells {
    vec![object.text("/metadata/name").into(), object.list("/webhooks").len().into(), context.age(object)]
}

pub(super) fn api_service(object: Object<'_>, context: &Context) -> Cells {
    let service = match (object.text("/spec/service/namespace"), object.text("/spec/service/name")) {
        (_, "") => "Local".to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let available = match object.condition("Available") {
        Some(condition) if condition.text("/status") != "True" => {
            format!("{} ({})", condition.text("/status"), condition.text("/reason"))
        }
        Some(_) => "True".into(),
        None => NONE.into(),
    };
    vec![object.text("/metadata/name").into(), service.into(), available.into(), context.age(object)]
}
