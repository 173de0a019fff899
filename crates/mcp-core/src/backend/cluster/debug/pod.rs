//! One debug pod, from its creation to its deletion.

pub(crate) use super::options::HOST_ROOT;
use super::options::{DebugPodPlan, LIFE};
use crate::{
    Namespace, NodeName, PodRef, ReadError,
    backend::cluster::{
        ClusterError,
        api::{Api, RequestDeadline},
        error::ApiRequest,
        exec::Container,
        leftovers::Leftovers,
        pods,
    },
};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    api::{DeleteParams, PostParams, Request},
    core::params::GetParams,
};
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time::Instant};

/// How long a node may take to start a debug pod whose image it has.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// The pauses before each attempt to delete a pod. Later attempts repeat a failed deletion, or delete a pod that the
/// API server created late.
const DELETE_PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];

/// The time that a call keeps to report why a pod did not start.
const REPORT_TIME: Duration = Duration::from_secs(1);

/// Reasons that do not go away by waiting.
const PERMANENT_REASONS: [&str; 9] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "RegistryUnavailable",
];

/// A running debug pod. Dropping it deletes the pod.
pub(crate) struct DebugPod {
    /// Deletes the pod when it is dropped.
    made: PodGuard,
    since: Instant,
    used: Mutex<Instant>,
}

/// A pod that was created or requested, and must be deleted.
struct PodGuard {
    api: Api,
    pod: PodRef,
    leftovers: Leftovers,
    is: Existence,
}

/// Whether a pod exists, as far as the API server said.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Existence {
    /// The pod was created.
    Yes,
    /// The creation was refused.
    No,
    /// The API server did not answer: the pod may exist, or may still be created.
    Maybe,
}

impl Drop for PodGuard {
    fn drop(&mut self) {
        if self.is != Existence::No {
            let (api, pod, is) = (self.api.clone(), self.pod.clone(), self.is);
            self.leftovers.see_to(async move { delete(&api, &pod, is).await });
        }
    }
}

/// Deletes a debug pod without a grace period.
pub(super) async fn delete(api: &Api, pod: &PodRef, is: Existence) {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client(), pod.namespace.as_str());
    let now = DeleteParams::default().grace_period(0);
    let mut problem = None;
    for pause in DELETE_PAUSES {
        tokio::time::sleep(pause).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place that deletes a pod, and only a debug pod"
        )]
        let deleted =
            tokio::time::timeout(Duration::from_secs(3), pods.delete(pod.name.as_str(), &now)).await;
        match deleted {
            Ok(Ok(_)) => return,
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => {
                problem = None;
                if is == Existence::Yes {
                    return;
                }
            }
            Ok(Err(e)) => problem = Some(crate::error::chain(&e)),
            Err(_) => problem = Some("the deletion takes too long".into()),
        }
    }
    if let Some(problem) = problem {
        tracing::warn!(%pod, problem, "a debug pod could not be deleted; it ends at its deadline");
    }
}

impl DebugPod {
    /// Creates a debug pod, and waits until it runs.
    pub(super) async fn start(
        api: &Api,
        plan: DebugPodPlan,
        leftovers: Leftovers,
        mut closing: watch::Receiver<bool>,
        deadline: RequestDeadline,
    ) -> Result<Self, ReadError> {
        let DebugPodPlan { node, at, pod } = plan;
        let mut made = PodGuard { api: api.clone(), pod: at, leftovers, is: Existence::Maybe };
        let what = format!("a debug pod on {node}");
        let stopping = || Err(failed(&node, "this server is shutting down".into()));
        let created = tokio::select! {
            created = deadline.bound(&what, create(api, &node, &made.pod.namespace, &pod)) => created,
            _ = closing.wait_for(|closing| *closing) => return stopping(),
        };
        made.is = match &created {
            Ok(()) => Existence::Yes,
            Err(ReadError::Cluster(ClusterError::DebugPod { .. })) => Existence::No,
            Err(_) => Existence::Maybe,
        };
        created?;
        let now = Instant::now();
        tokio::select! {
            waited = wait(api, &node, &made.pod, deadline) => waited?,
            _ = closing.wait_for(|closing| *closing) => return stopping(),
        }
        Ok(Self { made, since: now, used: Mutex::new(now) })
    }

    /// The container where commands run.
    pub(crate) fn container(&self) -> Container {
        Container { pod: self.made.pod.clone(), name: "debug".into() }
    }

    /// Returns true if the pod outlives the longest call.
    pub(super) fn can_be_used(&self) -> bool {
        self.since.elapsed() < Duration::from_secs(u64::from(LIFE / 2 - 30))
    }

    pub(super) fn touch(&self) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn idle(&self) -> Duration {
        self.used.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

async fn create(api: &Api, node: &NodeName, namespace: &Namespace, pod: &Pod) -> Result<(), ReadError> {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client(), namespace.as_str());
    let asked = ApiRequest {
        verb: "create",
        resource: "pods".into(),
        namespace: Some(namespace.to_string()),
        name: None,
    };
    #[expect(clippy::disallowed_methods, reason = "the one place that creates a pod")]
    let created = pods.create(&PostParams::default(), pod).await;
    created.map(drop).map_err(|e| match api.error(&asked, e) {
        // Admission can refuse the pod: a quota, a policy, Pod Security, or OpenShift's security context constraints.
        ReadError::Cluster(
            ClusterError::Forbidden { said, .. } | ClusterError::Refused { code: 400..=499, said, .. },
        ) => failed(node, format!("the API server refused it: {said}")),
        other => other,
    })
}

fn failed(node: &NodeName, why: String) -> ReadError {
    ReadError::Cluster(ClusterError::DebugPod { node: node.to_string(), why })
}

async fn wait(api: &Api, node: &NodeName, pod: &PodRef, deadline: RequestDeadline) -> Result<(), ReadError> {
    let asked = ApiRequest {
        verb: "get",
        resource: "pods".into(),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
    };
    let begun = Instant::now();
    let time_limit = START_TIMEOUT.min(deadline.left().saturating_sub(REPORT_TIME));
    loop {
        let request = Request::new(format!("/api/v1/namespaces/{}/pods", pod.namespace))
            .get(pod.name.as_str(), &GetParams::default())
            .map_err(|e| ReadError::unreadable("a request", e))?;
        let now: Pod = api.get(&asked, request, deadline).await?;
        match pods::start_progress(&now) {
            pods::StartProgress::Running => return Ok(()),
            pods::StartProgress::Ended(why) => return Err(failed(node, why)),
            pods::StartProgress::Waiting { reason, message }
                if PERMANENT_REASONS.contains(&reason.as_str()) =>
            {
                return Err(failed(node, format!("{reason}: {message}")));
            }
            pods::StartProgress::Waiting { reason, message } if begun.elapsed() > time_limit => {
                let why =
                    format!("it is not running after {} s: {reason} {message}", begun.elapsed().as_secs());
                return Err(failed(node, why.trim_end().to_owned()));
            }
            pods::StartProgress::Waiting { .. } => {}
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
