//! What of an object is not shown: secrets, and what only machines read.
//!
//! Every source of objects calls [`redact`] on each object before it gives it away, so no tool can show what it never
//! had. Text is looked through once more when an answer is made ([`crate::sanitize`]); here is what text alone does
//! not tell: that a value belongs to a Secret, or to a variable whose name stands beside it.

use super::Kind;
use crate::sanitize;
use regex::Regex;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// What stands in place of a secret.
const REDACTED: &str = "[redacted]";

/// Takes the values of Secrets, tokens, passwords and private keys out of an object, and its managed fields.
pub(crate) fn redact(kind: &Kind, object: &mut Value) {
    let own_kind = object.get("kind").and_then(Value::as_str);
    let is_secret = kind.group.is_empty() && kind.kind == "Secret" || own_kind == Some("Secret");
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.shift_remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            // A copy of the whole object, as it was applied: with everything that is taken out below.
            annotations.retain(|key, _| !key.ends_with("last-applied-configuration"));
            if annotations.is_empty() {
                metadata.shift_remove("annotations");
            }
        }
    }
    if is_secret {
        for field in ["data", "stringData"] {
            if let Some(data) = object.get_mut(field).and_then(Value::as_object_mut) {
                data.values_mut().for_each(|value| hide(value, field == "data"));
            }
        }
    }
    walk(object);
}

/// In place of a Secret's value, how long it is: what `kubectl describe` tells of it.
fn hide(value: &mut Value, base64: bool) {
    // What `oc adm inspect` collected has its own words for values that it left out.
    let len = value.as_str().map_or(0, |text| match base64 {
        true => text.trim_end_matches('=').len() * 3 / 4,
        false => text.len(),
    });
    *value = format!("[redacted: {len} bytes]").into();
}

fn walk(value: &mut Value) {
    match value {
        Value::String(text) => redact_text(text),
        Value::Array(all) => {
            all.iter_mut().for_each(walk);
            redact_operands(all);
        }
        Value::Object(fields) => {
            redact_named(fields);
            for (key, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if !text.is_empty() && is_secret_name(key) => {
                        if !text.starts_with(REDACTED.trim_end_matches(']')) {
                            *text = REDACTED.into();
                        }
                    }
                    value => walk(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn redact_text(text: &mut String) {
    // Files in a MachineConfig (RFC 2397): pull secrets and keys are among them, encoded.
    if text.starts_with("data:") && text.contains(',') {
        *text = format!("[redacted: a data URL of {} bytes]", text.len());
    } else if let std::borrow::Cow::Owned(redacted) = sanitize::redact(text) {
        *text = redacted;
    }
}

/// `{name: DB_PASSWORD, value: …}`: a container's variable, or anything of that form.
fn redact_named(fields: &mut Map<String, Value>) {
    if fields.get("name").and_then(Value::as_str).is_some_and(is_secret_name)
        && let Some(Value::String(value)) = fields.get_mut("value")
        && !value.is_empty()
    {
        *value = REDACTED.into();
    }
}

/// `[…, "--password", "…"]`: the word after an option of that name.
fn redact_operands(words: &mut [Value]) {
    let mut secret = false;
    for word in words {
        let Value::String(text) = word else { return };
        if secret {
            *text = REDACTED.into();
        }
        secret = text.starts_with('-') && !text.contains('=') && is_secret_name(text);
    }
}

/// Is this the name of something that is secret: a key, a variable, an option?
fn is_secret_name(name: &str) -> bool {
    static SECRET: LazyLock<Regex> = LazyLock::new(|| {
        // Names of files, of Secrets and of policies are none; `pullSecret` and `tokenSecret` are names of Secrets too,
        // but nothing tells.
        let whole = r"(?i)(psk|passw(or)?d|password[_-]?hash|passphrase|secret|token|credentials?|key[_-]data|dockerconfigjson|htpasswd|((private|auth|api|access|secret|signing|encryption|shared)[_.-]?key))$";
        Regex::new(whole).expect("a literal")
    });
    SECRET.is_match(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn redacted(kind: &str, mut object: Value) -> Value {
        redact(&Kind { kind: kind.into(), ..Kind::default() }, &mut object);
        object
    }

    #[test]
    fn values_of_secrets_are_sizes() {
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
        // The kind is known from where it was read, or from the object: an item of a list has none.
        assert_eq!(redacted("Secret", secret.clone()), shown);
        let mut named = secret;
        named["kind"] = "Secret".into();
        assert_eq!(redacted("Other", named)["data"], shown["data"]);
    }

    #[test]
    fn secrets_in_other_objects_go() {
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
    fn what_only_speaks_of_secrets_stays() {
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
