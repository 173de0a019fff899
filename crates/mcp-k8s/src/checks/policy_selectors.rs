//! Finds network policies whose selectors select nothing, so that they protect no pod or admit no peer.

use crate::{
    pods::{DETAILS, items, text},
    selectors::{labels, selects},
};
use mcp_core::{
    ClusterReader, ToolError,
    audit::{Certainty, Check, CheckOutcome, CollectedKind, Finding, Severity},
    counted,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub(crate) struct PolicySelectors;

impl Check for PolicySelectors {
    const ID: &'static str = "policy-selectors";
    const TITLE: &'static str = "Every NetworkPolicy and each of its peers select a pod";
    const READS: &'static str = "NetworkPolicy, Pod and Namespace objects";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let policies = CollectedKind::read(cluster, "networkpolicies.networking.k8s.io", &[]).await?;
        let pods = CollectedKind::read(cluster, "pods", DETAILS).await?;
        let namespaces = CollectedKind::read(cluster, "namespaces", &[]).await?;
        let mut outcome = CheckOutcome::default();
        let selectable = Selectable::new(&pods, &namespaces);
        let mut compared = 0;
        for policy in &policies.objects {
            let judged = selectable.judge(policy);
            compared += usize::from(judged.unknown.is_empty());
            outcome.findings.extend(judged.findings);
            let (namespace, name) = (text(policy, "/metadata/namespace"), text(policy, "/metadata/name"));
            outcome.unread.extend(judged.unknown.into_iter().map(|field| {
                format!(
                    "{field} of {namespace}/{name}: it selects no pod that was collected, and not all were"
                )
            }));
        }
        if compared > 0 {
            outcome.looked_at = counted(compared, "NetworkPolicy object");
        }
        Ok(outcome)
    }
}

/// The labels of the pods and namespaces that selectors can select.
struct Selectable<'a> {
    pods: BTreeMap<&'a str, Vec<Map<String, Value>>>,
    namespaces: BTreeMap<&'a str, Map<String, Value>>,
    collected: &'a CollectedKind,
    has_all_namespaces: bool,
}

/// What is known about the selectors of a policy.
#[derive(Default)]
struct JudgedPolicy {
    findings: Vec<Finding>,
    /// The selectors that may select pods which were not collected.
    unknown: Vec<String>,
}

impl<'a> Selectable<'a> {
    fn new(pods: &'a CollectedKind, namespaces: &'a CollectedKind) -> Self {
        let mut of = BTreeMap::<&str, Vec<_>>::new();
        for pod in &pods.objects {
            of.entry(text(pod, "/metadata/namespace")).or_default().push(labels(pod));
        }
        let named = |namespace: &'a Value| (text(namespace, "/metadata/name"), labels(namespace));
        Self {
            pods: of,
            namespaces: namespaces.objects.iter().map(named).collect(),
            collected: pods,
            has_all_namespaces: namespaces.is_whole(),
        }
    }

    /// Whether a pod of the namespaces is selected, or `None` if a pod that was not collected may be. Without a
    /// selector, every pod is. A selector that cannot be evaluated may select a pod.
    fn selects_pod<'n>(
        &self,
        selector: Option<&Value>,
        namespaces: impl Iterator<Item = &'n str>,
    ) -> Option<bool> {
        let mut answer = Some(false);
        for namespace in namespaces {
            let mut pods = self.pods.get(namespace).into_iter().flatten();
            if pods.any(|labels| selector.is_none_or(|selector| selects(selector, labels) != Some(false))) {
                return Some(true);
            }
            if !self.collected.is_whole_in(namespace) {
                answer = None;
            }
        }
        answer
    }

    fn judge(&self, policy: &Value) -> JudgedPolicy {
        let namespace = text(policy, "/metadata/namespace");
        let mut judged = JudgedPolicy::default();
        let mut take = |selects: Option<bool>, severity, field: String, so| match selects {
            Some(true) => {}
            Some(false) => judged.findings.push(finding(policy, severity, field, so)),
            None => judged.unknown.push(field),
        };
        let subject = self.selects_pod(policy.pointer("/spec/podSelector"), [namespace].into_iter());
        take(subject, Severity::Notice, "spec.podSelector".into(), "the policy has no effect");
        if subject != Some(true) {
            // Peers matter only if the policy selects a pod.
            return judged;
        }
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            for (rule, of) in items(policy, &format!("/spec/{direction}")).enumerate() {
                for (at, peer) in items(of, &format!("/{peers}")).enumerate() {
                    let field = format!("spec.{direction}[{rule}].{peers}[{at}]");
                    let selects = self.selects_peer(namespace, peer);
                    take(selects, Severity::Warning, field, "the peer admits nobody");
                }
            }
        }
        judged
    }

    fn selects_peer(&self, own: &str, peer: &Value) -> Option<bool> {
        let pods = peer.get("podSelector");
        match peer.get("namespaceSelector") {
            _ if peer.get("ipBlock").is_some() => Some(true),
            None => self.selects_pod(pods, [own].into_iter()),
            Some(selector) => {
                let all = self.namespaces.iter();
                let chosen = all.filter(|(_, labels)| selects(selector, labels) != Some(false));
                let selects = self.selects_pod(pods, chosen.map(|(name, _)| *name));
                selects.filter(|is_selected| *is_selected || self.has_all_namespaces)
            }
        }
    }
}

fn finding(policy: &Value, severity: Severity, field: String, so: &str) -> Finding {
    let (namespace, name) = (text(policy, "/metadata/namespace"), text(policy, "/metadata/name"));
    Finding {
        severity,
        certainty: Certainty::Suspicion,
        object: format!("NetworkPolicy {namespace}/{name}"),
        node: None,
        field,
        wrong: format!("a selector that selects no pod, so {so}"),
        right: "the labels of a pod".into(),
        shown_by: format!("kubectl_describe kind=networkpolicy name={name} namespace={namespace}"),
        refuted_by: "the pods are created later".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;

    #[test]
    fn a_selector_without_a_pod_is_found() {
        let pods = json!([{ "metadata": { "namespace": "a", "name": "p", "labels": { "app": "web" } } }]);
        let namespaces = json!([{ "metadata": { "name": "a", "labels": { "team": "x" } } }]);
        let whole =
            |objects: &Value| CollectedKind::new(objects.as_array().cloned().unwrap_or_default(), None);
        let (pods, namespaces) = (whole(&pods), whole(&namespaces));
        let selectable = Selectable::new(&pods, &namespaces);
        let found = |app: &str, peer: Value| -> Vec<String> {
            let policy = json!({
                "metadata": { "namespace": "a", "name": "np" },
                "spec": { "podSelector": { "matchLabels": { "app": app } }, "ingress": [{ "from": [peer] }] },
            });
            selectable.judge(&policy).findings.into_iter().map(|it| it.field).collect()
        };
        let labels = |key: &str, value: &str| json!({ "matchLabels": { key: value } });
        assert!(found("web", json!({ "podSelector": labels("app", "web") })).is_empty());
        assert!(found("web", json!({ "namespaceSelector": labels("team", "x") })).is_empty());
        assert!(found("web", json!({ "ipBlock": { "cidr": "192.0.2.0/24" } })).is_empty());
        assert_eq!(found("db", json!({})), ["spec.podSelector"]);
        let peer = ["spec.ingress[0].from[0]"];
        assert_eq!(found("web", json!({ "podSelector": labels("app", "db") })), peer);
        assert_eq!(found("web", json!({ "namespaceSelector": labels("team", "y") })), peer);
        let both = json!({ "namespaceSelector": labels("team", "x"), "podSelector": labels("app", "db") });
        assert_eq!(found("web", both), peer);
        // A pod that was not collected may be selected.
        let part = CollectedKind::new(Vec::new(), Some(BTreeSet::new()));
        let selectable = Selectable::new(&part, &namespaces);
        let policy = json!({ "metadata": { "namespace": "a", "name": "np" }, "spec": { "podSelector": {} } });
        let judged = selectable.judge(&policy);
        assert_eq!((judged.findings.len(), judged.unknown), (0, vec!["spec.podSelector".to_owned()]));
    }
}
