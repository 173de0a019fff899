//! Reads pods and the state of their containers from their objects.

use jiff::{SignedDuration, Timestamp};
use mcp_core::{ClusterReader, Extent, ObjectKind, ObjectQuery, PodRef, ReadError, ToolError, UnreadFields};
use serde_json::Value;
use std::{fmt, ops::Deref};

/// A pod and its containers.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// The node of the pod. Empty if the pod is not scheduled.
    pub(crate) node: String,
    pub(crate) phase: String,
    pub(crate) host_network: bool,
    /// The containers, init containers first.
    pub(crate) containers: Vec<Container>,
    /// The time by which a pod that is being deleted should be gone (`deletionTimestamp`, which includes the grace
    /// period).
    pub(crate) gone_by: Option<Timestamp>,
    /// The text of the condition `Ready` if it is not true. The condition can be false while all containers are ready:
    /// on a dead node, or because of a readiness gate.
    not_ready: Option<String>,
}

/// A container and its state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) sort: ContainerKind,
    pub(crate) ready: bool,
    pub(crate) restarts: u64,
    /// `running since …`, `waiting: CrashLoopBackOff`, `terminated: Error, exit code 1, at …`.
    pub(crate) state: String,
    /// How the previous run ended.
    pub(crate) before: Option<String>,
}

/// The list of the pod that a container belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContainerKind {
    Init,
    #[default]
    Regular,
    /// Created by `kubectl debug`. Such a container is never ready, and nothing depends on it.
    Ephemeral,
}

/// The delay after `gone_by` that is no problem yet, because the kubelet needs time to clean up and clocks differ.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// The objects of a kind that a source has.
pub(crate) struct CollectedObjects {
    items: Vec<Value>,
    /// Whether the objects are complete. `None` if no objects were collected or the cluster does not have the kind.
    extent: Option<Extent>,
}

impl CollectedObjects {
    /// The value for a source without objects of the kind.
    pub(crate) const NONE: Self = Self { items: Vec::new(), extent: None };

    /// Checks whether objects of the kind were collected. If not, an empty list does not mean that the cluster has
    /// none.
    pub(crate) fn is_collected(&self) -> bool {
        self.extent.is_some()
    }

    /// Checks whether these are all objects of the cluster. Only then does an object that is not listed not exist.
    pub(crate) fn is_whole(&self) -> bool {
        self.extent == Some(Extent::Whole)
    }
}

impl Deref for CollectedObjects {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

/// The fields of a pod that only kubectl_describe and full output show. Lists and searches do not read them.
pub(crate) const DETAILS: UnreadFields = &[
    "spec/affinity",
    "spec/securityContext",
    "spec/tolerations",
    "spec/topologySpreadConstraints",
    "spec/volumes",
    // These are fields of containers, init containers and ephemeral containers.
    "spec/*/*/args",
    "spec/*/*/command",
    "spec/*/*/env",
    "spec/*/*/envFrom",
    "spec/*/*/lifecycle",
    "spec/*/*/livenessProbe",
    "spec/*/*/readinessProbe",
    "spec/*/*/resources",
    "spec/*/*/securityContext",
    "spec/*/*/startupProbe",
    "spec/*/*/volumeMounts",
    "status/*/*/allocatedResources",
    "status/*/*/containerID",
    "status/*/*/imageID",
    "status/*/*/resources",
    "status/*/*/user",
    "status/*/*/volumeMounts",
];

/// Returns the fields of a kind that lists and searches do not read.
pub(crate) fn details(kind: &ObjectKind) -> UnreadFields {
    if kind.group.is_empty() && kind.plural == "pods" { DETAILS } else { &[] }
}

/// Returns a text of an object. Returns an empty text if the field is absent.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the items of a list in an object.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// Looks up a kind. Returns nothing if the source has no objects, because a source can have only logs and databases.
async fn kind(cluster: &ClusterReader<'_>, name: &str) -> Result<Option<ObjectKind>, ToolError> {
    Ok(if_held(cluster.known_kind(name).await)?.flatten())
}

/// Turns the error for data that the source does not have into `None`.
fn if_held<T>(result: Result<T, ReadError>) -> Result<Option<T>, ToolError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(ReadError::NotHeld { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Reads all objects of a kind, by the name of the kind, without their [`details`].
pub(crate) async fn objects(cluster: &ClusterReader<'_>, kind: &str) -> Result<CollectedObjects, ToolError> {
    selected(cluster, kind, ObjectQuery::default()).await
}

/// Reads the objects of a namespace, or of all namespaces if none is given or its name is invalid.
pub(crate) async fn objects_of(
    cluster: &ClusterReader<'_>,
    kind: &str,
    namespace: Option<&str>,
) -> Result<CollectedObjects, ToolError> {
    let namespace = namespace.and_then(|namespace| namespace.parse().ok());
    selected(cluster, kind, ObjectQuery { namespace, ..ObjectQuery::default() }).await
}

/// Reads the objects that match a query, whose kind this function fills in.
pub(crate) async fn selected(
    cluster: &ClusterReader<'_>,
    name: &str,
    query: ObjectQuery,
) -> Result<CollectedObjects, ToolError> {
    let Some(kind) = kind(cluster, name).await? else { return Ok(CollectedObjects::NONE) };
    let query = ObjectQuery { without: details(&kind), kind, ..query };
    Ok(match if_held(cluster.list(&query).await)? {
        Some((items, extent)) => CollectedObjects { items, extent: Some(extent) },
        None => CollectedObjects::NONE,
    })
}

impl Pod {
    /// Reads a pod. Returns `None` if the source does not have its object.
    pub(crate) async fn read(cluster: &ClusterReader<'_>, pod: &PodRef) -> Result<Option<Self>, ToolError> {
        let Some(kind) = kind(cluster, "pods").await? else { return Ok(None) };
        let query = ObjectQuery {
            namespace: Some(pod.namespace.clone()),
            name: pod.name.as_str().parse().ok(),
            ..ObjectQuery::all(kind)
        };
        match cluster.objects(&query).await {
            Ok(found) => Ok(found.first().map(Self::of)),
            Err(ReadError::NotHeld { .. }) => Ok(None),
            Err(e) => Err(e.into()),
        }
    }

    /// Parses a Pod object.
    pub(crate) fn of(object: &Value) -> Self {
        let containers = [
            ("initContainers", ContainerKind::Init),
            ("containers", ContainerKind::Regular),
            ("ephemeralContainers", ContainerKind::Ephemeral),
        ];
        let of_kind = |(kind, sort): (&str, ContainerKind)| {
            let single = kind.strip_suffix('s').unwrap_or(kind);
            let statuses = format!("/status/{single}Statuses");
            let status = |name: &str| items(object, &statuses).find(|s| text(s, "/name") == name);
            items(object, &format!("/spec/{kind}"))
                .map(|spec| Container::of(spec, status(text(spec, "/name")), sort))
                .collect::<Vec<_>>()
        };
        Self {
            namespace: text(object, "/metadata/namespace").into(),
            name: text(object, "/metadata/name").into(),
            node: text(object, "/spec/nodeName").into(),
            phase: text(object, "/status/phase").into(),
            host_network: object.pointer("/spec/hostNetwork").and_then(Value::as_bool).unwrap_or(false),
            containers: containers.into_iter().flat_map(of_kind).collect(),
            gone_by: text(object, "/metadata/deletionTimestamp").parse().ok(),
            not_ready: not_ready(object),
        }
    }

    /// Checks whether the pod has ended and no longer needs a network.
    pub(crate) fn is_done(&self) -> bool {
        ["Succeeded", "Failed"].contains(&self.phase.as_str())
    }

    /// Returns the problems of the pod at a time. The list is empty for a healthy pod.
    pub(crate) fn troubles(&self, as_of: Option<Timestamp>) -> Vec<String> {
        let late =
            self.gone_by.filter(|gone_by| as_of.is_some_and(|now| now.duration_since(*gone_by) > LATE));
        let late = late.map(|gone_by| format!("it is being deleted and should have been gone by {gone_by}"));
        let mut troubles: Vec<String> = late.into_iter().collect();
        // Nothing is known about a pod without a status.
        if ["Succeeded", ""].contains(&self.phase.as_str()) {
            return troubles;
        }
        let ill = self.containers.iter().filter(|container| !container.is_well());
        let ill: Vec<String> = ill.map(|container| format!("container {container}")).collect();
        match &self.not_ready {
            _ if !ill.is_empty() => troubles.extend(ill),
            // The containers of a pod that is being deleted end one after the other, which is no problem.
            Some(_) if self.gone_by.is_some() => {}
            Some(why) if self.phase == "Running" => troubles.push(why.clone()),
            _ if self.phase != "Running" => troubles.push(self.phase.clone()),
            _ => {}
        }
        troubles
    }

    /// Returns the regular containers, without init and ephemeral containers.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.sort == ContainerKind::Regular)
    }

    /// Returns the number of ready regular containers and the number of regular containers.
    pub(crate) fn ready(&self) -> (usize, usize) {
        let own = || self.own();
        (own().filter(|container| container.ready).count(), own().count())
    }

    /// Returns the sum of the restarts of all containers.
    pub(crate) fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| container.restarts).sum()
    }
}

impl Container {
    fn of(spec: &Value, status: Option<&Value>, sort: ContainerKind) -> Self {
        let none = Value::Null;
        let status = status.unwrap_or(&none);
        let state = status.pointer("/state").and_then(run);
        Self {
            name: text(spec, "/name").into(),
            image: text(spec, "/image").into(),
            sort,
            ready: status.pointer("/ready").and_then(Value::as_bool).unwrap_or(false),
            restarts: status.pointer("/restartCount").and_then(Value::as_u64).unwrap_or(0),
            state: state.unwrap_or_else(|| "not started".into()),
            before: status.pointer("/lastState").and_then(run),
        }
    }

    /// Returns the start time of a running container.
    pub(crate) fn running_since(&self) -> Option<Timestamp> {
        self.state.strip_prefix("running since ")?.parse().ok()
    }

    fn is_well(&self) -> bool {
        match self.sort {
            ContainerKind::Init => self.state.starts_with("terminated: Completed") || self.ready,
            ContainerKind::Regular => self.ready,
            ContainerKind::Ephemeral => true,
        }
    }
}

/// Returns the text of the condition `Ready` of a pod if the condition exists and is not true.
fn not_ready(object: &Value) -> Option<String> {
    let ready = items(object, "/status/conditions").find(|condition| text(condition, "/type") == "Ready")?;
    let status = text(ready, "/status");
    if status == "True" || text(ready, "/reason") == "PodCompleted" {
        return None;
    }
    let why = [text(ready, "/reason"), text(ready, "/message")];
    let why: Vec<&str> = why.into_iter().filter(|text| !text.is_empty()).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(": ")) };
    Some(format!("all containers are ready, but condition Ready is {status}{why}"))
}

/// Formats a `ContainerState`.
fn run(state: &Value) -> Option<String> {
    let (kind, of) = state.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "running" => format!("running since {}", text(of, "/startedAt")),
        "waiting" => format!("waiting: {}", text(of, "/reason")),
        _ => {
            let code = of.pointer("/exitCode").and_then(Value::as_i64).unwrap_or(0);
            format!("terminated: {}, exit code {code}, at {}", text(of, "/reason"), text(of, "/finishedAt"))
        }
    })
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sort, ready, restarts, state, before, .. } = self;
        let sort = match sort {
            ContainerKind::Init => "init, ",
            ContainerKind::Regular => "",
            ContainerKind::Ephemeral => "ephemeral, ",
        };
        write!(f, "{name} ({sort}{state}")?;
        if state.starts_with("running") && !ready && self.sort != ContainerKind::Ephemeral {
            write!(f, ", not ready")?;
        }
        if *restarts > 0 {
            write!(f, ", restarted {restarts}x")?;
        }
        if let Some(before) = before {
            write!(f, ", previous run {before}")?;
        }
        f.write_str(")")
    }
}
