//! The rules that the objects of this project keep, and that no schema knows.

use serde_json::{Value, json};
use xshell::cmd;

use super::objects::{Objects, at};
use crate::workspace::Workspace;

/// Options that only a choice of the user may add.
const DEBUG_PODS: &str = "--allow-debug-pods";

/// What a pod and its containers must have under the level `restricted` of pod security.
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
const OF_POD: &[(&str, &str)] = &[
    ("/securityContext/runAsNonRoot", "true"),
    ("/securityContext/seccompProfile/type", "\"RuntimeDefault\""),
];
const OF_CONTAINER: &[(&str, &str)] = &[
    ("/securityContext/allowPrivilegeEscalation", "false"),
    ("/securityContext/capabilities", r#"{"drop":["ALL"]}"#),
    // The standard does not ask for this.
    ("/securityContext/readOnlyRootFilesystem", "true"),
    ("/livenessProbe/httpGet/path", "\"/healthz\""),
    ("/readinessProbe/httpGet/path", "\"/healthz\""),
];

/// What no pod under the level `restricted` may have.
const NOT_OF_POD: &[&str] = &["hostNetwork", "hostPID", "hostIPC", "initContainers"];
const NOT_OF_CONTAINER: &[&str] = &["privileged", "procMount", "runAsUser"];

/// Returns the rules that the objects break.
pub(super) fn check(workspace: &Workspace, objects: &Objects, without_debug_pods: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let mut servers: Vec<&str> = Vec::new();
    for (name, deployment) in objects.of_kind("Deployment") {
        servers.push(at(deployment, "/metadata/name"));
        let found = restricted(deployment).into_iter().chain(own(objects, deployment, without_debug_pods));
        problems.extend(found.map(|problem| format!("{name}: {problem}")));
    }
    let layers: Vec<&str> = workspace.layers().map(|layer| layer.name.as_str()).collect();
    if servers != layers {
        problems.push(format!("the servers are {layers:?}, but the chart runs {servers:?}: see values.yaml"));
    }
    problems.extend(bindings(objects));
    problems
}

/// Returns why a Deployment cannot run under the level `restricted` of pod security.
fn restricted(deployment: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let nothing = json!(null);
    let pod = deployment.pointer("/spec/template/spec").unwrap_or(&nothing);
    let mut need = |of: &Value, wanted: &[(&str, &str)]| {
        for (path, value) in wanted {
            let found = of.pointer(path).unwrap_or(&nothing).to_string();
            if found != *value {
                problems.push(format!("{path} is {found}, but must be {value}"));
            }
        }
    };
    need(pod, OF_POD);
    let containers = pod.get("containers").and_then(Value::as_array).into_iter().flatten();
    for container in containers.clone() {
        need(container, OF_CONTAINER);
    }
    let banned = NOT_OF_POD.iter().filter(|key| pod.get(**key).is_some());
    let contexts = containers.clone().filter_map(|it| it.get("securityContext"));
    let banned_there =
        contexts.flat_map(|context| NOT_OF_CONTAINER.iter().filter(|key| context.get(**key).is_some()));
    let ports = containers.filter(|it| it.to_string().contains("hostPort")).map(|_| &"hostPort");
    let all = banned.chain(banned_there).chain(ports);
    problems.extend(all.map(|key| format!("{key} must not be set")));
    let volumes = pod.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let other = volumes.filter(|volume| volume.get("secret").is_none());
    problems.extend(other.map(|volume| format!("the volume {volume} is not a Secret")));
    problems
}

/// Returns which of this project's own rules a Deployment breaks.
fn own(objects: &Objects, deployment: &Value, without_debug_pods: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let (name, namespace) = (at(deployment, "/metadata/name"), at(deployment, "/metadata/namespace"));
    let options = options_of(deployment);
    if options.iter().any(|option| option == DEBUG_PODS) == without_debug_pods {
        problems.push(format!("{DEBUG_PODS} must be there if, and only if, the user allows debug pods"));
    }
    if !options.iter().any(|option| option.starts_with("--http-token-file=")) {
        problems.push("clients need no token".into());
    }
    if !at(deployment, "/spec/template/spec/containers/0/image").starts_with("registry.invalid/") {
        problems.push("the image has a registry that the user did not name".into());
    }
    for kind in ["Service", "ServiceAccount"] {
        if !objects.has(&format!("v1 {kind} {namespace}/{name}")) {
            problems.push(format!("there is no {kind} of this name"));
        }
    }
    let labels = deployment.pointer("/spec/template/metadata/labels");
    let selects =
        |(_, it): (&str, &Value), path: &str| it.pointer(path).is_some() && it.pointer(path) == labels;
    if !objects.of_kind("Service").any(|service| selects(service, "/spec/selector")) {
        problems.push("no Service selects its pods".into());
    }
    if deployment.pointer("/spec/selector/matchLabels") != labels {
        problems.push("it does not select its own pods".into());
    }
    problems
}

/// Returns the bindings whose role or user does not exist.
fn bindings(objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    let all = objects.of_kind("RoleBinding").chain(objects.of_kind("ClusterRoleBinding"));
    for (name, binding) in all {
        let role = match at(binding, "/roleRef/kind") {
            "Role" => {
                let namespace = at(binding, "/metadata/namespace");
                format!("rbac.authorization.k8s.io/v1 Role {namespace}/{}", at(binding, "/roleRef/name"))
            }
            kind => format!("rbac.authorization.k8s.io/v1 {kind} {}", at(binding, "/roleRef/name")),
        };
        if !objects.has(&role) {
            problems.push(format!("{name}: there is no {role}"));
        }
        let subjects = binding.get("subjects").and_then(Value::as_array).into_iter().flatten();
        let accounts =
            subjects.map(|it| format!("v1 ServiceAccount {}/{}", at(it, "/namespace"), at(it, "/name")));
        let unknown = accounts.filter(|account| !objects.has(account));
        problems.extend(unknown.map(|account| format!("{name}: there is no {account}")));
    }
    problems
}

fn options_of(deployment: &Value) -> Vec<String> {
    let args = deployment.pointer("/spec/template/spec/containers/0/args").and_then(Value::as_array);
    args.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
}

/// Returns the servers that do not understand the options that they are started with.
pub(super) fn options(workspace: &Workspace, objects: &Objects) -> Vec<String> {
    let mut problems = Vec::new();
    for layer in workspace.layers() {
        let mine = objects.of_kind("Deployment").filter(|(_, it)| at(it, "/metadata/name") == layer.name);
        for (name, deployment) in mine {
            let (binary, options) = (workspace.binary(layer), options_of(deployment));
            // The command `tools` takes the same options, and ends.
            let command = cmd!(workspace.sh, "{binary} {options...} tools").quiet().ignore_status();
            match command.output() {
                Ok(output) if output.status.success() => {}
                Ok(output) => problems.push(format!("{name}: {}", String::from_utf8_lossy(&output.stderr))),
                Err(error) => problems.push(format!("{name}: {error}")),
            }
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPLOYMENT: &str = include_str!("../../../deploy/kustomize/base/servers.yaml");

    /// Returns the first Deployment of the base, after a change of its text.
    fn changed(from: &str, to: &str) -> Value {
        let text = DEPLOYMENT.replacen(from, to, 1);
        assert_ne!(text, DEPLOYMENT, "{from}");
        let objects = Objects::parse(&text).unwrap();
        objects.of_kind("Deployment").next().unwrap().1.clone()
    }

    #[test]
    fn a_pod_that_is_not_restricted_is_found() {
        for (from, to, says) in [
            (
                "runAsNonRoot: true",
                "runAsNonRoot: false",
                "/securityContext/runAsNonRoot is false, but must be true",
            ),
            ("type: RuntimeDefault", "type: Unconfined", "must be \"RuntimeDefault\""),
            ("allowPrivilegeEscalation: false", "privileged: true", "allowPrivilegeEscalation is null"),
            (
                "allowPrivilegeEscalation: false",
                "allowPrivilegeEscalation: false\n            privileged: true",
                "privileged must",
            ),
            ("drop: [ALL]", "drop: [CHOWN]", "must be {\"drop\":[\"ALL\"]}"),
            ("enableServiceLinks: false", "hostNetwork: true", "hostNetwork must not be set"),
            ("containerPort: 8931", "hostPort: 8931", "hostPort must not be set"),
            ("path: /healthz", "path: /mcp", "/livenessProbe/httpGet/path is \"/mcp\""),
            ("secret:", "hostPath:", "is not a Secret"),
        ] {
            let found = restricted(&changed(from, to));
            assert!(found.iter().any(|problem| problem.contains(says)), "{to}: {found:?}");
        }
    }

    #[test]
    fn a_deployment_that_breaks_our_rules_is_found() {
        let objects = Objects::parse(DEPLOYMENT).unwrap();
        let good = objects.of_kind("Deployment").next().unwrap().1;
        assert_eq!(own(&objects, good, true), Vec::<String>::new());
        assert_eq!(restricted(good), Vec::<String>::new());
        for (from, to, says) in [
            ("- --http-token-file=/etc/ovn-troubleshooter/token", "- --allow-debug-pods", "if, and only if"),
            ("- --http-token-file=/etc/ovn-troubleshooter/token", "- --local", "clients need no token"),
            ("image: registry.invalid/", "image: quay.io/", "a registry that the user did not name"),
        ] {
            let found = own(&objects, &changed(from, to), true);
            assert!(found.iter().any(|problem| problem.contains(says)), "{to}: {found:?}");
        }
        let mut renamed = good.clone();
        *renamed.pointer_mut("/metadata/name").unwrap() = json!("other");
        assert_eq!(
            own(&objects, &renamed, true),
            ["there is no Service of this name", "there is no ServiceAccount of this name"]
        );
        let service =
            Objects::parse(&DEPLOYMENT.replace("  selector:\n    app", "  selector:\n    other: x\n    app"));
        assert_eq!(own(&service.unwrap(), good, true), ["no Service selects its pods"]);
    }

    #[test]
    fn a_binding_without_its_role_or_user_is_found() {
        let text = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: a, namespace: here }
roleRef: { kind: Role, name: r }
subjects: [{ kind: ServiceAccount, name: s, namespace: there }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: r, namespace: NAMESPACE }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: s, namespace: NAMESPACE }
";
        let found = |namespace| bindings(&Objects::parse(&text.replace("NAMESPACE", namespace)).unwrap());
        let binding = "rbac.authorization.k8s.io/v1 RoleBinding here/a";
        assert_eq!(found("here"), [format!("{binding}: there is no v1 ServiceAccount there/s")]);
        let role = "rbac.authorization.k8s.io/v1 Role here/r";
        assert_eq!(found("there"), [format!("{binding}: there is no {role}")]);
    }
}
