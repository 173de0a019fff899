//! Deletes debug pods of servers that were killed.

use super::{
    options::{LIFE, MANAGED_BY, OWNER, PREFIX},
    owner::Owner,
    pod,
};
use crate::backend::cluster::{
    api::{Api, RequestDeadline},
    error::ApiRequest,
    pods,
};
use k8s_openapi::{List, api::core::v1::Pod};
use kube::api::{ListParams, Request};
use std::time::Duration;

/// How far the clocks of two hosts may differ, in seconds.
const CLOCKS: u32 = 3600;

/// Deletes debug pods that no server will delete: their server is known to be dead, or they are past their deadline.
pub(crate) async fn sweep(api: Api) {
    let (label, value) = MANAGED_BY;
    let which = ListParams::default().labels(&format!("{label}={value}"));
    let Ok(request) = Request::new("/api/v1/pods").list(&which) else { return };
    let asked = ApiRequest::cluster("list", "pods");
    match api.get::<List<Pod>>(&asked, request, RequestDeadline::after(Duration::from_secs(20))).await {
        Ok(list) => {
            for left in list.items.iter().filter(|pod| is_left_over(pod)).filter_map(pods::reference) {
                tracing::warn!(pod = %left, "deleting the debug pod of a dead server");
                pod::delete(&api, &left, pod::Existence::Yes).await;
            }
        }
        Err(problem) => tracing::warn!(%problem, "cannot list debug pods of dead servers"),
    }
}

fn is_left_over(pod: &Pod) -> bool {
    // Other programs may set the same label. A pod of one of these servers has the label, the annotation and the name
    // prefix.
    let owner = pod.metadata.annotations.as_ref().and_then(|all| all.get(OWNER));
    let Some(owner) = owner.and_then(|owner| owner.parse::<Owner>().ok()) else { return false };
    if !pod.metadata.name.as_ref().is_some_and(|name| name.starts_with(PREFIX)) {
        return false;
    }
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    let ended = matches!(phase, Some("Failed" | "Succeeded"));
    let made = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let expired = made
        .is_some_and(|made| jiff::Timestamp::now().as_second() - made.as_second() > i64::from(LIFE + CLOCKS));
    ended || expired || owner.is_dead()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(owner: &str, age: i64, phase: &str) -> Pod {
        let made = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second() - age).unwrap();
        serde_json::from_value(json!({
            "metadata": {
                "name": "ovn-mcp-debug-1", "annotations": { OWNER: owner }, "creationTimestamp": made.to_string(),
            },
            "status": { "phase": phase },
        }))
        .unwrap()
    }

    #[test]
    fn only_pods_that_no_server_will_delete_are_swept() {
        let us = Owner::this_process().to_string();
        let dead = us.rsplit_once(' ').map(|(rest, _)| format!("{rest} 1")).unwrap();
        assert!(!is_left_over(&pod(&us, 10, "Running")), "its server runs here");
        assert!(is_left_over(&pod(&dead, 10, "Running")), "its server was killed here");
        assert!(!is_left_over(&pod("elsewhere b n 1 2", 10, "Running")), "its server runs on another host");
        assert!(!is_left_over(&pod("elsewhere b n 1 2", 700, "Running")), "the clocks may differ");
        assert!(is_left_over(&pod("elsewhere b n 1 2", 5_000, "Running")), "it is past its deadline");
        assert!(is_left_over(&pod("elsewhere b n 1 2", 10, "Failed")));
        assert!(!is_left_over(&pod("whatever", 5_000, "Failed")), "the annotation names no owner");
        let mut others = pod("elsewhere b n 1 2", 5_000, "Failed");
        others.metadata.name = Some("web-1".into());
        assert!(!is_left_over(&others));
    }
}
