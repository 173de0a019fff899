//! One debug pod, from its making to its end.

pub(crate) use super::options::HOST_ROOT;
use super::options::{LIFE, Plan};
use crate::{
    Namespace, NodeName, PodRef, ReadError,
    backend::cluster::{
        ClusterError,
        api::{Api, Deadline},
        error::Asked,
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

/// How long a node may take to start one whose image it has.
const START: Duration = Duration::from_secs(20);

/// When a pod that could not be deleted is deleted again, or one that may still come into being.
const AGAIN: [Duration; 3] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2)];

/// What is left of a call's time to say why it did not.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Reasons that do not pass by waiting.
const HOPELESS: [&str; 9] = [
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

/// A running debug pod. It is deleted when it is dropped.
pub(crate) struct DebugPod {
    /// Deletes it.
    made: Made,
    since: Instant,
    used: Mutex<Instant>,
}

/// A pod that was made or asked for, and has to go.
struct Made {
    api: Api,
    pod: PodRef,
    leftovers: Leftovers,
    is: There,
}

/// What the server said of a pod.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum There {
    /// It was made.
    Yes,
    /// It was refused.
    No,
    /// Nothing: it may be there, or still come.
    Maybe,
}

impl Drop for Made {
    fn drop(&mut self) {
        if self.is != There::No {
            let (api, pod, is) = (self.api.clone(), self.pod.clone(), self.is);
            self.leftovers.see_to(async move { delete(&api, &pod, is).await });
        }
    }
}

/// Deletes a debug pod at once.
pub(super) async fn delete(api: &Api, pod: &PodRef, is: There) {
    let pods: kube::Api<Pod> = kube::Api::namespaced(api.client(), pod.namespace.as_str());
    let now = DeleteParams::default().grace_period(0);
    let mut problem = None;
    for pause in AGAIN {
        tokio::time::sleep(pause).await;
        #[expect(
            clippy::disallowed_methods,
            reason = "the one place where a pod is deleted: one that a server made"
        )]
        let deleted =
            tokio::time::timeout(Duration::from_secs(3), pods.delete(pod.name.as_str(), &now)).await;
        match deleted {
            Ok(Ok(_)) => return,
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => {
                problem = None;
                if is == There::Yes {
                    return;
                }
            }
            Ok(Err(e)) => problem = Some(crate::error::chain(&e)),
            Err(_) => problem = Some("it takes too long".into()),
        }
    }
    if let Some(problem) = problem {
        tracing::warn!(%pod, problem, "a debug pod could not be deleted: its deadline ends it");
    }
}

impl DebugPod {
    /// Makes one, and waits until it runs.
    pub(super) async fn start(
        api: &Api,
        plan: Plan,
        leftovers: Leftovers,
        mut closing: watch::Receiver<bool>,
        deadline: Deadline,
    ) -> Result<Self, ReadError> {
        let Plan { node, at, pod } = plan;
        let mut made = Made { api: api.clone(), pod: at, leftovers, is: There::Maybe };
        let what = format!("a debug pod on {node}");
        let stopping = || Err(failed(&node, "this server is about to stop".into()));
        let created = tokio::select! {
            created = deadline.bound(&what, create(api, &node, &made.pod.namespace, &pod)) => created,
            _ = closing.wait_for(|closing| *closing) => return stopping(),
        };
        made.is = match &created {
            Ok(()) => There::Yes,
            Err(ReadError::Cluster(ClusterError::DebugPod { .. })) => There::No,
            Err(_) => There::Maybe,
        };
        created?;
        let now = Instant::now();
        tokio::select! {
            waited = wait(api, &node, &made.pod, deadline) => waited?,
            _ = closing.wait_for(|closing| *closing) => return stopping(),
        }
        Ok(Self { made, since: now, used: Mutex::new(now) })
    }

    /// Where its commands run.
    pub(crate) fn container(&self) -> Container {
        Container { pod: self.made.pod.clone(), name: "debug".into() }
    }

    /// Will it live as long as the longest call?
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
    let asked =
        Asked { verb: "create", resource: "pods".into(), namespace: Some(namespace.to_string()), name: None };
    #[expect(clippy::disallowed_methods, reason = "the one place where a pod is made")]
    let created = pods.create(&PostParams::default(), pod).await;
    created.map(drop).map_err(|e| match api.error(&asked, e) {
        // Admission: a quota, a policy, Pod Security, OpenShift's security context constraints.
        ReadError::Cluster(
            ClusterError::Forbidden { said, .. } | ClusterError::Refused { code: 400..=499, said, .. },
        ) => failed(node, format!("the API server refused it: {said}")),
        other => other,
    })
}

fn failed(node: &NodeName, why: String) -> ReadError {
    ReadError::Cluster(ClusterError::DebugPod { node: node.to_string(), why })
}

async fn wait(api: &Api, node: &NodeName, pod: &PodRef, deadline: Deadline) -> Result<(), ReadError> {
    let asked = Asked {
        verb: "get",
        resource: "pods".into(),
        namespace: Some(pod.namespace.to_string()),
        name: Some(pod.name.to_string()),
    };
    let begun = Instant::now();
    let patience = START.min(deadline.left().saturating_sub(LAST_WORD));
    loop {
        let request = Request::new(format!("/api/v1/namespaces/{}/pods", pod.namespace))
            .get(pod.name.as_str(), &GetParams::default())
            .map_err(|e| ReadError::unreadable("a question", e))?;
        let now: Pod = api.get(&asked, request, deadline).await?;
        match pods::progress(&now) {
            pods::Progress::Running => return Ok(()),
            pods::Progress::Ended(why) => return Err(failed(node, why)),
            pods::Progress::Waiting { reason, message } if HOPELESS.contains(&reason.as_str()) => {
                return Err(failed(node, format!("{reason}: {message}")));
            }
            pods::Progress::Waiting { reason, message } if begun.elapsed() > patience => {
                let why =
                    format!("it is not running after {} s: {reason} {message}", begun.elapsed().as_secs());
                return Err(failed(node, why.trim_end().to_owned()));
            }
            pods::Progress::Waiting { .. } => {}
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
