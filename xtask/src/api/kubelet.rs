//! What a kubelet says of pods and does with them.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::join::now;
use super::process::{Container, Place};
use super::status::Status;
use super::store::{list, text};

/// Fills in the status of a pod whose containers run.
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

impl Cluster {
    /// The pod, and the one of its containers that is meant: the first, if none is named.
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

    /// The same, if commands can run in it.
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
            self.lab.holder(node).map(Place::Node)
        } else {
            self.lab.network(namespace, pod).map(Place::Network)
        };
        let place = place.ok_or_else(|| {
            Status::internal(format!("unable to upgrade connection: container not found (\"{name}\")"))
        })?;
        Ok(Container { place, namespace: namespace.into(), pod: pod.into(), name })
    }
}
