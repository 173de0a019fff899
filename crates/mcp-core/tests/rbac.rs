//! Tests the roles in `deploy/rbac`: there is one per server, none may change anything or read Secrets, and one role is
//! the union of all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on, fails")]

use serde::Deserialize;
use std::{collections::BTreeSet, path::Path};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    kind: String,
    metadata: Metadata,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

fn role(file: &str) -> Role {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac").join(file);
    serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Lists the rights of a role one by one: verb, resource, group.
fn rights(role: &Role) -> BTreeSet<(String, String, String)> {
    let mut all = BTreeSet::new();
    for rule in &role.rules {
        for (group, resource) in
            rule.api_groups.iter().flat_map(|g| rule.resources.iter().map(move |r| (g, r)))
        {
            all.extend(rule.verbs.iter().map(|verb| (verb.clone(), resource.clone(), group.clone())));
        }
    }
    all
}

fn right(verb: &str, resource: &str) -> (String, String, String) {
    (verb.into(), resource.into(), String::new())
}

const SERVERS: [&str; 5] = ["mcp-capture", "mcp-k8s", "mcp-kernel", "mcp-ovn", "mcp-ovs"];

#[test]
fn a_server_may_not_change_anything_or_read_secrets() {
    for name in SERVERS.iter().chain(&["ovn-troubleshooter"]) {
        let role = role(&format!("{name}.yaml"));
        assert_eq!((role.kind.as_str(), role.metadata.name.as_str()), ("ClusterRole", *name));
        for (verb, resource, group) in rights(&role) {
            assert!(["get", "list"].contains(&verb.as_str()), "{name} may {verb} {resource}");
            assert_ne!(resource, "pods/exec", "{name} may run commands in the whole cluster");
            // The core group contains Secrets, so no wildcard may cover it.
            let named = group != "*" && (resource != "*" || !group.is_empty());
            assert!(
                named && resource != "secrets" && resource != "nodes/proxy",
                "{name}: {resource} of {group}"
            );
        }
    }
}

#[test]
fn each_server_may_send_the_requests_of_its_backend() {
    for name in SERVERS {
        let rights = rights(&role(&format!("{name}.yaml")));
        // Only a comparison of nodes needs the annotations of a node.
        let compares = name != "mcp-capture";
        let needed = [("list", "nodes"), ("get", "pods"), ("list", "pods")];
        for (verb, resource) in compares.then_some(("get", "nodes")).into_iter().chain(needed) {
            assert!(rights.contains(&right(verb, resource)), "{name} may not {verb} {resource}");
        }
    }
    let exec = BTreeSet::from([right("get", "pods/exec"), right("create", "pods/exec")]);
    for (file, kind) in [("exec.yaml", "Role"), ("exec-everywhere.yaml", "ClusterRole")] {
        let role = role(file);
        assert_eq!(role.kind, kind);
        assert_eq!(rights(&role), exec);
    }
    let debug = role("debug-pods.yaml");
    assert_eq!(debug.kind, "Role");
    assert_eq!(rights(&debug), [right("create", "pods"), right("delete", "pods")].into());
    assert_eq!(rights(&role("node-logs.yaml")), [right("get", "nodes/proxy")].into());
}

#[test]
fn the_role_of_all_servers_is_the_union() {
    let mut all: BTreeSet<_> =
        SERVERS.iter().flat_map(|name| rights(&role(&format!("{name}.yaml")))).collect();
    // A right to all resources of a group covers the others.
    let groups = all.clone();
    all.retain(|(verb, resource, group)| {
        resource == "*" || !groups.contains(&(verb.clone(), "*".to_owned(), group.clone()))
    });
    assert_eq!(rights(&role("ovn-troubleshooter.yaml")), all);
}
