//! Implements watches, which stream the changes of a kind.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cluster::LabCluster;
use super::path::Target;
use super::query::Query;
use super::read::{Page, find};
use super::status::Status;

/// The maximum and default duration of a watch in seconds.
const LONGEST: u64 = 1800;

/// The state of a watch.
struct Watcher {
    cluster: Arc<LabCluster>,
    target: Target,
    query: Query,
    /// The version of the last change that was sent.
    version: u64,
    lines: VecDeque<String>,
    until: Instant,
}

/// Starts a watch.
pub(super) fn watch(cluster: &Arc<LabCluster>, target: &Target, query: &Query) -> Result<Response, Status> {
    let mut lines = VecDeque::new();
    let version = {
        let store = cluster.store();
        let resource = find(&store, target)?;
        let page = Page::of(resource, target, query)?;
        let given = query.number("resourceVersion")?.unwrap_or(0);
        if given == 0 || query.is("sendInitialEvents") {
            lines.extend(page.objects.iter().map(|object| line("ADDED", &resource.whole(object))));
            if query.is("sendInitialEvents") {
                lines.push_back(line(
                    "BOOKMARK",
                    &json!({
                        "kind": resource.kind,
                        "apiVersion": resource.group_version,
                        "metadata": {
                            "resourceVersion": store.version().to_string(),
                            "annotations": { "k8s.io/initial-events-end": "true" },
                        },
                    }),
                ));
            }
            store.version()
        } else {
            given
        }
    };
    let seconds = query.number("timeoutSeconds")?.unwrap_or(LONGEST).min(LONGEST);
    let watcher = Watcher {
        cluster: cluster.clone(),
        target: target.clone(),
        query: query.clone(),
        version,
        lines,
        until: Instant::now() + Duration::from_secs(seconds),
    };
    let lines = stream::unfold(watcher, async |mut watcher| {
        let line = watcher.next().await?;
        Some((Ok::<_, Infallible>(line), watcher))
    });
    Ok(([(CONTENT_TYPE, "application/json")], Body::from_stream(lines)).into_response())
}

impl Watcher {
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            let (changes, mut more) = self.cluster.store().since(self.version);
            for change in changes {
                self.version = change.version;
                if change.of == (self.target.group_version(), self.target.plural.clone())
                    && Page::holds(&change.object, &self.target, &self.query)
                {
                    self.lines.push_back(line(change.how, &change.object));
                }
            }
            if self.lines.is_empty() {
                tokio::time::timeout_at(self.until, more.changed()).await.ok()?.ok()?;
            }
        }
    }
}

fn line(how: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": how, "object": object }))
}
