//! Finds services whose clients are refused, because no pod is selected or no endpoint is ready.

use crate::{
    pods::{DETAILS, items, text},
    selectors::{labels, selects},
};
use mcp_core::{
    ClusterReader, ToolError,
    audit::{Certainty, Check, CheckOutcome, CollectedKind, Finding, Severity},
    counted,
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct ServiceEndpoints;

impl Check for ServiceEndpoints {
    const ID: &'static str = "service-endpoints";
    const TITLE: &'static str = "Every service with a selector selects pods and has a ready endpoint";
    const READS: &'static str = "Service, Pod and EndpointSlice objects";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let services = CollectedKind::read(cluster, "services", &[]).await?;
        let pods = CollectedKind::read(cluster, "pods", DETAILS).await?;
        let slices = CollectedKind::read(cluster, "endpointslices.discovery.k8s.io", &[]).await?;
        let mut outcome = CheckOutcome::default();
        let behind = Behind::new(&pods.objects, &slices.objects);
        let (mut compared, mut unknown) = (0, BTreeSet::new());
        for service in services.objects.iter().filter(|service| is_selecting(service)) {
            let namespace = text(service, "/metadata/namespace");
            if pods.is_whole_in(namespace) && slices.is_whole_in(namespace) {
                compared += 1;
                outcome.findings.extend(behind.finding(service));
            } else {
                unknown.insert(namespace);
            }
        }
        if compared > 0 {
            outcome.looked_at = counted(compared, "service");
        }
        outcome.unread.extend(unknown.into_iter().map(|namespace| {
            format!("the services of {namespace}: not all of its pods and EndpointSlices were collected")
        }));
        Ok(outcome)
    }
}

/// The objects that may be behind a service.
struct Behind<'a> {
    /// The pods that have not ended, by namespace.
    pods: BTreeMap<&'a str, Vec<&'a Value>>,
    /// The endpoints by the namespace and the name of their service.
    endpoints: BTreeMap<(&'a str, &'a str), Vec<&'a Value>>,
}

/// Whether the control plane makes the endpoints of a service from a selector.
fn is_selecting(service: &Value) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    selector.is_some_and(|selector| !selector.is_empty()) && text(service, "/spec/type") != "ExternalName"
}

impl<'a> Behind<'a> {
    fn new(pods: &'a [Value], slices: &'a [Value]) -> Self {
        let mut behind = Self { pods: BTreeMap::new(), endpoints: BTreeMap::new() };
        // A pod that has ended serves nobody.
        let is_done = |pod: &&Value| ["Succeeded", "Failed"].contains(&text(pod, "/status/phase"));
        for pod in pods.iter().filter(|pod| !is_done(pod)) {
            behind.pods.entry(text(pod, "/metadata/namespace")).or_default().push(pod);
        }
        for slice in slices {
            let service = text(slice, "/metadata/labels/kubernetes.io~1service-name");
            let all = behind.endpoints.entry((text(slice, "/metadata/namespace"), service)).or_default();
            all.extend(items(slice, "/endpoints"));
        }
        behind
    }

    fn finding(&self, service: &Value) -> Option<Finding> {
        let (namespace, name) = (text(service, "/metadata/namespace"), text(service, "/metadata/name"));
        let selector = service.pointer("/spec/selector")?.as_object()?;
        let here = self.pods.get(namespace).map_or([].as_slice(), Vec::as_slice);
        let wanted = json!({ "matchLabels": selector });
        let selected = here.iter().filter(|pod| selects(&wanted, &labels(pod)) == Some(true)).count();
        let found = |certainty, field: &str, wrong, right, shown_by, refuted_by: &str| Finding {
            severity: Severity::Error,
            certainty,
            object: format!("Service {namespace}/{name}"),
            node: None,
            field: field.into(),
            wrong,
            right,
            shown_by,
            refuted_by: refuted_by.into(),
        };
        if selected == 0 {
            let text = shown(selector);
            let near = here.iter().filter_map(|pod| near(selector, &labels(pod))).max();
            return Some(found(
                Certainty::Suspicion,
                "spec.selector",
                format!("{text}, which no pod of the namespace has"),
                near.map_or_else(
                    || "labels of running pods".into(),
                    |(_, labels)| format!("perhaps {labels}"),
                ),
                format!("kubectl_get kind=pod namespace={namespace} output=wide"),
                "the workload is scaled to zero on purpose",
            ));
        }
        let endpoints = self.endpoints.get(&(namespace, name));
        if endpoints.into_iter().flatten().any(|endpoint| is_used(endpoint)) {
            return None;
        }
        Some(found(
            Certainty::Certain,
            "ready endpoints",
            format!("none, although the service selects {}", counted(selected, "pod")),
            "at least one".into(),
            format!("ovnkube_locate what={namespace}/{name}"),
            "a pod has become ready since",
        ))
    }
}

/// Whether clients are sent to an endpoint: it is ready, or it terminates and still serves.
fn is_used(endpoint: &Value) -> bool {
    let is = |condition: &str| endpoint.pointer(&format!("/conditions/{condition}")).and_then(Value::as_bool);
    // The API says that an absent condition means ready.
    is("ready").unwrap_or(true) || is("serving").unwrap_or(false)
}

fn shown(labels: &Map<String, Value>) -> String {
    let each = |(key, value): (&String, &Value)| format!("{key}={}", value.as_str().unwrap_or_default());
    labels.iter().map(each).collect::<Vec<_>>().join(",")
}

/// Returns how many labels of a pod agree with a selector, and the pod's values of the selector's keys. Returns `None`
/// if the pod lacks one of the keys.
fn near(selector: &Map<String, Value>, labels: &Map<String, Value>) -> Option<(usize, String)> {
    let own: Map<String, Value> =
        selector.keys().map(|key| Some((key.clone(), labels.get(key)?.clone()))).collect::<Option<_>>()?;
    let equal = own.iter().filter(|(key, value)| selector.get(*key) == Some(value)).count();
    Some((equal, shown(&own)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_needs_a_pod_and_a_ready_endpoint() {
        let service = json!({ "metadata": { "namespace": "a", "name": "web" }, "spec": { "selector": { "app": "web" } } });
        let pod =
            |app: &str| json!([{ "metadata": { "namespace": "a", "name": "p", "labels": { "app": app } } }]);
        let slice = |conditions: Value| {
            json!([{
                "metadata": { "namespace": "a", "labels": { "kubernetes.io/service-name": "web" } },
                "endpoints": [{ "conditions": conditions }],
            }])
        };
        let found = |pods: Value, slices: Value| {
            Behind::new(pods.as_array().unwrap(), slices.as_array().unwrap()).finding(&service)
        };
        assert!(found(pod("web"), slice(json!({ "ready": true }))).is_none());
        assert!(found(pod("web"), slice(json!({ "ready": false, "serving": true }))).is_none());
        assert!(found(pod("web"), slice(json!({}))).is_none());
        let unready = found(pod("web"), slice(json!({ "ready": false }))).unwrap();
        assert_eq!((unready.certainty, unready.field.as_str()), (Certainty::Certain, "ready endpoints"));
        let other = found(pod("webb"), json!([])).unwrap();
        assert_eq!((other.certainty, other.right.as_str()), (Certainty::Suspicion, "perhaps app=webb"));
        assert_eq!(found(json!([]), json!([])).unwrap().right, "labels of running pods");
        let manual = json!({ "spec": {} });
        assert!(!is_selecting(&manual) && is_selecting(&service));
    }
}
