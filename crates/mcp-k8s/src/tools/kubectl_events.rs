//! Events.

use crate::{
    events::{self, Event},
    which::Which,
};
use jiff::{SignedDuration, Timestamp};
use mcp_core::{Answer, Cluster, ClusterTool, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::sync::Arc;

pub(crate) struct KubectlEvents;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Events of one object: `pod/web-1`, `node/ovn-worker`, or a name alone.
    object: Option<String>,
    /// A namespace; default all.
    namespace: Option<String>,
    /// Normal or Warning; default both.
    #[serde(rename = "type")]
    severity: Option<Severity>,
    /// `FailedScheduling`, `BackOff`, …
    reason: Option<String>,
    /// Not before: RFC 3339, or `30m` before now (of a bundle: before it was collected).
    since: Option<String>,
    /// Not after; as `since`.
    until: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub(crate) enum Severity {
    Normal,
    Warning,
}

impl ClusterTool for KubectlEvents {
    const NAME: &'static str = "kubectl_events";
    const TITLE: &'static str = "Kubernetes events";
    const TOOLSET: &'static str = "objects";
    const DESCRIPTION: &'static str = "What happened to pods, nodes and other objects, the newest first; events that differ in numbers only \
         are one line with their count, first and last time. Use it with type=Warning when something does not start, or \
         after kubectl_get has shown what is not ready.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "events".into()
    }

    async fn run(cluster: &Cluster<'_>, params: &Params) -> Result<Answer, ToolError> {
        let kind = cluster.kind("events").await?;
        let which = Which::parse("events", None, params.namespace.as_deref())?;
        let object = params.object.as_deref().map(str::trim).filter(|object| !object.is_empty());
        let object = match object {
            Some(object) => Some(Of::parse(cluster, object).await?),
            None => None,
        };
        let fields = selector(params, object.as_ref());
        let which = which.selected(None, (!fields.is_empty()).then_some(fields.as_str()))?;
        let all = which.objects(cluster, &kind).await?;
        let as_of = cluster.as_of();
        let (since, until) = (
            moment("since", params.since.as_deref(), as_of)?,
            moment("until", params.until.as_deref(), as_of)?,
        );
        let in_time = |event: &Event| {
            since.is_none_or(|since| event.last.is_none_or(|last| last >= since))
                && until.is_none_or(|until| event.first.is_none_or(|first| first <= until))
        };
        let mut found = events::grouped(all.iter().map(Event::of).filter(in_time));
        // What is cut, by `limit` or by the size of an answer, is cut at its end: there is what matters least.
        found.reverse();
        let mut answer = Answer { if_empty: empty(params, all.len()), ..Answer::default() };
        let (heading, lines) = events::table(&found, params.namespace.is_none());
        let heading: Arc<str> = heading.into();
        answer.rows = lines.into_iter().map(|line| Row::line(line).under(&heading)).collect();
        Ok(answer)
    }
}

/// What an event must be of.
struct Of {
    /// As objects name their kind; none: of any.
    kind: Option<String>,
    name: String,
    namespace: Option<String>,
}

impl Of {
    /// `pod/web-1`, `web-1`, `shop/web-1`.
    async fn parse(cluster: &Cluster<'_>, text: &str) -> Result<Self, ToolError> {
        let Some((first, name)) = text.split_once('/') else {
            return Ok(Self { kind: None, name: text.into(), namespace: None });
        };
        let kind = cluster.kind(first).await;
        // What is no kind is a namespace.
        Ok(match (kind, first.parse::<mcp_core::Namespace>()) {
            (Ok(kind), _) => Self { kind: Some(kind.kind), name: name.into(), namespace: None },
            (Err(_), Ok(namespace)) => {
                Self { kind: None, name: name.into(), namespace: Some(namespace.to_string()) }
            }
            (Err(error), Err(_)) => return Err(error),
        })
    }
}

/// What an API server can select events by.
fn selector(params: &Params, object: Option<&Of>) -> String {
    let severity = params.severity.map(|severity| format!("type={severity:?}"));
    let reason = params.reason.as_ref().map(|reason| format!("reason={reason}"));
    let of = object.into_iter().flat_map(|of| {
        let kind = of.kind.as_ref().map(|kind| format!("involvedObject.kind={kind}"));
        let namespace = of.namespace.as_ref().map(|name| format!("involvedObject.namespace={name}"));
        kind.into_iter().chain(namespace).chain([format!("involvedObject.name={}", of.name)])
    });
    severity.into_iter().chain(reason).chain(of).collect::<Vec<_>>().join(",")
}

/// A time, or how long before the data was read.
fn moment(name: &str, text: Option<&str>, as_of: Option<Timestamp>) -> Result<Option<Timestamp>, ToolError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let before = || Some(as_of? - text.parse::<SignedDuration>().ok()?.abs());
    let moment = text.parse().ok().or_else(before);
    moment.map(Some).ok_or_else(|| {
        ToolError::bad(
            format!("parameter `{name}` is `{text}`, which is no time"),
            "Give a time such as 2026-11-22T08:30:00Z, or how long before: 30m, 2h.",
        )
    })
}

fn empty(params: &Params, events: usize) -> String {
    let of = params.object.as_ref().map(|object| format!(" of {object}")).unwrap_or_default();
    let all = if events > 0 { " at that time" } else { "" };
    format!(
        "there is no such event{of}{all}; the cluster keeps events for an hour, unless it is told otherwise"
    )
}
