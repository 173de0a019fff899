//! Events.

use crate::events::{self, Event, Wanted};
use jiff::{SignedDuration, Timestamp};
use mcp_core::{Answer, Cluster, ClusterTool, Row, ToolError};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct KubectlEvents;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Events of one object: `pod/web-1`, `pod/shop/web-1`, `node/ovn-worker`, or a name alone.
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
        let object = params.object.as_deref().map(str::trim).filter(|object| !object.is_empty());
        let of = match object {
            Some(object) => of(cluster, object).await?,
            None => Wanted::default(),
        };
        let wanted = Wanted {
            severity: params.severity.map(|severity| format!("{severity:?}")),
            reason: params.reason.clone(),
            ..of
        };
        let namespace = params.namespace.as_deref().or(wanted.namespace.as_deref());
        let all = events::read(cluster, namespace, &wanted).await?;
        let as_of = cluster.as_of();
        let (since, until) = (
            moment("since", params.since.as_deref(), as_of)?,
            moment("until", params.until.as_deref(), as_of)?,
        );
        let in_time = |event: &Event| {
            since.is_none_or(|since| event.last.is_none_or(|last| last >= since))
                && until.is_none_or(|until| event.first.is_none_or(|first| first <= until))
        };
        let mut answer = Answer { if_empty: empty(params, all.len()), ..Answer::default() };
        let uids = all.iter().filter(|event| in_time(event)).map(|event| (&event.object, &event.uid));
        let uids: BTreeSet<_> = uids.filter(|(_, uid)| !uid.is_empty()).collect();
        let objects: BTreeSet<_> = uids.iter().map(|(object, _)| object).collect();
        if wanted.name.is_some() && uids.len() > objects.len() {
            answer.notes.push(
                "some of them are of an earlier object of this name: kubectl_describe leaves those out"
                    .into(),
            );
        }
        let mut found = events::grouped(all.into_iter().filter(in_time));
        // What is cut, by `limit` or by the size of an answer, is cut at its end: there is what matters least.
        found.reverse();
        let (heading, lines) = events::table(&found, params.namespace.is_none());
        let heading: Arc<str> = heading.into();
        answer.rows = lines.into_iter().map(|line| Row::line(line).under(&heading)).collect();
        Ok(answer)
    }
}

/// What an event must be of: `pod/shop/web-1`, `pod/web-1`, `shop/web-1`, `web-1`.
async fn of(cluster: &Cluster<'_>, text: &str) -> Result<Wanted, ToolError> {
    let named = |kind: Option<String>, namespace: Option<&str>, name: &str| Wanted {
        kind,
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        ..Wanted::default()
    };
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [kind, namespace, name] => {
            let kind = cluster.kind(kind).await?;
            Ok(named(Some(kind.kind), Some(namespace), name))
        }
        // What is no kind is a namespace.
        [first, name] => match (cluster.kind(first).await, first.parse::<mcp_core::Namespace>()) {
            (Ok(kind), _) => Ok(named(Some(kind.kind), None, name)),
            (Err(_), Ok(namespace)) => Ok(named(None, Some(namespace.as_str()), name)),
            (Err(error), Err(_)) => Err(error),
        },
        _ => Ok(named(None, None, text)),
    }
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
