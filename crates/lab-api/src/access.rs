//! Checks the rights of users. Each ClusterRole in the given files is the role of a user of the same name. A Role of
//! that name adds rights in one namespace.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use axum::Json;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Result as Outcome;
use super::path::Target;
use super::protobuf;
use super::status::Status;
use super::store::{list, text};

/// The user without a role, who has all rights.
const ADMIN: &str = "admin";

/// The users and their rules. A user's token is the user's name.
#[derive(Debug, Default)]
pub(super) struct Access {
    roles: BTreeMap<String, Vec<AccessRule>>,
}

/// A rule of a role.
#[derive(Debug)]
struct AccessRule {
    rule: Value,
    /// The namespace in which the rule applies. `None` for all namespaces.
    namespace: Option<String>,
}

impl Access {
    /// Reads the ClusterRoles and Roles in YAML files. Other objects are skipped.
    ///
    /// # Errors
    /// If a file cannot be read or parsed, or if the files have no role.
    pub(super) fn read(files: &[PathBuf]) -> Outcome<Self> {
        let mut roles = BTreeMap::<_, Vec<AccessRule>>::new();
        for file in files {
            let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
            let yaml = fs::read_to_string(file).map_err(|error| failed(&error))?;
            let documents: Vec<Value> = serde_saphyr::from_multiple(&yaml).map_err(|error| failed(&error))?;
            for role in &documents {
                let at = |path| role.pointer(path).map_or("", text).to_owned();
                let namespace = match at("/kind").as_str() {
                    "ClusterRole" => None,
                    "Role" => Some(at("/metadata/namespace")),
                    _ => continue,
                };
                let rules = list(role, "rules").cloned();
                let rules = rules.map(|rule| AccessRule { rule, namespace: namespace.clone() });
                roles.entry(at("/metadata/name")).or_default().extend(rules);
            }
        }
        if !files.is_empty() && roles.is_empty() {
            return Err("the given files have neither a ClusterRole nor a Role".into());
        }
        Ok(Self { roles })
    }

    /// Returns the names of all users.
    pub(super) fn users(&self) -> impl Iterator<Item = &str> {
        std::iter::once(ADMIN).chain(self.roles.keys().map(String::as_str))
    }

    /// Returns the user of a request.
    pub(super) fn user(&self, headers: &HeaderMap) -> Result<String, Status> {
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match token {
            Some(token) if self.users().any(|user| user == token) => Ok(token.into()),
            _ => Err(Status::unauthorized()),
        }
    }

    /// Checks whether a user has the right for a request.
    pub(super) fn check(&self, user: &str, verb: &str, target: &Target) -> Result<(), Status> {
        let allowed = match self.roles.get(user) {
            None => true,
            Some(rules) => rules.iter().any(|AccessRule { rule, namespace }| {
                allows(rule, verb, target) && (namespace.is_none() || *namespace == target.namespace)
            }),
        };
        if allowed { Ok(()) } else { Err(Status::forbidden(user, verb, target)) }
    }
}

impl Access {
    /// Answers a SelfSubjectAccessReview.
    pub(super) fn review(&self, user: &str, body: &[u8]) -> Result<Response, Status> {
        let mut review = protobuf::object(body, protobuf::REVIEW)?;
        let at = |key: &str| {
            review.pointer(&format!("/spec/resourceAttributes/{key}")).map_or("", text).to_owned()
        };
        let some = |text: String| if text.is_empty() { None } else { Some(text) };
        let target = Target {
            group: at("group"),
            plural: at("resource"),
            namespace: some(at("namespace")),
            name: some(at("name")),
            part: some(at("subresource")),
            ..Target::default()
        };
        let allowed = self.check(user, &at("verb"), &target).is_ok();
        if let Some(review) = review.as_object_mut() {
            review.insert("kind".into(), "SelfSubjectAccessReview".into());
            review.insert("apiVersion".into(), "authorization.k8s.io/v1".into());
            review.insert("status".into(), json!({ "allowed": allowed }));
        }
        Ok((StatusCode::CREATED, Json(review)).into_response())
    }
}

fn allows(rule: &Value, verb: &str, target: &Target) -> bool {
    let among = |key: &str, word: &str| list(rule, key).any(|each| each == word || each == "*");
    let named = target.name.as_deref().unwrap_or_default();
    among("verbs", verb)
        && among("apiGroups", &target.group)
        && (among("resources", &target.permission())
            || target
                .part
                .as_ref()
                .is_some_and(|part| list(rule, "resources").any(|each| *each == format!("*/{part}"))))
        && (rule.get("resourceNames").is_none() || list(rule, "resourceNames").any(|each| each == named))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn may(rule: &Value, verb: &str, path: &str) -> bool {
        allows(rule, verb, &Target::parse(&path.parse().unwrap()).unwrap())
    }

    #[test]
    fn a_role_applies_in_its_namespace() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("roles.yaml");
        let rule = "rules: [{apiGroups: [\"\"], resources: [pods], verbs: [get]}]";
        let role = |kind, namespace| format!("kind: {kind}\nmetadata: {{name: jane{namespace}}}\n{rule}\n");
        fs::write(&file, role("Role", ", namespace: a")).unwrap();
        let access = Access::read(&[file]).unwrap();
        let may =
            |path: &str| access.check("jane", "get", &Target::parse(&path.parse().unwrap()).unwrap()).is_ok();
        assert!(may("/api/v1/namespaces/a/pods/x"));
        assert!(!may("/api/v1/namespaces/b/pods/x"));
        assert!(!may("/api/v1/pods"));
    }

    #[test]
    fn a_rule_allows_only_what_it_names() {
        let rule = json!({ "apiGroups": [""], "resources": ["pods", "pods/exec"], "verbs": ["get", "list"] });
        assert!(may(&rule, "get", "/api/v1/namespaces/default/pods/a"));
        assert!(may(&rule, "get", "/api/v1/namespaces/default/pods/a/exec"));
        assert!(!may(&rule, "create", "/api/v1/namespaces/default/pods/a/exec"));
        assert!(!may(&rule, "get", "/api/v1/namespaces/default/pods/a/log"));
        assert!(!may(&rule, "list", "/apis/apps/v1/daemonsets"));
        let named =
            json!({ "apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": ["a"] });
        assert!(may(&named, "get", "/api/v1/namespaces/default/pods/a"));
        assert!(!may(&named, "get", "/api/v1/namespaces/default/pods/b"));
        let all = json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] });
        assert!(may(&all, "delete", "/apis/apps/v1/namespaces/a/daemonsets/b"));
    }
}
