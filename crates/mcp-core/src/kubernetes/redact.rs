//! Removes secrets and machine-only fields from objects.
//!
//! Every source of objects calls [`redact`] on each object before it returns the object, so no tool can show a secret
//! and no selector can test one. The text of an answer is searched for secrets once more ([`crate::sanitize`]). This
//! module handles what the text alone does not show: that a value belongs to a Secret, or to a variable whose name is
//! in another field.

use super::ObjectKind;
use crate::sanitize::{self, REDACTED, is_open, names};
use regex::Regex;
use serde_json::{Map, Value};
use std::{borrow::Cow, sync::LazyLock};

/// The fields of a Secret that hold its values.
const DATA: [&str; 3] = ["data", "stringData", "binaryData"];

/// The fields of a Secret that are shown.
const SHOWN: [&str; 8] =
    ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData", "binaryData"];

/// The number of levels of text nested in text that are searched. Deeper text is hidden.
const DEPTH: usize = 6;

/// Removes managed fields and the values of Secrets, tokens, passwords and private keys from an object.
pub(crate) fn redact(kind: &ObjectKind, object: &mut Value) {
    let is_secret = kind.group.is_empty() && kind.kind == "Secret";
    if is_secret && let Some(fields) = object.as_object_mut() {
        hide_data(fields);
    }
    walk(object, DEPTH);
}

/// Hides the values of a Secret in any form, and fields that no Secret has.
fn hide_data(secret: &mut Map<String, Value>) {
    let is_object = secret.contains_key("metadata") || DATA.iter().any(|field| secret.contains_key(*field));
    for (name, value) in secret.iter_mut() {
        if DATA.contains(&name.as_str()) {
            hide(value, name != "stringData");
        } else if is_object && !SHOWN.contains(&name.as_str()) {
            hide(value, false);
        }
    }
}

/// Replaces a Secret's value by its size, as `kubectl describe` shows it.
fn hide(value: &mut Value, base64: bool) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| hide(value, base64)),
        Value::Array(all) => all.iter_mut().for_each(|value| hide(value, base64)),
        value => {
            // `oc adm inspect` replaces the values that it leaves out with its own text.
            let len = value.as_str().map_or(0, |text| match base64 {
                true => text.trim_end_matches('=').len() * 3 / 4,
                false => text.len(),
            });
            *value = format!("[redacted: {len} bytes]").into();
        }
    }
}

fn walk(value: &mut Value, depth: usize) {
    match value {
        Value::String(text) => redact_text(text, depth),
        Value::Array(all) => {
            all.iter_mut().for_each(|value| walk(value, depth));
            redact_operands(all);
        }
        Value::Object(fields) => redact_fields(fields, depth),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redact_fields(fields: &mut Map<String, Value>, depth: usize) {
    match fields.get("kind").and_then(Value::as_str) {
        Some("Secret") => hide_data(fields),
        // The items of some lists have no kind, because the list has it.
        Some("SecretList") => {
            let items = fields.get_mut("items").and_then(Value::as_array_mut);
            items.into_iter().flatten().filter_map(Value::as_object_mut).for_each(hide_data);
        }
        _ => {}
    }
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            redact_annotations(annotations);
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    redact_named(fields);
    // Keys are redacted, too, because labels and keys of a ConfigMap can be any text.
    let keys: Vec<String> = fields.keys().filter(|key| sanitize::redact(key) != **key).cloned().collect();
    for key in keys {
        fields.shift_remove(&key);
        fields.insert(sanitize::redact(&key).into_owned(), REDACTED.into());
    }
    for (key, value) in fields.iter_mut() {
        match names::sort(key) {
            Some(sort) => redact_secret(value, sort, depth),
            None => walk(value, depth),
        }
    }
}

/// Removes the annotation that copies the whole applied object, and replaces other manifests by their size.
fn redact_annotations(annotations: &mut Map<String, Value>) {
    static MANIFEST: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?m)(?:^|[{,\s])\\*["']?kind\\*["']?\s*:\s*\\*["']?[A-Z]"#).expect("a literal")
    });
    annotations.retain(|key, _| !key.ends_with("last-applied-configuration"));
    for (key, value) in annotations {
        let Value::String(text) = value else { continue };
        let has = |word: &str| text.contains(word);
        let is_manifest = MANIFEST.is_match(text) && (has("apiVersion") || has("metadata") || has("data"));
        // Compressed text is in base64; these are the beginnings of gzip and zip data.
        let is_packed = ["H4sI", "UEsDB"].iter().any(|magic| text.starts_with(magic));
        if is_manifest || is_packed || key.contains("last-applied") || key.ends_with("/applied") {
            *text = format!("[redacted: a manifest of {} bytes]", text.len());
        }
    }
}

/// Redacts the value of a secret name: a text, the texts in a list, or the fields of an object with names such as
/// `value`.
fn redact_secret(value: &mut Value, sort: names::SecretKind, depth: usize) {
    match value {
        Value::String(text) if !is_open(text) => *text = REDACTED.into(),
        Value::Number(_) if sort == names::SecretKind::Password => *value = REDACTED.into(),
        Value::Array(all) => {
            for value in all {
                match value {
                    Value::String(text) if !is_open(text) => *text = REDACTED.into(),
                    value => walk(value, depth),
                }
            }
        }
        Value::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if matches!(
                    key.as_str(),
                    "value" | "values" | "data" | "content" | "plain" | "plaintext" | "raw"
                ) && matches!(value, Value::String(_) | Value::Array(_) | Value::Number(_))
                {
                    redact_secret(value, sort, depth);
                }
            }
            redact_fields(fields, depth);
        }
        _ => {}
    }
}

fn redact_text(text: &mut String, depth: usize) {
    // The files in a MachineConfig are data URLs (RFC 2397). Encoded pull secrets and keys are among them.
    if text.starts_with("data:") && text.contains(',') {
        *text = format!("[redacted: a data URL of {} bytes]", text.len());
        return;
    }
    // JSON inside JSON may contain names with escapes, at any place.
    if text.trim_start().starts_with(['{', '[']) && text.len() > 2 {
        if depth == 0 {
            *text = format!("[redacted: {} bytes, too deep to look into]", text.len());
            return;
        }
        if let Ok(mut inner) = serde_json::from_str::<Value>(text) {
            let before = inner.clone();
            walk(&mut inner, depth - 1);
            if inner != before {
                *text = inner.to_string();
            }
        }
    }
    if let Cow::Owned(redacted) = sanitize::redact(text) {
        *text = redacted;
    }
}

/// Redacts `{name: DB_PASSWORD, value: …}`: a container's variable, a header of a probe, or any object of this form.
fn redact_named(fields: &mut Map<String, Value>) {
    let name = ["name", "key", "Name", "Key"].iter().find_map(|name| fields.get(*name)?.as_str());
    let sort = name.and_then(|name| match name.eq_ignore_ascii_case("cookie") {
        true => Some(names::SecretKind::Authorization),
        false => names::sort(name),
    });
    let Some(sort) = sort else { return };
    for name in ["value", "Value", "values"] {
        if let Some(value) = fields.get_mut(name) {
            redact_secret(value, sort, 0);
        }
    }
}

/// Redacts the word after an option with a secret name: `[…, "--password", "…"]`.
fn redact_operands(words: &mut [Value]) {
    let mut secret = false;
    for word in words {
        let Value::String(text) = word else { return };
        if secret && !text.starts_with('-') && !is_open(text) {
            *text = REDACTED.into();
        }
        secret = text.starts_with('-') && !text.contains('=') && names::sort(text).is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redacted(kind: &str, mut object: Value) -> Value {
        redact(&ObjectKind { kind: kind.into(), ..ObjectKind::default() }, &mut object);
        object
    }

    #[test]
    fn values_of_secrets_are_replaced_by_their_sizes() {
        let secret = json!({
            "metadata": {
                "name": "s",
                "managedFields": [{ "fieldsV1": { "f:data": {} } }],
                "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "{\"data\":{\"a\":\"aHVudGVyMg==\"}}" },
            },
            "data": { "a": "aHVudGVyMg==", "b": null },
            "stringData": { "c": "hunter2" },
            "type": "Opaque",
        });
        let shown = json!({
            "metadata": { "name": "s" },
            "data": { "a": "[redacted: 7 bytes]", "b": "[redacted: 0 bytes]" },
            "stringData": { "c": "[redacted: 7 bytes]" },
            "type": "Opaque",
        });
        // The kind comes from the query or from the object itself, because the items of a list have none.
        assert_eq!(redacted("Secret", secret.clone()), shown);
        let mut named = secret;
        named["kind"] = "Secret".into();
        assert_eq!(redacted("Other", named)["data"], shown["data"]);
    }

    /// A Secret is hidden at any place, with its data in any form.
    #[test]
    fn a_secret_inside_any_object_is_hidden() {
        let secret = json!({ "kind": "Secret", "metadata": { "name": "s" }, "data": { "a": "hunter2" } });
        let nested = json!({ "kind": "Secret", "stringData": { "a": "hunter2" } }).to_string();
        let yaml = "kind: Secret\ndata:\n  a: hunter2\n";
        let forms = [
            json!({ "items": [secret] }),
            json!({ "objects": [secret, { "kind": "Pod" }] }),
            json!({ "kind": "SecretList", "items": [{ "data": { "a": "hunter2" } }] }),
            json!({ "spec": { "template": secret } }),
            json!({ "spec": { "resources": [{ "raw": nested }] } }),
            json!({ "data": { "x.json": json!({ "deep": nested }).to_string() } }),
            json!({ "data": { "x.json": "{\"kind\":\"\\u0053ecret\",\"d\":1,\"data\":{\"a\":\"hunter2\"}}" } }),
            json!({ "data": { "x.yaml": yaml } }),
            json!({ "data": { "x.yaml": format!("a: 1\n---\n{yaml}---\nkind: Pod\n") } }),
            json!({ "data": { "x.yaml": "data:\n  a: hunter2\nkind: \"Secret\"\n" } }),
            json!({ "data": { "x.yaml": "list:\n- data: {a: hunter2}\n  kind: Secret\n" } }),
            json!({ "kind": "Secret", "data": ["hunter2"] }),
            json!({ "kind": "Secret", "data": "hunter2" }),
            json!({ "kind": "Secret", "data": { "a": { "b": "hunter2" } } }),
            json!({ "kind": "Secret", "binaryData": { "a": "hunter2" } }),
            json!({ "kind": "Secret", "metadata": {}, "values": { "a": "hunter2" } }),
            json!({ "metadata": { "annotations": { "a.io/last-applied": "{\"x\":\"hunter2\"}" } } }),
            json!({ "metadata": { "annotations": { "a.io/x": "{\"kind\":\"Pod\",\"metadata\":{\"y\":\"hunter2\"}}" } } }),
            json!({ "metadata": { "annotations": { "a.io/x": "apiVersion: v1\nkind: Pod\nx: hunter2\n" } } }),
            json!({ "metadata": { "annotations": { "objectset.rio.cattle.io/applied": "H4sIhunter2" } } }),
            json!({ "spec": { "template": { "metadata": { "annotations": {
                "kubectl.kubernetes.io/last-applied-configuration": "hunter2" } } } } }),
            json!({ "spec": { "manifests": [{ "kind": "List", "items": [secret] }] } }),
        ];
        for form in forms {
            let shown = redacted("Any", form.clone()).to_string();
            assert!(!shown.contains("hunter2"), "{form} gives {shown}");
        }
    }

    /// These are variables, headers, options and nested configuration.
    #[test]
    fn a_value_with_a_secret_name_is_hidden() {
        let env = |name: &str| json!({ "env": [{ "name": name, "value": "hunter2" }] });
        let names = [
            "DB_PASS",
            "DB_PWD",
            "PASSWORD_1",
            "TOKEN_V2",
            "CREDS",
            "BASIC_AUTH",
            "TLS_KEY",
            "PGPASSWORD",
            "API_KEY",
            "JWT",
            "AWS_SECRET_ACCESS_KEY",
            "REDIS_AUTH",
            "dbPassword",
            "Authorization",
            "Cookie",
            "X-Api-Key",
            "Proxy-Authorization",
        ];
        let others = [
            json!({ "httpGet": { "httpHeaders": [{ "name": "Authorization", "value": "Basic hunter2" }] } }),
            json!({ "args": ["--password", "hunter2"] }),
            json!({ "args": ["sh", "-c", "run --token hunter2"] }),
            json!({ "password": 123, "x": { "password": { "value": "hunter2" } } }),
            json!({ "tokens": ["hunter2"] }),
            json!({ "data": { "c": "password: |\n  hunter2\n  hunter2\n" } }),
            json!({ "data": { "c": "{\"password\":\"hun\\\"hunter2\"}" } }),
            json!({ "data": { "c": "{\"a\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}" } }),
            json!({ "data": { "c": "redis://:hunter2@h" } }),
            json!({ "data": { "c": "<password>hunter2</password>" } }),
            json!({ "status": { "message": "login with password=hunter2 failed" } }),
        ];
        for object in names.into_iter().map(env).chain(others) {
            let shown = redacted("Pod", object.clone()).to_string();
            assert!(!shown.contains("hunter2") && shown.contains("[redacted"), "{object} gives {shown}");
        }
    }

    #[test]
    fn references_to_secrets_are_kept() {
        let object = json!({
            "involvedObject": { "kind": "Secret", "name": "tls", "namespace": "a", "apiVersion": "v1" },
            "spec": {
                "rules": [{ "resources": ["secrets"], "verbs": ["get"] }],
                "tolerations": [{ "key": "node.kubernetes.io/not-ready", "operator": "Exists" }],
                "env": [{ "name": "PASSWORD_FILE", "value": "/run/p" }, { "name": "PASSWORD", "value": "$(OTHER)" }],
            },
            "data": { "ca.crt": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "v": "{\"a\": 1}" },
        });
        assert_eq!(redacted("Event", object.clone()), object);
    }

    #[test]
    fn secrets_in_other_objects_are_removed() {
        let hidden = redacted(
            "Pod",
            json!({
                "metadata": { "annotations": { "example.org/token": "hunter2", "k8s.ovn.org/zone-name": "a" } },
                "data": { "config": "password: hunter2\nuser: me", "db-password": "hunter2" },
                "spec": {
                    "env": [
                        { "name": "DB_PASSWORD", "value": "hunter2" },
                        { "name": "TOKEN", "valueFrom": { "secretKeyRef": { "name": "s", "key": "token" } } },
                        { "name": "PASSWORD_FILE", "value": "/run/p" },
                    ],
                    "args": ["--password", "hunter2", "--v", "5", "--token=hunter2"],
                    "key": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
                    "source": "data:text/plain;base64,aHVudGVyMg==",
                    "url": "https://me:hunter2@example.org/",
                    "client-key-data": "aHVudGVyMg==",
                },
            }),
        );
        let text = hidden.to_string();
        assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
        assert_eq!(hidden["metadata"]["annotations"]["k8s.ovn.org/zone-name"], "a");
        assert_eq!(
            hidden["spec"]["args"],
            json!(["--password", "[redacted]", "--v", "5", "--token=[redacted]"])
        );
        assert_eq!(
            hidden["spec"]["env"][1]["valueFrom"]["secretKeyRef"],
            json!({ "name": "s", "key": "token" })
        );
        assert_eq!(hidden["spec"]["env"][2]["value"], "/run/p");
    }

    #[test]
    fn values_that_only_mention_secrets_are_kept() {
        let pod = json!({
            "metadata": { "name": "token-reviewer", "namespace": "secrets" },
            "spec": {
                "automountServiceAccountToken": true,
                "volumes": [
                    { "secret": { "secretName": "ovn-cert", "defaultMode": 420 } },
                    { "projected": { "sources": [{ "serviceAccountToken": { "path": "token", "expirationSeconds": 3607 } }] } },
                ],
                "imagePullSecrets": [{ "name": "pull" }],
            },
        });
        assert_eq!(redacted("Pod", pod.clone()), pod);
    }
}
