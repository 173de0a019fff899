//! Reads Kubernetes events and groups those that differ only in numbers, hashes and addresses.
//!
//! A problem that lasts for hours leaves many events, because their counts restart and their messages contain numbers.

use crate::{
    table::{Object, aligned},
    which::ObjectSelection,
};
use jiff::Timestamp;
use mcp_core::{ClusterReader, ReadError, ToolError};
use serde_json::Value;
use std::collections::BTreeMap;

/// An event, or a group of events of the same form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) namespace: String,
    /// Kind and name of the object: `pod/web-1`.
    pub(crate) object: String,
    /// The UID of the object. An object that was recreated under the same name has another UID.
    pub(crate) uid: String,
    /// `Normal` or `Warning`.
    pub(crate) severity: String,
    pub(crate) reason: String,
    /// The message of the newest event of the group.
    pub(crate) message: String,
    pub(crate) first: Option<Timestamp>,
    pub(crate) last: Option<Timestamp>,
    pub(crate) count: i64,
    /// The number of different messages in the group.
    pub(crate) wordings: usize,
}

impl Event {
    /// Parses an object of kind `Event`, of the core group or of the group `events.k8s.io`, whose fields have other
    /// names.
    pub(crate) fn of(event: &Value) -> Self {
        let event = Object(event);
        let text = |paths: [&str; 2]| {
            paths.into_iter().map(|path| event.text(path)).find(|text| !text.is_empty()).unwrap_or_default()
        };
        let time = |paths: &[&str]| paths.iter().find_map(|path| event.text(path).parse::<Timestamp>().ok());
        let kind = text(["/involvedObject/kind", "/regarding/kind"]).to_lowercase();
        let name = text(["/involvedObject/name", "/regarding/name"]);
        let first = time(&[
            "/firstTimestamp",
            "/deprecatedFirstTimestamp",
            "/eventTime",
            "/metadata/creationTimestamp",
        ]);
        let last = time(&["/series/lastObservedTime", "/lastTimestamp", "/deprecatedLastTimestamp"]);
        let counts = ["/series/count", "/count", "/deprecatedCount"].map(|path| event.int(path));
        Self {
            namespace: text(["/involvedObject/namespace", "/regarding/namespace"]).into(),
            object: format!("{kind}/{name}"),
            uid: text(["/involvedObject/uid", "/regarding/uid"]).into(),
            severity: event.text("/type").into(),
            reason: event.text("/reason").into(),
            message: text(["/message", "/note"]).trim().into(),
            first,
            last: last.or(first),
            count: counts.into_iter().find(|count| *count > 0).unwrap_or(1),
            wordings: 1,
        }
    }
}

/// The filter for the events to read. A field without a value matches every event.
#[derive(Default)]
pub(crate) struct EventFilter {
    /// The kind of the object, written as in objects: `Pod`.
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) severity: Option<String>,
    pub(crate) reason: Option<String>,
}

impl EventFilter {
    /// Returns the field selector that an API server supports for events of the core group.
    fn selector(&self) -> String {
        let fields = [
            ("type", &self.severity),
            ("reason", &self.reason),
            ("involvedObject.kind", &self.kind),
            ("involvedObject.namespace", &self.namespace),
            ("involvedObject.name", &self.name),
        ];
        let fields = fields.iter().filter_map(|(field, value)| Some(format!("{field}={}", value.as_ref()?)));
        fields.collect::<Vec<_>>().join(",")
    }

    fn matches(&self, event: &Event) -> bool {
        let is = |wanted: &Option<String>, own: &str| wanted.as_ref().is_none_or(|wanted| wanted == own);
        let (kind, name) = event.object.split_once('/').unwrap_or_default();
        self.kind.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(kind))
            && is(&self.name, name)
            && is(&self.namespace, &event.namespace)
            && is(&self.severity, &event.severity)
            && is(&self.reason, &event.reason)
    }
}

/// Reads the events of a namespace, or of all namespaces. A bundle can have only the events of the group
/// `events.k8s.io`, which are the same events with other field names.
pub(crate) async fn read(
    cluster: &ClusterReader<'_>,
    namespace: Option<&str>,
    wanted: &EventFilter,
) -> Result<Vec<Event>, ToolError> {
    let fields = wanted.selector();
    let which = || ObjectSelection::parse("events", None, namespace);
    let of_core = which()?.selected(None, (!fields.is_empty()).then_some(fields.as_str()))?;
    let kind = cluster.kind("events").await?;
    // Query the objects directly: a field that no event has does not mean that the path is misspelled.
    let missing = match cluster.objects(&of_core.query(kind.clone())).await {
        Ok(found) if found.is_empty() => {
            of_core.check_namespace(cluster, &kind).await?;
            return Ok(Vec::new());
        }
        Ok(found) => return Ok(found.iter().map(Event::of).collect()),
        Err(e @ ReadError::NotHeld { .. }) => e,
        Err(e) => return Err(e.into()),
    };
    let Some(kind) = cluster.known_kind("events.events.k8s.io").await? else { return Err(missing.into()) };
    match cluster.objects(&which()?.query(kind)).await {
        Ok(found) => Ok(found.iter().map(Event::of).filter(|event| wanted.matches(event)).collect()),
        Err(_) => Err(missing.into()),
    }
}

/// Groups events that differ only in numbers, the newest group last.
pub(crate) fn grouped(events: impl IntoIterator<Item = Event>) -> Vec<Event> {
    let mut groups: BTreeMap<[String; 5], (Event, Vec<String>)> = BTreeMap::new();
    for event in events {
        let Event { namespace, object, severity, reason, message, .. } = &event;
        let key = [namespace, object, severity, reason, &shape(message)].map(String::clone);
        match groups.get_mut(&key) {
            None => _ = groups.insert(key, (event.clone(), vec![event.message])),
            Some((group, messages)) => {
                if !messages.contains(&event.message) {
                    messages.push(event.message.clone());
                }
                group.first = [group.first, event.first].into_iter().flatten().min();
                group.count += event.count;
                if event.last > group.last {
                    (group.last, group.message) = (event.last, event.message);
                }
            }
        }
    }
    let mut all: Vec<Event> =
        groups.into_values().map(|(group, messages)| Event { wordings: messages.len(), ..group }).collect();
    // The sort is stable, so events of the same time stay in the order of their names.
    all.sort_by_key(|event| event.last);
    all
}

/// Returns a message with `#` in place of each word that contains a digit, because such words change between events.
fn shape(message: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-.:_/".contains(c);
    let mut shape = String::new();
    let mut word = String::new();
    for c in message.chars().chain(Some('\n')) {
        if is_word(c) {
            word.push(c);
            continue;
        }
        shape += if word.contains(|c: char| c.is_ascii_digit()) { "#" } else { &word };
        word.clear();
        shape.push(c);
    }
    shape
}

/// Returns a heading, and a line for each group. `namespaces` adds the column for the namespace.
pub(crate) fn table(events: &[Event], namespaces: bool) -> (String, Vec<String>) {
    let time = |time: Option<Timestamp>| match time {
        Some(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        None => "unknown".into(),
    };
    let namespace = |name: &str| namespaces.then(|| name.to_owned()).into_iter();
    let mut all: Vec<Vec<String>> = vec![
        namespace("NAMESPACE")
            .chain(["LAST", "FIRST", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"].map(str::to_owned))
            .collect(),
    ];
    for event in events {
        let wordings = if event.wordings > 1 {
            format!(" ({} messages of this form)", event.wordings)
        } else {
            String::new()
        };
        let cells = [
            time(event.last),
            if event.first == event.last { "same".into() } else { time(event.first) },
            event.count.to_string(),
            event.severity.clone(),
            event.reason.clone(),
            event.object.clone(),
            event.message.replace('\n', " ") + &wordings,
        ];
        all.push(
            namespace(if event.namespace.is_empty() { "-" } else { &event.namespace }).chain(cells).collect(),
        );
    }
    let mut lines = aligned(&all).into_iter();
    (lines.next().unwrap_or_default(), lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event(message: &str, last: &str, count: i64) -> Event {
        Event::of(&json!({
            "involvedObject": { "kind": "Pod", "name": "web-1", "namespace": "shop" },
            "type": "Warning", "reason": "Unhealthy", "message": message,
            "firstTimestamp": "2026-11-22T08:00:00Z", "lastTimestamp": last, "count": count,
        }))
    }

    #[test]
    fn events_that_differ_only_in_numbers_are_one_group() {
        let groups = grouped([
            event("dial tcp 10.244.0.5:8080: refused", "2026-11-22T08:10:00Z", 3),
            event("dial tcp 10.244.0.6:8080: refused", "2026-11-22T08:05:00Z", 2),
            event("dial tcp 10.244.0.6:8080: timeout", "2026-11-22T08:07:00Z", 1),
        ]);
        let told: Vec<_> = groups.iter().map(|g| (g.count, g.wordings, g.message.as_str())).collect();
        assert_eq!(
            told,
            [(1, 1, "dial tcp 10.244.0.6:8080: timeout"), (5, 2, "dial tcp 10.244.0.5:8080: refused")]
        );
        assert_eq!(groups[1].last, "2026-11-22T08:10:00Z".parse().ok());
    }

    #[test]
    fn events_of_both_api_groups_are_parsed() {
        let scheduled = json!({
            "eventTime": "2026-11-22T08:13:45.437142Z", "firstTimestamp": null, "lastTimestamp": null,
            "involvedObject": { "kind": "Pod", "name": "db", "namespace": "shop" },
            "type": "Normal", "reason": "Scheduled", "message": "Successfully assigned", "series": { "count": 4, "lastObservedTime": "2026-11-22T08:20:00Z" },
        });
        let newer = json!({
            "eventTime": "2026-11-22T08:13:45.437142Z", "regarding": { "kind": "Pod", "name": "db", "namespace": "shop" },
            "type": "Normal", "reason": "Scheduled", "note": "Successfully assigned", "series": { "count": 4, "lastObservedTime": "2026-11-22T08:20:00Z" },
        });
        assert_eq!(Event::of(&scheduled), Event::of(&newer));
        assert_eq!((Event::of(&newer).count, Event::of(&newer).object.as_str()), (4, "pod/db"));
    }
}
