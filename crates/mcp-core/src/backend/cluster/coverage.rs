//! Which areas of which nodes a live cluster can answer, from the containers that run.

use super::{
    api::{Api, RequestDeadline},
    pods,
};
use crate::{
    CommandPlace,
    backend::{AreaState, Coverage, DataArea, NodeCoverage},
    error::chain,
};
use k8s_openapi::api::core::v1::Pod;

/// Marks the areas that no running container reaches. It lists the pods of OVN-Kubernetes once, and runs no command.
pub(super) async fn mark(api: &Api, coverage: &mut Coverage, deadline: RequestDeadline) {
    match pods::of_ovn_kubernetes(api, deadline).await {
        Ok(pods) => coverage.nodes.iter_mut().for_each(|node| mark_node(node, &pods)),
        Err(e) => {
            let note =
                format!("it is not known which containers run, because pods cannot be listed: {}", chain(&e));
            coverage.notes.push(note);
        }
    }
}

fn mark_node(of: &mut NodeCoverage, pods: &[Pod]) {
    let is_here = |pod: &&Pod| {
        let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        node == Some(of.node.as_str())
    };
    let pods: Vec<Pod> = pods.iter().filter(is_here).cloned().collect();
    for held in &mut of.areas {
        let place = match held.area {
            DataArea::Northbound => CommandPlace::NbSocket,
            DataArea::Southbound => CommandPlace::SbSocket,
            DataArea::OpenVSwitch | DataArea::Dataplane => CommandPlace::OvsSocket,
            // Other containers and debug pods reach the host, and the API server has the objects and the logs.
            _ => continue,
        };
        let found = pods::candidates(&pods, &place);
        if !found.containers.is_empty() {
            continue;
        }
        held.state = AreaState::Absent;
        held.details = match found.passed_over.is_empty() {
            true => vec!["no container of OVN-Kubernetes on the node reaches it".into()],
            false => found.passed_over,
        };
    }
}
