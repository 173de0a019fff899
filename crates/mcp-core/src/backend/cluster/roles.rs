//! The roles of `deploy/rbac`, for hints that name a role only if it gives the missing right.

use serde::Deserialize;
use std::sync::LazyLock;

/// The files of `deploy/rbac` with their content.
const FILES: [(&str, &str); 10] = [
    ("mcp-capture.yaml", include_str!("../../../../../deploy/rbac/mcp-capture.yaml")),
    ("mcp-k8s.yaml", include_str!("../../../../../deploy/rbac/mcp-k8s.yaml")),
    ("mcp-kernel.yaml", include_str!("../../../../../deploy/rbac/mcp-kernel.yaml")),
    ("mcp-ovn.yaml", include_str!("../../../../../deploy/rbac/mcp-ovn.yaml")),
    ("mcp-ovs.yaml", include_str!("../../../../../deploy/rbac/mcp-ovs.yaml")),
    ("ovn-troubleshooter.yaml", include_str!("../../../../../deploy/rbac/ovn-troubleshooter.yaml")),
    ("exec.yaml", include_str!("../../../../../deploy/rbac/exec.yaml")),
    ("exec-everywhere.yaml", include_str!("../../../../../deploy/rbac/exec-everywhere.yaml")),
    ("node-logs.yaml", include_str!("../../../../../deploy/rbac/node-logs.yaml")),
    ("debug-pods.yaml", include_str!("../../../../../deploy/rbac/debug-pods.yaml")),
];

/// A role as in its file.
#[derive(Deserialize)]
struct Role {
    kind: String,
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    api_groups: Vec<String>,
    resources: Vec<String>,
    verbs: Vec<String>,
}

impl Rule {
    fn allows(&self, verb: &str, group: &str, resource: &str) -> bool {
        let has = |all: &[String], one: &str| all.iter().any(|it| it == one || it == "*");
        has(&self.verbs, verb) && has(&self.api_groups, group) && has(&self.resources, resource)
    }
}

/// The roles by the names of their files. A file that cannot be parsed has no role, which the tests exclude.
static ROLES: LazyLock<Vec<(&'static str, Role)>> = LazyLock::new(|| {
    FILES.iter().filter_map(|(file, text)| Some((*file, serde_saphyr::from_str(text).ok()?))).collect()
});

/// Returns the files of `deploy/rbac` whose role allows a request. `resource` is a resource as in the text of a
/// request: `pods`, `networkpolicies.networking.k8s.io`, `nodes/proxy`. A role for one namespace is named as such.
pub(super) fn that_allow(verb: &str, resource: &str) -> Vec<String> {
    let (plural, sub) =
        resource.split_once('/').map_or((resource, None), |(plural, sub)| (plural, Some(sub)));
    let (plural, group) = plural.split_once('.').unwrap_or((plural, ""));
    let resource = sub.map_or_else(|| plural.to_owned(), |sub| format!("{plural}/{sub}"));
    let allows = |role: &Role| role.rules.iter().any(|rule| rule.allows(verb, group, &resource));
    let named = |file: &str, role: &Role| match role.kind.as_str() {
        "Role" => format!("{file} (a Role, for the namespace of OVN-Kubernetes)"),
        _ => file.to_owned(),
    };
    ROLES.iter().filter(|(_, role)| allows(role)).map(|(file, role)| named(file, role)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeSet, path::Path};

    #[test]
    fn every_file_with_a_role_is_known_and_parsed() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rbac");
        let names = std::fs::read_dir(folder).unwrap().flatten().map(|file| file.file_name());
        let names: BTreeSet<String> =
            names.filter_map(|name| name.into_string().ok()).filter(|name| name.ends_with(".yaml")).collect();
        assert_eq!(names, ROLES.iter().map(|(file, _)| (*file).to_owned()).collect());
    }

    /// Every right of every role leads back to the role, and a right that no role has leads to none.
    #[test]
    fn a_right_leads_to_the_roles_that_give_it() {
        let mut rights = 0;
        for (file, role) in ROLES.iter() {
            for rule in &role.rules {
                for group in &rule.api_groups {
                    for resource in &rule.resources {
                        let plural = resource.replace('*', "things");
                        let asked = match (group.as_str(), plural.split_once('/')) {
                            ("", _) => plural,
                            (group, Some((plural, sub))) => format!("{plural}.{group}/{sub}"),
                            (group, None) => format!("{plural}.{group}"),
                        };
                        for verb in &rule.verbs {
                            let found = that_allow(verb, &asked);
                            assert!(
                                found.iter().any(|it| it.starts_with(file)),
                                "{file}: {verb} {asked}: {found:?}"
                            );
                            rights += 1;
                        }
                    }
                }
            }
        }
        assert!(rights > 150, "{rights}");
        for (verb, resource, wanted) in [
            ("get", "nodes/proxy", &["node-logs.yaml"][..]),
            ("get", "pods/log", &["mcp-k8s.yaml", "ovn-troubleshooter.yaml"]),
            ("list", "egressips.k8s.ovn.org", &["mcp-k8s.yaml", "ovn-troubleshooter.yaml"]),
            ("create", "pods", &["debug-pods.yaml (a Role, for the namespace of OVN-Kubernetes)"]),
            (
                "create",
                "pods/exec",
                &["exec.yaml (a Role, for the namespace of OVN-Kubernetes)", "exec-everywhere.yaml"],
            ),
            ("list", "certificatesigningrequests.certificates.k8s.io", &[]),
            ("list", "flowschemas.flowcontrol.apiserver.k8s.io", &[]),
            ("list", "secrets", &[]),
            ("watch", "pods", &[]),
        ] {
            assert_eq!(that_allow(verb, resource), wanted, "{verb} {resource}");
        }
    }
}
