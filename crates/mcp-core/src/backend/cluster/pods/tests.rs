//! Tests with the pods of a real cluster, as its API server listed them, and with the names of other distributions.

use super::*;
use serde_json::{Value, json};
use std::{io::Read, path::Path};

/// The pods on a node of the captured cluster (upstream's chart).
fn captured(node: &str) -> Vec<Value> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/capture/api.tar.xz");
    let mut archive = tar::Archive::new(liblzma::read::XzDecoder::new(std::fs::File::open(archive).unwrap()));
    let is_it = |entry: &tar::Entry<'_, _>| entry.path().unwrap().ends_with("api_v1_pods.list.json");
    let mut list = archive.entries().unwrap().flatten().find(is_it).unwrap();
    let mut text = String::new();
    list.read_to_string(&mut text).unwrap();
    let list: Value = serde_json::from_str(&text).unwrap();
    let on_node = |pod: &&Value| pod.pointer("/spec/nodeName").is_some_and(|it| it == node);
    let ours = |pod: &&Value| {
        pod.pointer("/metadata/labels/app")
            .and_then(Value::as_str)
            .is_some_and(|app| ["ovnkube-node", "ovs-node"].contains(&app))
    };
    list["items"].as_array().unwrap().iter().filter(on_node).filter(ours).cloned().collect()
}

fn typed(pods: Vec<Value>) -> Vec<Pod> {
    pods.into_iter().map(|pod| serde_json::from_value(pod).unwrap()).collect()
}

fn names(pods: &[Pod], place: &CommandPlace) -> Vec<String> {
    candidates(pods, place).containers.into_iter().map(|container| container.name).collect()
}

fn first(pods: &[Pod], place: CommandPlace) -> String {
    names(pods, &place).swap_remove(0)
}

#[test]
fn upstream_containers_are_found_by_name() {
    let pods = typed(captured("ovn-worker"));
    assert_eq!(pods.len(), 2, "ovnkube-node and ovs-node");
    for (place, container) in [
        (CommandPlace::NbSocket, "nb-ovsdb"),
        (CommandPlace::SbSocket, "sb-ovsdb"),
        (CommandPlace::Northd, "ovn-northd"),
        (CommandPlace::OvnController, "ovn-controller"),
        (CommandPlace::OvsSocket, "ovs-daemons"),
        (CommandPlace::Host, "ovnkube-controller"),
    ] {
        assert_eq!(first(&pods, place.clone()), container, "{place}");
    }
    assert_eq!(names(&pods, &CommandPlace::NbSocket)[..3], ["nb-ovsdb", "ovn-northd", "ovnkube-controller"]);
    assert!(image(&pods).is_some_and(|image| image.contains("ovn")));
}

#[test]
fn openshift_containers_have_other_names_and_open_vswitch_runs_on_the_host() {
    let mut pods = captured("ovn-worker");
    pods.retain(|pod| pod["metadata"]["labels"]["app"] == "ovnkube-node");
    let text = json!(pods).to_string();
    let text = [
        ("nb-ovsdb", "nbdb"),
        ("sb-ovsdb", "sbdb"),
        ("ovn-northd", "northd"),
        ("ovs-metrics-exporter", "kube-rbac-proxy-node"),
    ]
    .iter()
    .fold(text, |text, (from, to)| {
        text.replace(&format!("\"name\":\"{from}\""), &format!("\"name\":\"{to}\""))
    });
    let pods = typed(serde_json::from_str(&text).unwrap());
    for (place, container) in [
        (CommandPlace::NbSocket, "nbdb"),
        (CommandPlace::SbSocket, "sbdb"),
        (CommandPlace::Northd, "northd"),
        (CommandPlace::OvsSocket, "ovn-controller"),
    ] {
        assert_eq!(first(&pods, place.clone()), container, "{place}");
        assert!(!names(&pods, &place).iter().any(|name| name.starts_with("kube-rbac-proxy")));
    }
}

#[test]
fn containers_that_do_not_run_are_passed_over_and_named() {
    let mut pods = captured("ovn-worker");
    for pod in &mut pods {
        for status in pod["status"]["containerStatuses"].as_array_mut().unwrap() {
            if status["name"] == "nb-ovsdb" {
                status["state"] = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
            }
            if status["name"] == "ovn-northd" {
                status["state"] = json!({ "terminated": { "reason": "Error", "exitCode": 1 } });
            }
        }
    }
    let found = candidates(&typed(pods), &CommandPlace::NbSocket);
    assert_eq!(found.containers[0].name, "ovnkube-controller");
    let why: Vec<&str> = found
        .passed_over
        .iter()
        .filter_map(|one| one.split_once(" is not running "))
        .map(|(_, why)| why)
        .collect();
    assert_eq!(why, ["(CrashLoopBackOff)", "(Error, exit status 1)"]);
}

#[test]
fn a_terminating_pod_ranks_after_a_running_pod() {
    let mut pods = captured("ovn-worker");
    let mut old = pods.iter().find(|pod| pod["metadata"]["labels"]["app"] == "ovnkube-node").unwrap().clone();
    old["metadata"]["name"] = json!("aaa");
    old["metadata"]["deletionTimestamp"] = json!("2026-11-22T08:00:00Z");
    pods.push(old);
    let pods: Vec<Pod> = typed(pods);
    assert_ne!(candidates(&pods, &CommandPlace::NbSocket).containers[0].pod.name.as_str(), "aaa");
}

#[test]
fn a_waiting_pod_has_a_reason() {
    let pod =
        |status: Value| serde_json::from_value::<Pod>(json!({ "metadata": {}, "status": status })).unwrap();
    let container = |state: Value| json!({ "phase": "Pending", "containerStatuses": [{ "name": "debug", "ready": false, "restartCount": 0, "image": "", "imageID": "", "state": state }] });
    let waiting = container(
        json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } }),
    );
    assert!(matches!(start_progress(&pod(waiting)), StartProgress::Waiting { reason, message }
        if reason == "ImagePullBackOff" && message == "Back-off pulling image"));
    assert!(matches!(start_progress(&pod(container(json!({ "running": {} })))), StartProgress::Running));
    let evicted =
        json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
    assert!(
        matches!(start_progress(&pod(evicted)), StartProgress::Ended(why) if why.contains("Evicted The node was low"))
    );
    let unscheduled = json!({ "phase": "Pending", "conditions": [
        { "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes are available" },
    ] });
    assert!(
        matches!(start_progress(&pod(unscheduled)), StartProgress::Waiting { reason, .. } if reason == "Unschedulable")
    );
}

#[test]
fn the_container_says_why_a_pod_ended() {
    let pod = |status: serde_json::Value| {
        serde_json::from_value::<Pod>(json!({ "metadata": {}, "status": status })).unwrap()
    };
    let state = json!({ "terminated": { "exitCode": 128, "reason": "StartError", "message": "exec: sleep: not found" } });
    let status = json!({ "name": "debug", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    for (status, why) in [
        (
            json!({ "phase": "Failed", "containerStatuses": [status] }),
            "it ended immediately: StartError exec: sleep: not found, exit status 128",
        ),
        (
            json!({ "phase": "Failed", "reason": "OutOfpods", "message": "Pod was rejected" }),
            "it ended immediately: OutOfpods Pod was rejected",
        ),
    ] {
        let StartProgress::Ended(said) = start_progress(&pod(status)) else {
            panic!("the pod has not ended")
        };
        assert_eq!(said, why);
    }
}
