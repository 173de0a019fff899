//! Prints volumes, claims and storage classes (as in `pkg/printers/internalversion/printers.go` of Kubernetes 1.36).

use super::{
    Cells, TableContext,
    object::{Object, joined},
};
use serde_json::Value;

pub(super) fn claim(object: Object<'_>, context: &TableContext) -> Cells {
    let (bound, volume) = (object.text("/status/phase"), object.text("/spec/volumeName"));
    let terminating = object.has("/metadata/deletionTimestamp");
    let held = !volume.is_empty();
    vec![
        object.text("/metadata/name").into(),
        if terminating { "Terminating" } else { bound }.into(),
        volume.into(),
        if held { size(object, "/status/capacity/storage") } else { "".into() },
        if held { modes(object, "/status/accessModes") } else { "".into() },
        object.text("/spec/storageClassName").into(),
        unset(object, "/spec/volumeAttributesClassName"),
        context.age(object),
        unset(object, "/spec/volumeMode"),
    ]
}

pub(super) fn volume(object: Object<'_>, context: &TableContext) -> Cells {
    let claim = match (object.text("/spec/claimRef/namespace"), object.text("/spec/claimRef/name")) {
        (_, "") => String::new(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    let terminating = object.has("/metadata/deletionTimestamp");
    vec![
        object.text("/metadata/name").into(),
        size(object, "/spec/capacity/storage"),
        modes(object, "/spec/accessModes"),
        object.text("/spec/persistentVolumeReclaimPolicy").into(),
        if terminating { "Terminating" } else { object.text("/status/phase") }.into(),
        claim.into(),
        object.text("/spec/storageClassName").into(),
        unset(object, "/spec/volumeAttributesClassName"),
        object.text("/status/reason").into(),
        context.age(object),
        unset(object, "/spec/volumeMode"),
    ]
}

fn unset(object: Object<'_>, path: &str) -> Value {
    match object.text(path) {
        "" => "<unset>".into(),
        text => text.into(),
    }
}

fn modes(object: Object<'_>, path: &str) -> Value {
    let short = |mode: &str| match mode {
        "ReadWriteOnce" => "RWO",
        "ReadOnlyMany" => "ROX",
        "ReadWriteMany" => "RWX",
        "ReadWriteOncePod" => "RWOP",
        _ => "?",
    };
    const ORDER: [&str; 5] = ["RWO", "ROX", "RWX", "RWOP", "?"];
    let all: Vec<_> = object.texts(path).into_iter().map(short).collect();
    ORDER.into_iter().filter(|mode| all.contains(mode)).collect::<Vec<_>>().join(",").into()
}

/// Returns a quantity. An absent quantity is 0.
fn size(object: Object<'_>, path: &str) -> Value {
    match object.at(path).0 {
        Value::Null => "0".into(),
        quantity => quantity.clone(),
    }
}

pub(super) fn storage_class(object: Object<'_>, context: &TableContext) -> Cells {
    let name = object.text("/metadata/name");
    let default = object.map("/metadata/annotations").into_iter().any(|(key, value)| {
        let marks = [
            "storageclass.kubernetes.io/is-default-class",
            "storageclass.beta.kubernetes.io/is-default-class",
        ];
        marks.contains(&key) && value.0.as_str() == Some("true")
    });
    let or = |path, default: &'static str| match object.text(path) {
        "" => Value::from(default),
        text => text.into(),
    };
    vec![
        if default { format!("{name} (default)").into() } else { name.into() },
        object.text("/provisioner").into(),
        or("/reclaimPolicy", "Delete"),
        or("/volumeBindingMode", "Immediate"),
        object.is("/allowVolumeExpansion").into(),
        context.age(object),
    ]
}

pub(super) fn csi_node(object: Object<'_>, context: &TableContext) -> Cells {
    vec![object.text("/metadata/name").into(), object.list("/spec/drivers").len().into(), context.age(object)]
}

pub(super) fn csi_driver(object: Object<'_>, context: &TableContext) -> Cells {
    let audiences: Vec<_> = object.list("/spec/tokenRequests").map(|token| token.text("/audience")).collect();
    let asks = object.has("/spec/tokenRequests");
    vec![
        object.text("/metadata/name").into(),
        object.at("/spec/attachRequired").0.as_bool().unwrap_or(true).into(),
        object.is("/spec/podInfoOnMount").into(),
        object.is("/spec/storageCapacity").into(),
        if asks { audiences.join(",").into() } else { "<unset>".into() },
        object.is("/spec/requiresRepublish").into(),
        joined(&object.texts("/spec/volumeLifecycleModes")),
        context.age(object),
    ]
}

pub(super) fn csi_capacity(object: Object<'_>, _: &TableContext) -> Cells {
    vec![
        object.text("/metadata/name").into(),
        object.text("/storageClassName").into(),
        if object.has("/capacity") { size(object, "/capacity") } else { "<unset>".into() },
    ]
}

pub(super) fn attachment(object: Object<'_>, context: &TableContext) -> Cells {
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/attacher").into(),
        object.text("/spec/source/persistentVolumeName").into(),
        object.text("/spec/nodeName").into(),
        object.is("/status/attached").into(),
        context.age(object),
    ]
}

pub(super) fn resource_claim(object: Object<'_>, context: &TableContext) -> Cells {
    let (deleted, allocated) = (object.has("/metadata/deletionTimestamp"), object.has("/status/allocation"));
    let reserved = allocated && object.list("/status/reservedFor").len() > 0;
    let states = [
        (deleted, "deleted"),
        (!allocated && !deleted, "pending"),
        (allocated, "allocated"),
        (reserved, "reserved"),
    ];
    let states: Vec<_> = states.into_iter().filter(|(is, _)| *is).map(|(_, state)| state).collect();
    vec![object.text("/metadata/name").into(), states.join(",").into(), context.age(object)]
}
