//! Prints role bindings, admission policies, priorities and quotas (as in `pkg/printers/internalversion/printers.go` of
//! Kubernetes 1.36).

use super::{
    Cells, TableContext,
    age::human,
    object::{NONE, Object, or_none},
    text::plain,
};
use serde_json::Value;

/// Prints role bindings and cluster role bindings.
pub(super) fn role_binding(object: Object<'_>, context: &TableContext) -> Cells {
    let subjects = |kind: &str| {
        let of = object.list("/subjects").filter(|subject| subject.text("/kind") == kind);
        let all: Vec<String> = of
            .map(|subject| match (kind, subject.text("/namespace"), subject.text("/name")) {
                ("ServiceAccount", namespace, name) if !namespace.is_empty() => format!("{namespace}/{name}"),
                (_, _, name) => name.to_owned(),
            })
            .collect();
        Value::from(all.join(", "))
    };
    vec![
        object.text("/metadata/name").into(),
        format!("{}/{}", object.text("/roleRef/kind"), object.text("/roleRef/name")).into(),
        context.age(object),
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

pub(super) fn priority_class(object: Object<'_>, context: &TableContext) -> Cells {
    vec![
        object.text("/metadata/name").into(),
        object.int("/value").into(),
        object.is("/globalDefault").into(),
        context.age(object),
        object.text("/preemptionPolicy").into(),
    ]
}

/// Prints validating and mutating admission policies.
pub(super) fn admission_policy(object: Object<'_>, context: &TableContext) -> Cells {
    let kind = match (object.text("/spec/paramKind/apiVersion"), object.text("/spec/paramKind/kind")) {
        (_, "") => "<unset>".to_owned(),
        (version, kind) => format!("{version}/{kind}"),
    };
    vec![
        object.text("/metadata/name").into(),
        (object.list("/spec/validations").len() + object.list("/spec/mutations").len()).into(),
        kind.into(),
        context.age(object),
    ]
}

pub(super) fn admission_binding(object: Object<'_>, context: &TableContext) -> Cells {
    let parameter = match (object.text("/spec/paramRef/namespace"), object.text("/spec/paramRef/name")) {
        (_, "") => "<unset>".to_owned(),
        ("", name) => format!("*/{name}"),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/policyName").into(),
        parameter.into(),
        context.age(object),
    ]
}

pub(super) fn webhooks(object: Object<'_>, context: &TableContext) -> Cells {
    vec![object.text("/metadata/name").into(), object.list("/webhooks").len().into(), context.age(object)]
}

pub(super) fn api_service(object: Object<'_>, context: &TableContext) -> Cells {
    let service = match (object.text("/spec/service/namespace"), object.text("/spec/service/name")) {
        (_, "") => "Local".to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let available = match object.condition("Available") {
        Some(condition) => match (condition.text("/status"), condition.text("/reason")) {
            ("True", _) | (_, "") => condition.text("/status").into(),
            (status, reason) => format!("{status} ({reason})"),
        },
        None => "Unknown".into(),
    };
    vec![object.text("/metadata/name").into(), service.into(), available.into(), context.age(object)]
}

pub(super) fn signing_request(object: Object<'_>, context: &TableContext) -> Cells {
    let is = |kind| object.condition(kind).is_some();
    let mut condition = String::from(match () {
        () if is("Denied") => "Denied",
        () if is("Approved") => "Approved",
        () => "Pending",
    });
    if is("Failed") {
        condition += ",Failed";
    }
    if object.has("/status/certificate") {
        condition += ",Issued";
    }
    let lives = object.at("/spec/expirationSeconds").0.as_i64();
    vec![
        object.text("/metadata/name").into(),
        context.age(object),
        or_none(object.text("/spec/signerName")),
        object.text("/spec/username").into(),
        lives.map_or(NONE.into(), |seconds| human(seconds * 1000).into()),
        condition.into(),
    ]
}

/// Prints a resource quota: the used and the allowed amounts. Limits have their own column.
pub(super) fn quota(object: Object<'_>, context: &TableContext) -> Cells {
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in object.map("/status/hard") {
        let used = object.map("/status/used").into_iter().find(|(other, _)| *other == resource);
        let used = used.map_or_else(|| "0".into(), |(_, used)| plain(used.0));
        let of = if resource.starts_with("limits.") { &mut limits } else { &mut requests };
        of.push(format!("{resource}: {used}/{}", plain(hard.0)));
    }
    vec![
        object.text("/metadata/name").into(),
        requests.join(", ").into(),
        limits.join(", ").into(),
        context.age(object),
    ]
}

pub(super) fn flow_schema(object: Object<'_>, context: &TableContext) -> Cells {
    let dangling = object.condition("Dangling").map_or("?", |condition| condition.text("/status"));
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/priorityLevelConfiguration/name").into(),
        object.int("/spec/matchingPrecedence").into(),
        or_none(object.text("/spec/distinguisherMethod/type")),
        context.age(object),
        dangling.into(),
    ]
}

pub(super) fn priority_level(object: Object<'_>, context: &TableContext) -> Cells {
    let limited = |path: &str| match object.at(&format!("/spec/limited{path}")).0 {
        Value::Null => NONE.into(),
        number => number.clone(),
    };
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/type").into(),
        limited("/nominalConcurrencyShares"),
        limited("/limitResponse/queuing/queues"),
        limited("/limitResponse/queuing/handSize"),
        limited("/limitResponse/queuing/queueLengthLimit"),
        context.age(object),
    ]
}
