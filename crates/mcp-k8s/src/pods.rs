//! Pods and the state of their containers, as their objects tell.

use jiff::{SignedDuration, Timestamp};
use mcp_core::{Cluster, Extent, Kind, ObjectQuery, PodRef, ReadError, ToolError, Unread};
use serde_json::Value;
use std::{fmt, ops::Deref};

/// A pod, as far as its containers go.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Where it runs; empty where it does not.
    pub(crate) node: String,
    pub(crate) phase: String,
    pub(crate) host_network: bool,
    /// Init containers first.
    pub(crate) containers: Vec<Container>,
    /// When it should be gone, if it is being deleted: the time of its deletion and its grace period.
    pub(crate) gone_by: Option<Timestamp>,
    /// What its condition `Ready` says, if that does not hold. The condition can fail where all containers are ready: on a
    /// node that is dead, or for a readiness gate.
    not_ready: Option<String>,
}

/// A container and how it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) sort: Sort,
    pub(crate) ready: bool,
    pub(crate) restarts: u64,
    /// `running since …`, `waiting: CrashLoopBackOff`, `ended: Error (1) at …`.
    pub(crate) state: String,
    /// How its run before ended.
    pub(crate) before: Option<String>,
}

/// Which list of the pod a container stands in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    Init,
    #[default]
    Regular,
    /// Made by `kubectl debug`, and done when the engineer is: it is never ready, and nothing depends on it.
    Ephemeral,
}

/// How long after its time a pod is still as it should be: the kubelet cleans up, and clocks differ.
const LATE: SignedDuration = SignedDuration::from_secs(60);

/// The objects of a kind that a source has.
pub(crate) struct Collected {
    items: Vec<Value>,
    /// None: none were collected, or the cluster has no such kind.
    extent: Option<Extent>,
}

impl Collected {
    /// None were collected.
    pub(crate) const NONE: Self = Self { items: Vec::new(), extent: None };

    /// Were any collected? Else that there are none says nothing.
    pub(crate) fn is_collected(&self) -> bool {
        self.extent.is_some()
    }

    /// Are they all that the cluster has? Only then is one that is not among them not there.
    pub(crate) fn is_whole(&self) -> bool {
        self.extent == Some(Extent::Whole)
    }
}

impl Deref for Collected {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.items
    }
}

/// What only a pod that is shown whole, or described, tells: no list of pods and no search among them looks at it.
const DETAILS: Unread = &[
    "spec/affinity",
    "spec/securityContext",
    "spec/tolerations",
    "spec/topologySpreadConstraints",
    "spec/volumes",
    // Of containers of any sort.
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

/// What lists and searches do not look at in objects of a kind.
pub(crate) fn details(kind: &Kind) -> Unread {
    if kind.group.is_empty() && kind.plural == "pods" { DETAILS } else { &[] }
}

/// A text in an object; empty where it is not.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list in an object.
pub(crate) fn items<'a>(value: &'a Value, pointer: &str) -> impl Iterator<Item = &'a Value> {
    value.pointer(pointer).and_then(Value::as_array).into_iter().flatten()
}

/// The kind, if the source has objects, and such: logs and databases can be there without.
async fn kind(cluster: &Cluster<'_>, name: &str) -> Result<Option<Kind>, ToolError> {
    Ok(held(cluster.known_kind(name).await)?.flatten())
}

/// What was asked for, or nothing if the source has no such objects.
fn held<T>(asked: Result<T, ReadError>) -> Result<Option<T>, ToolError> {
    match asked {
        Ok(found) => Ok(Some(found)),
        Err(ReadError::NotHeld { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// All objects of a kind, by the name of the kind, without their [`details`].
pub(crate) async fn objects(cluster: &Cluster<'_>, kind: &str) -> Result<Collected, ToolError> {
    selected(cluster, kind, ObjectQuery::default()).await
}

/// Those of a namespace, if one is given that can be one.
pub(crate) async fn objects_of(
    cluster: &Cluster<'_>,
    kind: &str,
    namespace: Option<&str>,
) -> Result<Collected, ToolError> {
    let namespace = namespace.and_then(|namespace| namespace.parse().ok());
    selected(cluster, kind, ObjectQuery { namespace, ..ObjectQuery::default() }).await
}

/// Those that are asked for; the kind is yet to be put into the query.
pub(crate) async fn selected(
    cluster: &Cluster<'_>,
    name: &str,
    query: ObjectQuery,
) -> Result<Collected, ToolError> {
    let Some(kind) = kind(cluster, name).await? else { return Ok(Collected::NONE) };
    let query = ObjectQuery { without: details(&kind), kind, ..query };
    Ok(match held(cluster.list(&query).await)? {
        Some((items, extent)) => Collected { items, extent: Some(extent) },
        None => Collected::NONE,
    })
}

impl Pod {
    /// The pod, if the source has objects and it is among them.
    pub(crate) async fn read(cluster: &Cluster<'_>, pod: &PodRef) -> Result<Option<Self>, ToolError> {
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

    /// From its object.
    pub(crate) fn of(object: &Value) -> Self {
        let containers = [
            ("initContainers", Sort::Init),
            ("containers", Sort::Regular),
            ("ephemeralContainers", Sort::Ephemeral),
        ];
        let of_kind = |(kind, sort): (&str, Sort)| {
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

    /// Is it done, so that it needs no network any more?
    pub(crate) fn is_done(&self) -> bool {
        ["Succeeded", "Failed"].contains(&self.phase.as_str())
    }

    /// What is wrong with it at a time; nothing if it is as it should be.
    pub(crate) fn troubles(&self, as_of: Option<Timestamp>) -> Vec<String> {
        let late =
            self.gone_by.filter(|gone_by| as_of.is_some_and(|now| now.duration_since(*gone_by) > LATE));
        let late = late.map(|gone_by| format!("it is being deleted, and should be gone since {gone_by}"));
        let mut troubles: Vec<String> = late.into_iter().collect();
        // Of one without a status, nothing is known.
        if ["Succeeded", ""].contains(&self.phase.as_str()) {
            return troubles;
        }
        let ill = self.containers.iter().filter(|container| !container.is_well());
        let ill: Vec<String> = ill.map(ToString::to_string).collect();
        match &self.not_ready {
            _ if !ill.is_empty() => troubles.extend(ill),
            // Its containers end one after the other.
            Some(_) if self.gone_by.is_some() => {}
            Some(why) if self.phase == "Running" => troubles.push(why.clone()),
            _ if self.phase != "Running" => troubles.push(self.phase.clone()),
            _ => {}
        }
        troubles
    }

    /// The containers that make it what it is.
    pub(crate) fn own(&self) -> impl Iterator<Item = &Container> {
        self.containers.iter().filter(|container| container.sort == Sort::Regular)
    }

    /// How many of its containers are ready, and of how many.
    pub(crate) fn ready(&self) -> (usize, usize) {
        let own = || self.own();
        (own().filter(|container| container.ready).count(), own().count())
    }

    /// Restarts of all its containers.
    pub(crate) fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| container.restarts).sum()
    }
}

impl Container {
    fn of(spec: &Value, status: Option<&Value>, sort: Sort) -> Self {
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

    /// Since when it runs, if it does.
    pub(crate) fn running_since(&self) -> Option<Timestamp> {
        self.state.strip_prefix("running since ")?.parse().ok()
    }

    fn is_well(&self) -> bool {
        match self.sort {
            Sort::Init => self.state.starts_with("ended: Completed") || self.ready,
            Sort::Regular => self.ready,
            Sort::Ephemeral => true,
        }
    }
}

/// What the condition `Ready` of a pod says, if it is there and does not hold.
fn not_ready(object: &Value) -> Option<String> {
    let ready = items(object, "/status/conditions").find(|condition| text(condition, "/type") == "Ready")?;
    let status = text(ready, "/status");
    if status == "True" || text(ready, "/reason") == "PodCompleted" {
        return None;
    }
    let why = [text(ready, "/reason"), text(ready, "/message")];
    let why: Vec<&str> = why.into_iter().filter(|text| !text.is_empty()).collect();
    let why = if why.is_empty() { String::new() } else { format!(": {}", why.join(": ")) };
    Some(format!("its containers are ready, and its condition Ready is {status}{why}"))
}

/// What a `ContainerState` says.
fn run(state: &Value) -> Option<String> {
    let (kind, of) = state.as_object()?.iter().next()?;
    Some(match kind.as_str() {
        "running" => format!("running since {}", text(of, "/startedAt")),
        "waiting" => format!("waiting: {}", text(of, "/reason")),
        _ => {
            let code = of.pointer("/exitCode").and_then(Value::as_i64).unwrap_or(0);
            format!("ended: {} ({code}) at {}", text(of, "/reason"), text(of, "/finishedAt"))
        }
    })
}

impl fmt::Display for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sort, ready, restarts, state, before, .. } = self;
        let sort = match sort {
            Sort::Init => "init, ",
            Sort::Regular => "",
            Sort::Ephemeral => "ephemeral, ",
        };
        write!(f, "{name} ({sort}{state}")?;
        if state.starts_with("running") && !ready && self.sort != Sort::Ephemeral {
            write!(f, ", not ready")?;
        }
        if *restarts > 0 {
            write!(f, ", restarted {restarts}x")?;
        }
        if let Some(before) = before {
            write!(f, ", the run before {before}")?;
        }
        f.write_str(")")
    }
}
