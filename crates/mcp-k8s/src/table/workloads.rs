//! Prints pods and workloads (as in `pkg/printers/internalversion/printers.go` of Kubernetes 1.36).

use super::{
    Cells, TableContext,
    age::{human, since},
    object::{NONE, Object, labels, or_none, selector},
};
use serde_json::Value;

pub(super) fn pod(pod: Object<'_>, context: &TableContext) -> Cells {
    let status = PodStatus::of(pod);
    let restarts = match &status.last_restart {
        Some(when) if status.restarts > 0 => {
            format!("{} ({} ago)", status.restarts, since(when, context.as_of))
        }
        _ => status.restarts.to_string(),
    };
    let ip = pod.list("/status/podIPs").next().map_or("", |ip| ip.text("/ip"));
    let gates = pod.list("/spec/readinessGates");
    let ready = gates.clone().filter(|gate| pod.is_condition(gate.text("/conditionType"))).count();
    vec![
        pod.text("/metadata/name").into(),
        format!("{}/{}", status.ready, status.containers).into(),
        status.reason.into(),
        restarts.into(),
        context.age(pod),
        or_none(ip),
        or_none(pod.text("/spec/nodeName")),
        or_none(pod.text("/status/nominatedNodeName")),
        if gates.len() == 0 { NONE.into() } else { format!("{ready}/{}", gates.len()).into() },
    ]
}

/// The status of a pod as `kubectl get pods` computes it.
#[derive(Default)]
pub(crate) struct PodStatus {
    pub(crate) reason: String,
    pub(crate) restarts: i64,
    last_restart: Option<Value>,
    pub(crate) ready: usize,
    pub(crate) containers: usize,
}

impl PodStatus {
    pub(crate) fn of(pod: Object<'_>) -> Self {
        let reasons = [pod.text("/status/reason"), pod.text("/status/phase")];
        let mut status = Self {
            reason: reasons.into_iter().find(|reason| !reason.is_empty()).unwrap_or_default().into(),
            containers: pod.list("/spec/containers").len(),
            ..Self::default()
        };
        if pod
            .condition("PodScheduled")
            .is_some_and(|condition| condition.text("/reason") == "SchedulingGated")
        {
            status.reason = "SchedulingGated".into();
        }
        let sidecars: Vec<&str> = pod
            .list("/spec/initContainers")
            .filter(|container| container.text("/restartPolicy") == "Always")
            .map(|container| container.text("/name"))
            .collect();
        status.containers += sidecars.len();
        let initialising = status.init(pod, &sidecars);
        if !initialising || pod.is_condition("Initialized") {
            status.main(pod, &sidecars);
        }
        if pod.has("/metadata/deletionTimestamp") {
            if pod.text("/status/reason") == "NodeLost" {
                status.reason = "Unknown".into();
            } else if !["Succeeded", "Failed"].contains(&pod.text("/status/phase")) {
                status.reason = "Terminating".into();
            }
        }
        status
    }

    /// Reads the init containers in order. Returns true if one of them has not finished.
    fn init(&mut self, pod: Object<'_>, sidecars: &[&str]) -> bool {
        let all = pod.list("/spec/initContainers").len();
        for (i, container) in pod.list("/status/initContainerStatuses").enumerate() {
            self.count(container);
            let (terminated, waiting) =
                (container.at("/state/terminated"), container.text("/state/waiting/reason"));
            let is_terminated = container.has("/state/terminated");
            if is_terminated && terminated.int("/exitCode") == 0 {
                continue;
            }
            if sidecars.contains(&container.text("/name")) && container.is("/started") {
                self.ready += usize::from(container.is("/ready"));
                continue;
            }
            self.reason = if is_terminated {
                format!("Init:{}", ended(terminated))
            } else if !["", "PodInitializing"].contains(&waiting) {
                format!("Init:{waiting}")
            } else {
                format!("Init:{i}/{all}")
            };
            return true;
        }
        false
    }

    fn main(&mut self, pod: Object<'_>, sidecars: &[&str]) {
        // Only init containers that keep running (sidecars) count.
        (self.restarts, self.last_restart) = (0, None);
        let inits = pod.list("/status/initContainerStatuses");
        inits.filter(|container| sidecars.contains(&container.text("/name"))).for_each(|c| self.count(c));
        let (mut running, mut failed) = (false, None);
        for container in pod.list("/status/containerStatuses").rev() {
            self.count(container);
            let (terminated, waiting) =
                (container.at("/state/terminated"), container.text("/state/waiting/reason"));
            if !waiting.is_empty() {
                self.reason = waiting.into();
            } else if container.has("/state/terminated") {
                self.reason = ended(terminated);
                if terminated.int("/exitCode") != 0 {
                    failed = Some(self.reason.clone());
                }
            } else if container.is("/ready") && container.has("/state/running") {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" {
            self.reason = match failed {
                _ if running && pod.is_condition("Ready") => "Running".into(),
                Some(failed) => failed,
                None if running => "NotReady".into(),
                None => "Completed".into(),
            };
        }
    }

    fn count(&mut self, container: Object<'_>) {
        self.restarts += container.int("/restartCount");
        let ended = container.at("/lastState/terminated/finishedAt").0;
        // RFC 3339 times of the same form sort as text.
        if ended.as_str() > self.last_restart.as_ref().and_then(Value::as_str) {
            self.last_restart = Some(ended.clone());
        }
    }
}

/// Returns why a container ended.
fn ended(terminated: Object<'_>) -> String {
    match (terminated.text("/reason"), terminated.int("/signal")) {
        ("", 0) => format!("ExitCode:{}", terminated.int("/exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.into(),
    }
}

/// Returns the names and images of the containers in a pod template.
fn containers(object: Object<'_>, template: &str) -> [Value; 2] {
    ["/name", "/image"].map(|field| {
        let all: Vec<_> =
            object.list(&format!("{template}/spec/containers")).map(|c| c.text(field)).collect();
        all.join(",").into()
    })
}

pub(super) fn deployment(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/template");
    vec![
        object.text("/metadata/name").into(),
        format!("{}/{}", object.int("/status/readyReplicas"), object.int("/spec/replicas")).into(),
        object.int("/status/updatedReplicas").into(),
        object.int("/status/availableReplicas").into(),
        context.age(object),
        names,
        images,
        selector(object, "/spec/selector"),
    ]
}

pub(super) fn daemon_set(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/template");
    let status = |field: &str| object.int(&format!("/status/{field}")).into();
    vec![
        object.text("/metadata/name").into(),
        status("desiredNumberScheduled"),
        status("currentNumberScheduled"),
        status("numberReady"),
        status("updatedNumberScheduled"),
        status("numberAvailable"),
        labels(object, "/spec/template/spec/nodeSelector"),
        context.age(object),
        names,
        images,
        selector(object, "/spec/selector"),
    ]
}

/// Prints replica sets, and replication controllers, whose selectors are plain labels.
pub(super) fn replica_set(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/template");
    let plain = object.text("/kind") == "ReplicationController";
    vec![
        object.text("/metadata/name").into(),
        object.int("/spec/replicas").into(),
        object.int("/status/replicas").into(),
        object.int("/status/readyReplicas").into(),
        context.age(object),
        names,
        images,
        if plain { labels(object, "/spec/selector") } else { selector(object, "/spec/selector") },
    ]
}

pub(super) fn stateful_set(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/template");
    let ready = format!("{}/{}", object.int("/status/readyReplicas"), object.int("/spec/replicas"));
    vec![object.text("/metadata/name").into(), ready.into(), context.age(object), names, images]
}

pub(super) fn job(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/template");
    let (done, parallel) = (object.int("/status/succeeded"), object.int("/spec/parallelism"));
    let completions = match object.at("/spec/completions").0.as_i64() {
        Some(all) => format!("{done}/{all}"),
        None if parallel > 1 => format!("{done}/1 of {parallel}"),
        None => format!("{done}/1"),
    };
    let is = |kind| object.is_condition(kind);
    let status = match () {
        () if is("Complete") => "Complete",
        () if is("Failed") => "Failed",
        () if object.has("/metadata/deletionTimestamp") => "Terminating",
        () if is("Suspended") => "Suspended",
        () if is("FailureTarget") => "FailureTarget",
        () if is("SuccessCriteriaMet") => "SuccessCriteriaMet",
        () => "Running",
    };
    vec![
        object.text("/metadata/name").into(),
        status.into(),
        completions.into(),
        duration(object, context).into(),
        context.age(object),
        names,
        images,
        selector(object, "/spec/selector"),
    ]
}

fn duration(job: Object<'_>, context: &TableContext) -> String {
    let time = |path| job.text(path).parse::<jiff::Timestamp>().ok();
    let end = time("/status/completionTime").or(context.as_of);
    match (time("/status/startTime"), end) {
        (Some(start), Some(end)) => human(end.as_millisecond() - start.as_millisecond()),
        _ => String::new(),
    }
}

pub(super) fn cron_job(object: Object<'_>, context: &TableContext) -> Cells {
    let [names, images] = containers(object, "/spec/jobTemplate/spec/template");
    let suspend = match object.at("/spec/suspend").0.as_bool() {
        Some(true) => "True",
        Some(false) => "False",
        None => "<unset>",
    };
    let last = object.at("/status/lastScheduleTime").0;
    vec![
        object.text("/metadata/name").into(),
        object.text("/spec/schedule").into(),
        or_none(object.text("/spec/timeZone")),
        suspend.into(),
        object.list("/status/active").len().into(),
        if last.is_null() { NONE.into() } else { since(last, context.as_of).into() },
        context.age(object),
        names,
        images,
        selector(object, "/spec/jobTemplate/spec/selector"),
    ]
}

pub(super) fn disruption_budget(object: Object<'_>, context: &TableContext) -> Cells {
    let bound = |path: &str| match object.at(path).0 {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "N/A".into(),
    };
    vec![
        object.text("/metadata/name").into(),
        bound("/spec/minAvailable").into(),
        bound("/spec/maxUnavailable").into(),
        object.int("/status/disruptionsAllowed").into(),
        context.age(object),
    ]
}

/// Prints a controller revision, which is a former state of a daemon set or stateful set.
pub(super) fn revision(object: Object<'_>, context: &TableContext) -> Cells {
    let owner = object.list("/metadata/ownerReferences").find(|owner| owner.is("/controller"));
    let owner = owner.map(|owner| {
        let kind = owner.text("/kind").to_lowercase();
        match owner.text("/apiVersion").split_once('/') {
            Some((group, _)) => format!("{kind}.{group}/{}", owner.text("/name")),
            None => format!("{kind}/{}", owner.text("/name")),
        }
    });
    vec![
        object.text("/metadata/name").into(),
        or_none(&owner.unwrap_or_default()),
        object.int("/revision").into(),
        context.age(object),
    ]
}

pub(super) fn pod_template(object: Object<'_>, _: &TableContext) -> Cells {
    let [names, images] = containers(object, "/template");
    vec![object.text("/metadata/name").into(), names, images, labels(object, "/template/metadata/labels")]
}
