//! Describes a pod: its node, its addresses, and the state of its containers.

use super::{Section, VOLUME, cut, time};
use crate::table::{Object, PodStatus};
use jiff::Timestamp;

pub(super) fn sections(pod: Object<'_>, as_of: Option<Timestamp>) -> Vec<Section> {
    let mut all = vec![Section::new("Status", status(pod))];
    for (heading, spec, states) in [
        ("Init containers", "/spec/initContainers", "/status/initContainerStatuses"),
        ("Containers", "/spec/containers", "/status/containerStatuses"),
        ("Ephemeral containers", "/spec/ephemeralContainers", "/status/ephemeralContainerStatuses"),
    ] {
        let lines = pod.list(spec).flat_map(|container| {
            let name = container.text("/name");
            let state = pod.list(states).find(|state| state.text("/name") == name);
            self::container(container, state, as_of)
        });
        all.push(Section::new(heading, lines.collect()));
    }
    all.push(Section::new("Volumes", pod.list("/spec/volumes").map(volume).collect()));
    all
}

fn status(pod: Object<'_>) -> Vec<String> {
    let PodStatus { reason, restarts, ready, containers, .. } = PodStatus::of(pod);
    let mut lines = vec![format!("{reason}, {ready}/{containers} ready, {restarts} restarts")];
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{what}: {text}"));
        }
    };
    say("message", pod.text("/status/message").into());
    let host = pod.is("/spec/hostNetwork");
    let network = if host { " (host network)" } else { "" };
    let node = match (pod.text("/spec/nodeName"), pod.text("/status/hostIP")) {
        ("", _) => "none (not scheduled)".into(),
        (node, "") => format!("{node}{network}"),
        (node, ip) => format!("{node} {ip}{network}"),
    };
    say("node", node);
    say("IPs", pod.list("/status/podIPs").map(|ip| ip.text("/ip")).collect::<Vec<_>>().join(", "));
    say("service account", pod.text("/spec/serviceAccountName").into());
    let selector = pod.map("/spec/nodeSelector").into_iter();
    let selector = selector.map(|(key, value)| format!("{key}={}", value.0.as_str().unwrap_or_default()));
    say("node selector", selector.collect::<Vec<_>>().join(", "));
    lines
}

fn container(container: Object<'_>, state: Option<Object<'_>>, as_of: Option<Timestamp>) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", container.text("/name"), container.text("/image"))];
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("  {what}: {text}"));
        }
    };
    match state {
        None => say("state", "no status yet".into()),
        Some(state) => {
            let ready = if state.is("/ready") { "ready" } else { "not ready" };
            let restarts = state.int("/restartCount");
            say("state", format!("{}, {ready}, {restarts} restarts", one_state(state.at("/state"), as_of)));
            if state.at("/lastState").has("/terminated") {
                say("previous state", one_state(state.at("/lastState"), as_of));
            }
        }
    }
    say("command", [container.texts("/command"), container.texts("/args")].concat().join(" "));
    let port = |port: Object<'_>| format!("{}/{}", port.int("/containerPort"), port.text("/protocol"));
    say("ports", container.list("/ports").map(port).collect::<Vec<_>>().join(", "));
    for (what, path) in [("requests", "/resources/requests"), ("limits", "/resources/limits")] {
        let all = container.map(path).into_iter();
        say(
            what,
            all.map(|(name, value)| format!("{name} {}", value.0.as_str().unwrap_or_default()))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        if container.has(&format!("/{probe}")) {
            say(probe, container.at(&format!("/{probe}")).0.to_string());
        }
    }
    let env = container.list("/env").map(|one| match one.at("/value").0.as_str() {
        Some(value) => format!("{}={value}", one.text("/name")),
        None => format!("{} (value from a reference)", one.text("/name")),
    });
    say("env", env.collect::<Vec<_>>().join(" "));
    lines
}

/// Formats a state: `running since …`, `waiting: CrashLoopBackOff: …`, `terminated: Error, exit code 1, …`.
fn one_state(state: Object<'_>, as_of: Option<Timestamp>) -> String {
    let because = |it: Object<'_>| {
        let all =
            [it.text("/reason"), it.text("/message").trim()].into_iter().filter(|text| !text.is_empty());
        all.collect::<Vec<_>>().join(": ").replace('\n', " ")
    };
    if state.has("/running") {
        return format!("running since {}", time(state.at("/running/startedAt"), as_of));
    }
    if state.has("/waiting") {
        return format!("waiting: {}", because(state.at("/waiting")));
    }
    if state.has("/terminated") {
        let end = state.at("/terminated");
        return format!(
            "terminated: {}, exit code {}, from {} to {}",
            because(end),
            end.int("/exitCode"),
            end.text("/startedAt"),
            time(end.at("/finishedAt"), as_of)
        );
    }
    "unknown".into()
}

fn volume(volume: Object<'_>) -> String {
    let source = volume.0.as_object().into_iter().flatten().find(|(key, _)| *key != "name");
    let source = source.map(|(kind, source)| format!("{kind} {source}")).unwrap_or_default();
    format!("{}: {}", volume.text("/name"), cut(&source, VOLUME))
}
