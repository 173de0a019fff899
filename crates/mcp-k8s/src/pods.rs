//! Pods and the state of their containers, as their objects tell.

use jiff::Timestamp;
use mcp_core::{Cluster, Kind, ObjectQuery, PodRef, ReadError, ToolError, Unread};
use serde_json::Value;
use std::fmt;

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
}

/// A container and how it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    pub(crate) init: bool,
    pub(crate) ready: bool,
    pub(crate) restarts: u64,
    /// `running since …`, `waiting: CrashLoopBackOff`, `ended: Error (1) at …`.
    pub(crate) state: String,
    /// How its run before ended.
    pub(crate) before: Option<String>,
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

/// All objects of a kind, by the name of the kind, without their [`details`]; nothing if the source has none of it.
pub(crate) async fn objects(cluster: &Cluster<'_>, kind: &str) -> Result<Vec<Value>, ToolError> {
    selected(cluster, kind, ObjectQuery::default()).await
}

/// Those of a namespace, if one is given that can be one.
pub(crate) async fn objects_of(
    cluster: &Cluster<'_>,
    kind: &str,
    namespace: Option<&str>,
) -> Result<Vec<Value>, ToolError> {
    let namespace = namespace.and_then(|namespace| namespace.parse().ok());
    selected(cluster, kind, ObjectQuery { namespace, ..ObjectQuery::default() }).await
}

/// Those that are asked for; the kind is yet to be put into the query.
pub(crate) async fn selected(
    cluster: &Cluster<'_>,
    name: &str,
    query: ObjectQuery,
) -> Result<Vec<Value>, ToolError> {
    let Some(kind) = kind(cluster, name).await? else { return Ok(Vec::new()) };
    let query = ObjectQuery { without: details(&kind), kind, ..query };
    Ok(held(cluster.objects(&query).await)?.unwrap_or_default())
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
        let containers = [("initContainers", true), ("containers", false), ("ephemeralContainers", false)];
        let of_kind = |(kind, init): (&str, bool)| {
            let single = kind.strip_suffix('s').unwrap_or(kind);
            let statuses = format!("/status/{single}Statuses");
            let status = |name: &str| items(object, &statuses).find(|s| text(s, "/name") == name);
            items(object, &format!("/spec/{kind}"))
                .map(|spec| Container::of(spec, status(text(spec, "/name")), init))
                .collect::<Vec<_>>()
        };
        Self {
            namespace: text(object, "/metadata/namespace").into(),
            name: text(object, "/metadata/name").into(),
            node: text(object, "/spec/nodeName").into(),
            phase: text(object, "/status/phase").into(),
            host_network: object.pointer("/spec/hostNetwork").and_then(Value::as_bool).unwrap_or(false),
            containers: containers.into_iter().flat_map(of_kind).collect(),
        }
    }

    /// Those of a namespace; none where the source has no objects.
    pub(crate) async fn of_namespace(cluster: &Cluster<'_>, namespace: &str) -> Result<Vec<Self>, ToolError> {
        let mut query = ObjectQuery::all(match kind(cluster, "pods").await? {
            Some(kind) => kind,
            None => return Ok(Vec::new()),
        });
        query.namespace = namespace.parse().ok();
        query.without = DETAILS;
        match cluster.objects(&query).await {
            Ok(found) => Ok(found.iter().map(Self::of).collect()),
            Err(ReadError::NotHeld { .. }) => Ok(Vec::new()),
            Err(e) => Err(e.into()),
        }
    }

    /// What is wrong with it; nothing if all of its containers are as they should be.
    pub(crate) fn troubles(&self) -> Vec<String> {
        if self.phase == "Succeeded" {
            return Vec::new();
        }
        let ill = self.containers.iter().filter(|container| !container.is_well());
        let ill: Vec<String> = ill.map(ToString::to_string).collect();
        if ill.is_empty() && self.phase != "Running" { vec![self.phase.clone()] } else { ill }
    }

    /// How many of its containers are ready, and of how many.
    pub(crate) fn ready(&self) -> (usize, usize) {
        let own = || self.containers.iter().filter(|container| !container.init);
        (own().filter(|container| container.ready).count(), own().count())
    }

    /// Restarts of all its containers.
    pub(crate) fn restarts(&self) -> u64 {
        self.containers.iter().map(|container| container.restarts).sum()
    }
}

impl Container {
    fn of(spec: &Value, status: Option<&Value>, init: bool) -> Self {
        let none = Value::Null;
        let status = status.unwrap_or(&none);
        let state = status.pointer("/state").and_then(run);
        Self {
            name: text(spec, "/name").into(),
            image: text(spec, "/image").into(),
            init,
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
        if self.init { self.state.starts_with("ended: Completed") || self.ready } else { self.ready }
    }
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
        let Self { name, init, ready, restarts, state, before, .. } = self;
        write!(f, "{name} ({}{state}", if *init { "init, " } else { "" })?;
        if state.starts_with("running") && !ready {
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
