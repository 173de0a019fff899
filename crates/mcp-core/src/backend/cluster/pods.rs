//! The OVN-Kubernetes pods of a node, and which of their containers reaches a place.
//!
//! The names of namespaces, workloads and containers differ between distributions and releases (upstream, OpenShift,
//! MicroShift; with and without a hyphen). The label `app` and the directories that a container mounts do not differ.

use super::{
    api::{Api, RequestDeadline},
    error::{ApiRequest, ClusterError},
    exec::Container,
};
use crate::{CommandPlace, NodeName, PodRef, ReadError};
use k8s_openapi::{
    List,
    api::core::v1::{Container as Spec, ContainerStatus, Pod},
};
use kube::api::{ListParams, Request};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A label selector for OVN-Kubernetes workloads on nodes. In MicroShift, `ovnkube-master` has the databases.
const APPS: &str = "app in (ovnkube-node,ovnkube-node-dpu,ovnkube-node-dpu-host,ovs-node,ovnkube-master,ovnkube-db,\
                    ovnkube-zone-controller)";

/// Workloads that have the databases of a whole cluster, or of a zone with several nodes. The label `app` names them;
/// upstream's manifests of central mode use the label `name`.
const CENTRAL: [&str; 3] = ["ovnkube-master", "ovnkube-db", "ovnkube-zone-controller"];
const CENTRAL_BY_NAME: &str = "name in (ovnkube-master,ovnkube-db)";

/// How long a list of pods is cached: as long as the calls of one question take.
const FRESH: Duration = Duration::from_secs(5);

/// How to find the containers for a place.
struct ContainerRule {
    /// The names of containers, the best first: containers of the daemon, then containers with its clients.
    names: &'static [&'static str],
    /// How many of the names belong to the daemon itself.
    own: usize,
    /// The directories of the daemon's sockets. Every container that mounts one of them reaches the daemon.
    mounts: &'static [&'static str],
}

const OVN: &[&str] = &["/run/ovn", "/var/run/ovn"];
const OVS: &[&str] = &["/run/openvswitch", "/var/run/openvswitch"];

fn rule_for(place: &CommandPlace) -> ContainerRule {
    let (names, own, mounts): (&[&str], _, _) = match place {
        CommandPlace::NbSocket => {
            (&["nb-ovsdb", "nbdb", "ovn-northd", "northd", "ovnkube-controller"], 2, OVN)
        }
        CommandPlace::SbSocket => {
            (&["sb-ovsdb", "sbdb", "ovn-northd", "northd", "ovn-controller", "ovnkube-controller"], 2, OVN)
        }
        CommandPlace::Northd => (&["ovn-northd", "northd"], 2, OVN),
        CommandPlace::OvnController => (&["ovn-controller"], 1, OVN),
        // On OpenShift, Open vSwitch runs on the host, and these containers reach its sockets.
        CommandPlace::OvsSocket => {
            (&["ovs-daemons", "ovn-controller", "ovnkube-controller", "ovnkube-node"], 1, OVS)
        }
        CommandPlace::Host | CommandPlace::Pod(_) => (
            &["ovnkube-controller", "ovnkube-node", "ovs-daemons", "ovn-controller", "nbdb", "nb-ovsdb"],
            0,
            &[],
        ),
    };
    ContainerRule { names, own, mounts }
}

/// A cache of the pods of each node, for a few seconds.
#[derive(Default)]
pub(super) struct Pods(Mutex<HashMap<NodeName, CachedPods>>);

/// When the pods were listed, and the pods.
type CachedPods = (Instant, Arc<Vec<Pod>>);

impl Pods {
    /// The OVN-Kubernetes pods on a node.
    pub(super) async fn of(
        &self,
        api: &Api,
        node: &NodeName,
        deadline: RequestDeadline,
    ) -> Result<Arc<Vec<Pod>>, ReadError> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(node).cloned();
        if let Some((_, pods)) = known.filter(|(when, _)| when.elapsed() < FRESH) {
            return Ok(pods);
        }
        let on_node = format!("spec.nodeName={node}");
        let pods = Arc::new(list(api, ListParams::default().labels(APPS).fields(&on_node), deadline).await?);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(node.clone(), (Instant::now(), pods.clone()));
        Ok(pods)
    }

    /// Drops the cached pods of a node, because one of them has moved or ended.
    pub(super) fn forget(&self, node: &NodeName) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(node);
    }
}

async fn list(api: &Api, which: ListParams, deadline: RequestDeadline) -> Result<Vec<Pod>, ReadError> {
    let asked = ApiRequest::cluster("list", "pods");
    let request = Request::new("/api/v1/pods").list(&which);
    let request = request.map_err(|e| ReadError::unreadable("a request", e))?;
    Ok(api.get::<List<Pod>>(&asked, request, deadline).await?.items)
}

/// All OVN-Kubernetes pods of the cluster.
pub(super) async fn of_ovn_kubernetes(api: &Api, deadline: RequestDeadline) -> Result<Vec<Pod>, ReadError> {
    list(api, ListParams::default().labels(APPS), deadline).await
}

/// All running pods on a node that use the host's network.
pub(super) async fn on_host_network(
    api: &Api,
    node: &NodeName,
    deadline: RequestDeadline,
) -> Result<Vec<Pod>, ReadError> {
    let on_node = format!("spec.nodeName={node},status.phase=Running");
    let mut pods = list(api, ListParams::default().fields(&on_node), deadline).await?;
    pods.retain(uses_host_network);
    Ok(pods)
}

pub(super) fn uses_host_network(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.host_network == Some(true))
}

/// The containers where a command can run, the best first, and the containers that were passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Candidates {
    pub(super) containers: Vec<Container>,
    /// The containers that are not running, and why: `nbdb of …, which is not running (CrashLoopBackOff)`.
    pub(super) passed_over: Vec<String>,
}

/// Finds the containers that reach a place.
pub(super) fn candidates(pods: &[Pod], place: &CommandPlace) -> Candidates {
    let wanted = rule_for(place);
    let mut ranked = Vec::new();
    for pod in pods.iter().filter(|pod| *place != CommandPlace::Host || uses_host_network(pod)) {
        let ending = pod.metadata.deletion_timestamp.is_some();
        for spec in containers(pod) {
            let named = wanted.names.iter().position(|name| *name == spec.name);
            let rank = match (named, place) {
                (Some(rank), CommandPlace::Host) => Some((!is_privileged(spec), rank)),
                (None, CommandPlace::Host) => Some((!is_privileged(spec), wanted.names.len())),
                (Some(rank), _) if rank < wanted.own || mounts(spec, wanted.mounts) => Some((false, rank)),
                (None, _) if mounts(spec, wanted.mounts) => Some((false, wanted.names.len())),
                _ => None,
            };
            // The container kube-rbac-proxy has no OVN or Open vSwitch clients.
            if let Some(rank) = rank.filter(|_| !spec.name.starts_with("kube-rbac-proxy")) {
                ranked.push(((ending, rank), pod, spec));
            }
        }
    }
    ranked.sort_by_key(|(rank, pod, _)| (*rank, pod.metadata.name.clone()));
    let mut found = Candidates::default();
    for (_, pod, spec) in ranked {
        let Some(pod_ref) = reference(pod) else { continue };
        let container = Container { pod: pod_ref, name: spec.name.clone() };
        match why_not_running(pod, &spec.name) {
            None => found.containers.push(container),
            Some(why) => found.passed_over.push(format!("{container} is not running ({why})")),
        }
    }
    found
}

/// The running containers of a pod, in the order of its spec.
pub(super) fn running(pod: &Pod) -> Candidates {
    let mut found = Candidates::default();
    for spec in containers(pod) {
        let Some(pod_ref) = reference(pod) else { continue };
        let container = Container { pod: pod_ref, name: spec.name.clone() };
        match why_not_running(pod, &spec.name) {
            None => found.containers.push(container),
            Some(why) => found.passed_over.push(format!("{container} is not running ({why})")),
        }
    }
    found
}

/// The containers of a pod and its sidecars, which are init containers with `restartPolicy: Always`.
fn containers(pod: &Pod) -> impl Iterator<Item = &Spec> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    let sidecars = init.filter(|c| c.restart_policy.as_deref() == Some("Always"));
    spec.map(|spec| &spec.containers).into_iter().flatten().chain(sidecars)
}

fn is_privileged(spec: &Spec) -> bool {
    spec.security_context.as_ref().is_some_and(|context| context.privileged == Some(true))
}

/// Returns true if the container mounts one of these directories.
fn mounts(spec: &Spec, wanted: &[&str]) -> bool {
    let mounted = |path: &str| {
        let path = path.trim_end_matches('/');
        wanted.contains(&path)
    };
    spec.volume_mounts.iter().flatten().any(|mount| mounted(&mount.mount_path))
}

pub(super) fn reference(pod: &Pod) -> Option<PodRef> {
    let (namespace, name) = (pod.metadata.namespace.as_ref()?, pod.metadata.name.as_ref()?);
    Some(PodRef { namespace: namespace.parse().ok()?, name: name.parse().ok()? })
}

fn status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let all = status.container_statuses.iter().chain(&status.init_container_statuses).flatten();
    all.into_iter().find(|status| status.name == container)
}

/// Why a container is not running, or `None` if it runs.
fn why_not_running(pod: &Pod, container: &str) -> Option<String> {
    let unknown = || {
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone());
        Some(phase.map_or_else(|| "no status".into(), |phase| format!("its pod is {phase}")))
    };
    let Some(state) = status(pod, container).and_then(|status| status.state.as_ref()) else {
        return unknown();
    };
    if state.running.is_some() {
        return None;
    }
    let waiting = state.waiting.as_ref().and_then(|waiting| waiting.reason.clone());
    let ended = state.terminated.as_ref().map(|ended| {
        format!("{}, exit status {}", ended.reason.as_deref().unwrap_or("ended"), ended.exit_code)
    });
    waiting.or(ended).map_or_else(unknown, Some)
}

/// Lists the containers that exist on a node, for an error.
fn existing_containers(pods: &[Pod]) -> Vec<String> {
    let line = |pod: &Pod| {
        let container = |spec: &Spec| match why_not_running(pod, &spec.name) {
            None => spec.name.clone(),
            Some(why) => format!("{} ({why})", spec.name),
        };
        let containers: Vec<String> = containers(pod).map(container).collect();
        Some(format!("{} with {}", reference(pod)?, containers.join(", ")))
    };
    pods.iter().filter_map(line).collect()
}

/// The error for a place that no container reaches.
pub(super) fn no_container(pods: &[Pod], place: &CommandPlace, node: &NodeName) -> ReadError {
    let ContainerRule { names, own, mounts } = rule_for(place);
    let named: Vec<&str> = names.iter().take(own).copied().collect();
    let wanted = match (place, named.is_empty()) {
        (CommandPlace::Host, _) => "any container of a pod on the host's network".to_owned(),
        (_, true) => "any container of the pod".to_owned(),
        _ => format!("a container {}, or one that mounts {}", named.join(" or "), mounts.join(" or ")),
    };
    let (place, node) = (place.to_string(), node.to_string());
    ReadError::Cluster(ClusterError::NoContainer { place, node, wanted, there: existing_containers(pods) })
}

/// Fails if the databases of this cluster do not belong to single nodes.
///
/// MicroShift also has a workload `ovnkube-master`, but its cluster has only one node.
pub(super) async fn refuse_central(
    api: &Api,
    node: &NodeName,
    place: &CommandPlace,
    pods: &[Pod],
    deadline: RequestDeadline,
) -> Result<(), ReadError> {
    if !matches!(place, CommandPlace::NbSocket | CommandPlace::SbSocket | CommandPlace::Northd) {
        return Ok(());
    }
    let own: &[&str] = &["nb-ovsdb", "nbdb", "sb-ovsdb", "sbdb", "ovn-northd", "northd"];
    let has_own = |pod: &Pod| containers(pod).any(|spec| own.contains(&spec.name.as_str()));
    let is_central = |pod: &Pod| workload(pod).is_some_and(|name| CENTRAL.contains(&name));
    // The controller of a zone answers for its own node too.
    if pods
        .iter()
        .any(|pod| has_own(pod) && (!is_central(pod) || workload(pod) == Some("ovnkube-zone-controller")))
    {
        return Ok(());
    }
    let labelled = |labels| list(api, ListParams::default().labels(labels), deadline);
    let (mut all, by_name) = futures::try_join!(labelled(APPS), labelled(CENTRAL_BY_NAME))?;
    all.extend(by_name);
    let central: Vec<&Pod> = all.iter().filter(|pod| is_central(pod) && has_own(pod)).collect();
    let of = |pod: &Pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let elsewhere = all.iter().any(|pod| of(pod).is_some_and(|other| other != node.as_str()));
    match central.first().filter(|_| elsewhere).and_then(|pod| reference(pod)) {
        Some(pod) => {
            let found = format!("{pod} has the databases of several nodes");
            Err(ReadError::Cluster(ClusterError::Central { node: node.to_string(), found }))
        }
        None => Ok(()),
    }
}

/// The name that OVN-Kubernetes gives the workload of a pod.
fn workload(pod: &Pod) -> Option<&str> {
    let labels = pod.metadata.labels.as_ref()?;
    labels.get("app").or_else(|| labels.get("name")).map(String::as_str)
}

/// The image that OVN-Kubernetes runs on a node. It contains the tools of OVN and of the host's network.
pub(super) fn image(pods: &[Pod]) -> Option<&str> {
    let of = |name: &str| pods.iter().flat_map(containers).find(|spec| spec.name == name);
    let spec = ["ovnkube-controller", "ovnkube-node", "ovn-controller"].into_iter().find_map(of)?;
    spec.image.as_deref()
}

/// The progress of starting a pod with one container.
pub(super) enum StartProgress {
    Running,
    Waiting { reason: String, message: String },
    Ended(String),
}

pub(super) fn start_progress(pod: &Pod) -> StartProgress {
    let Some(status) = pod.status.as_ref() else {
        return StartProgress::Waiting {
            reason: "the node has not accepted it yet".into(),
            message: String::new(),
        };
    };
    let said = |reason: &Option<String>, message: &Option<String>| {
        (reason.clone().unwrap_or_default(), message.clone().unwrap_or_default())
    };
    let container =
        status.container_statuses.iter().flatten().next().and_then(|status| status.state.as_ref());
    if let Some("Failed" | "Succeeded") = status.phase.as_deref() {
        let (reason, message) = said(&status.reason, &status.message);
        // The status of the pod does not mention a container that ended by itself.
        let ended = container.and_then(|state| state.terminated.as_ref()).map(|ended| {
            let (reason, message) = said(&ended.reason, &ended.message);
            format!("{reason} {message}, exit status {}", ended.exit_code)
        });
        let why = [reason, message, ended.unwrap_or_default()].join(" ");
        return StartProgress::Ended(format!("it ended immediately: {}", why.trim()));
    }
    if container.is_some_and(|state| state.running.is_some()) {
        return StartProgress::Running;
    }
    if let Some(waiting) = container.and_then(|state| state.waiting.as_ref()) {
        let (reason, message) = said(&waiting.reason, &waiting.message);
        return StartProgress::Waiting { reason, message };
    }
    // The pod has not started: a condition says what the node or the scheduler waits for.
    let unmet = status.conditions.iter().flatten().find(|condition| condition.status == "False");
    match unmet {
        Some(condition) => {
            let (reason, message) = said(&condition.reason, &condition.message);
            StartProgress::Waiting { reason, message }
        }
        None => StartProgress::Waiting {
            reason: "the node has not started it yet".into(),
            message: String::new(),
        },
    }
}

#[cfg(test)]
mod tests;
