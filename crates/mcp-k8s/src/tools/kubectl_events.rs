//! The tool `kubectl_events`: lists events.

use crate::events::{self, Event, EventFilter};
use mcp_core::{Answer, ClusterReader, ClusterTool, Row, ToolError, moment};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

pub(crate) struct KubectlEvents;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Show events of one object: `pod/web-1`, `pod/shop/web-1`, or a name alone.
    object: Option<String>,
    /// Namespace.
    namespace: Option<String>,
    /// Type of event.
    #[serde(rename = "type")]
    severity: Option<Severity>,
    /// Reason of the event: `FailedScheduling`, `BackOff`, …
    reason: Option<String>,
    /// Start time: RFC 3339, or an age such as `30m`. In a bundle, ages count from the time of collection.
    since: Option<String>,
    /// End time, in the form of `since`.
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
    const DESCRIPTION: &'static str = "Lists events of pods, nodes and other objects, the newest first. Events whose \
         messages differ only in numbers are one line with their count, first and last time. Use it with type=Warning when \
         something does not start or is not ready.";
    type Params = Params;

    fn title(_: &Params) -> String {
        "events".into()
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let object = params.object.as_deref().map(str::trim).filter(|object| !object.is_empty());
        let of = match object {
            Some(object) => parse_object(cluster, object).await?,
            None => EventFilter::default(),
        };
        let wanted = EventFilter {
            severity: params.severity.map(|severity| format!("{severity:?}")),
            reason: params.reason.clone(),
            ..of
        };
        let namespace = params.namespace.as_deref().or(wanted.namespace.as_deref());
        let all = events::read(cluster, namespace, &wanted).await?;
        let as_of = cluster.as_of();
        let time = |name, text: &Option<String>| {
            text.as_deref()
                .filter(|text| !text.trim().is_empty())
                .map(|text| moment(name, text, as_of))
                .transpose()
        };
        let (since, until) = (time("since", &params.since)?, time("until", &params.until)?);
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
                "some of these events belong to an earlier object of this name; kubectl_describe leaves those out"
                    .into(),
            );
        }
        let mut found = events::grouped(all.into_iter().filter(in_time));
        // `limit` and the size of an answer cut rows at the end, so the oldest events come last.
        found.reverse();
        let (heading, lines) = events::table(&found, params.namespace.is_none());
        let heading: Arc<str> = heading.into();
        answer.rows = lines.into_iter().map(|line| Row::line(line).under(&heading)).collect();
        Ok(answer)
    }
}

/// Parses the parameter `object`: `pod/shop/web-1`, `pod/web-1`, `shop/web-1` or `web-1`.
async fn parse_object(cluster: &ClusterReader<'_>, text: &str) -> Result<EventFilter, ToolError> {
    let named = |kind: Option<String>, namespace: Option<&str>, name: &str| EventFilter {
        kind,
        namespace: namespace.map(str::to_owned),
        name: Some(name.to_owned()),
        ..EventFilter::default()
    };
    match text.split('/').collect::<Vec<_>>().as_slice() {
        [kind, namespace, name] => {
            let kind = cluster.kind(kind).await?;
            Ok(named(Some(kind.kind), Some(namespace), name))
        }
        // A first part that is not a kind is a namespace.
        [first, name] => match (cluster.kind(first).await, first.parse::<mcp_core::Namespace>()) {
            (Ok(kind), _) => Ok(named(Some(kind.kind), None, name)),
            (Err(_), Ok(namespace)) => Ok(named(None, Some(namespace.as_str()), name)),
            (Err(error), Err(_)) => Err(error),
        },
        _ => Ok(named(None, None, text)),
    }
}

fn empty(params: &Params, events: usize) -> String {
    let of = params.object.as_ref().map(|object| format!(" of {object}")).unwrap_or_default();
    let all = if events > 0 { " in this time range" } else { "" };
    format!("no event{of}{all} matches; by default, a cluster keeps events for one hour")
}
