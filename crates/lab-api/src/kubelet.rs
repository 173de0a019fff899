//! Does the work of a kubelet: sets the status of pods and finds their containers.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use serde_json::{Value, json};

use super::cluster::LabCluster;
use super::join::now;
use super::process::{Container, ContainerNamespaces, RootMount};
use super::status::Status;
use super::store::{list, text};

/// Sets the status of a pod whose containers run.
pub(super) fn is_running(pod: &mut Value) {
    let since = now();
    let started = pod.pointer("/metadata/creationTimestamp").map_or("", text).to_owned();
    let spec = pod.get("spec").cloned().unwrap_or_default();
    let statuses: Vec<Value> = list(&spec, "containers")
        .map(|container| {
            let image = container.get("image").map_or("localhost/nettools:dev", text);
            json!({
                "name": container.get("name"),
                "state": { "running": { "startedAt": started } },
                "lastState": {},
                "ready": true,
                "restartCount": 0,
                "image": image,
                "imageID": "",
                "started": true,
            })
        })
        .collect();
    let conditions: Vec<Value> = [
        "PodScheduled",
        "Initialized",
        "PodReadyToStartContainers",
        "ContainersReady",
        "Ready",
    ]
    .iter()
    .map(|kind| json!({ "type": kind, "status": "True", "lastProbeTime": null, "lastTransitionTime": since }))
    .collect();
    let Some(pod) = pod.as_object_mut() else { return };
    let status = pod.entry("status").or_insert_with(|| json!({}));
    if let Some(status) = status.as_object_mut() {
        status.insert("phase".into(), "Running".into());
        status.insert("startTime".into(), started.into());
        status.insert("conditions".into(), conditions.into());
        status.insert("containerStatuses".into(), statuses.into());
        status.insert("qosClass".into(), "BestEffort".into());
    }
}

/// Sets the status of a pod whose containers do not run yet, with the reason.
pub(super) fn waits(pod: &mut Value, reason: &str, message: &str) {
    is_running(pod);
    set_state(pod, None, &json!({ "waiting": { "reason": reason, "message": message } }));
    if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
        status.insert("phase".into(), "Pending".into());
    }
}

/// Sets the status of a pod that the kubelet rejects.
pub(super) fn rejected(pod: &mut Value, reason: &str, why: &str) {
    let status = json!({ "phase": "Failed", "reason": reason, "message": format!("Pod was rejected: {why}"), "startTime": now() });
    if let Some(pod) = pod.as_object_mut() {
        pod.insert("status".into(), status);
    }
}

/// Sets the status of a pod whose containers have ended.
pub(super) fn ended(pod: &mut Value, code: i32) {
    let reason = if code == 0 { "Completed" } else { "Error" };
    set_state(
        pod,
        None,
        &json!({ "terminated": { "exitCode": code, "reason": reason, "finishedAt": now() } }),
    );
    if let Some(status) = pod.get_mut("status").and_then(Value::as_object_mut) {
        status.insert("phase".into(), if code == 0 { "Succeeded" } else { "Failed" }.into());
    }
}

/// Sets the state of one container or of all containers.
fn set_state(pod: &mut Value, container: Option<&str>, state: &Value) {
    let running = state.get("running").is_some();
    let statuses = pod.pointer_mut("/status/containerStatuses").and_then(Value::as_array_mut);
    for status in statuses.into_iter().flatten() {
        if container.is_some_and(|container| status.get("name").is_none_or(|name| name != container)) {
            continue;
        }
        if let Some(status) = status.as_object_mut() {
            status.insert("state".into(), state.clone());
            status.insert("ready".into(), running.into());
            status.insert("started".into(), running.into());
        }
    }
}

impl LabCluster {
    /// Sets the given containers (`namespace/pod/container`) to restarting, and all others that were restarting to
    /// running.
    pub(super) fn restart(&self, containers: &BTreeSet<String>) -> Result<(), Status> {
        let mut restarting = self.restarting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container" } });
        let running = json!({ "running": { "startedAt": now() } });
        let changes = restarting.difference(containers).map(|name| (name, &running));
        for (name, state) in changes.chain(containers.difference(&restarting).map(|name| (name, &waiting))) {
            let words: Vec<&str> = name.split('/').collect();
            let [namespace, pod, container] = *words.as_slice() else {
                return Err(Status::bad_request(format!("`{name}` is not namespace/pod/container")));
            };
            let mut store = self.store();
            let mut object =
                store.core("pods", namespace, pod).cloned().ok_or_else(|| Status::pod_not_found(pod))?;
            set_state(&mut object, Some(container), state);
            store.put("v1", "pods", object);
        }
        restarting.clone_from(containers);
        Ok(())
    }

    /// Returns a pod and the requested container: the named one, the one in the annotation for the default, or the only
    /// one.
    pub(super) fn container_of(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<(Value, String), Status> {
        let store = self.store();
        let object = store.core("pods", namespace, pod).ok_or_else(|| Status::pod_not_found(pod))?;
        let spec = object.get("spec").unwrap_or(&Value::Null);
        let names: Vec<&str> = list(spec, "containers")
            .chain(list(spec, "initContainers"))
            .filter_map(|container| container.get("name")?.as_str())
            .collect();
        let default = object.pointer("/metadata/annotations/kubectl.kubernetes.io~1default-container");
        let wanted = match (container, default.and_then(Value::as_str)) {
            ("", Some(default)) => default,
            ("", None) => match names.as_slice() {
                [only] => only,
                _ => {
                    return Err(Status::bad_request(format!(
                        "a container name must be specified for pod {pod}, choose one of: [{}]",
                        names.join(" "),
                    )));
                }
            },
            (named, _) => named,
        };
        if !names.contains(&wanted) {
            return Err(Status::bad_request(format!("container {wanted} is not valid for pod {pod}")));
        }
        Ok((object.clone(), wanted.to_owned()))
    }

    /// Returns the requested container if it runs, so that commands can be run in it.
    pub(super) fn running_container(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
    ) -> Result<Container, Status> {
        let (object, name) = self.container_of(namespace, pod, container)?;
        let status = object.get("status").unwrap_or(&Value::Null);
        let this =
            list(status, "containerStatuses").find(|each| each.get("name").is_some_and(|n| *n == *name));
        let phase = status.get("phase").map_or("", text);
        if matches!(phase, "Succeeded" | "Failed") {
            return Err(Status::bad_request(format!(
                "cannot exec into a container in a completed pod; current phase is {phase}"
            )));
        }
        if this.and_then(|status| status.pointer("/state/running")).is_none() {
            return Err(Status::internal(format!(
                "unable to upgrade connection: container not found (\"{name}\")"
            )));
        }
        let node = object.pointer("/spec/nodeName").map_or("", text);
        let on_host = object.pointer("/spec/hostNetwork").is_some_and(|host| *host == true);
        let place = if on_host {
            let pods = self.lab.pods(node);
            self.lab.holder(node).map(|pid| ContainerNamespaces::Node {
                pid,
                pods,
                root: root_mount(&object, &name),
            })
        } else {
            self.lab.network(namespace, pod).map(ContainerNamespaces::Network)
        };
        let place = place.ok_or_else(|| {
            Status::internal(format!("unable to upgrade connection: container not found (\"{name}\")"))
        })?;
        let made_here = self.workloads.output(namespace, pod).is_some();
        let lacks = if made_here { Vec::new() } else { self.faults.lacks() };
        let server = self.processes.server.clone();
        Ok(Container { server, place, namespace: namespace.into(), pod: pod.into(), name, lacks })
    }
}

/// Returns the mount of the node's root in a container, if there is one.
fn root_mount(pod: &Value, container: &str) -> Option<RootMount> {
    let spec = pod.get("spec")?;
    let is_root = |volume: &&Value| volume.pointer("/hostPath/path").is_some_and(|path| path == "/");
    let volume = list(spec, "volumes").find(is_root)?.get("name")?;
    let container =
        list(spec, "containers").find(|each| each.get("name").is_some_and(|name| name == container))?;
    let mount = list(container, "volumeMounts").find(|mount| mount.get("name") == Some(volume))?;
    let read_only = mount.get("readOnly").is_some_and(|read_only| *read_only == true);
    Some(RootMount { path: mount.get("mountPath")?.as_str()?.trim_end_matches('/').into(), read_only })
}
