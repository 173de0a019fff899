//! Finds rows that were made for Kubernetes objects which no longer exist.

use futures::StreamExt;
use mcp_core::{
    ClusterReader, Db, NodeName, ToolError,
    audit::{Certainty, Check, CheckOutcome, CollectedKind, Finding, Severity},
    chain, counted,
};
use ovn_model::detrace::kubernetes_owner;
use ovsdb::{Rows, Select};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) struct RowOwners;

/// The kinds of owners whose rows name the object, and the tables that have such rows.
const KINDS: [(&str, &str); 3] = [
    ("Service", "services"),
    ("NetworkPolicy", "networkpolicies.networking.k8s.io"),
    ("AdminNetworkPolicy", "adminnetworkpolicies.policy.networking.k8s.io"),
];

/// The tables with rows of these owners.
const TABLES: [&str; 4] = ["Load_Balancer", "ACL", "Port_Group", "Address_Set"];

impl Check for RowOwners {
    const ID: &'static str = "row-owners";
    const TITLE: &'static str =
        "Each row that was made for a service or a policy belongs to an object that exists";
    const READS: &'static str = "Service, NetworkPolicy and AdminNetworkPolicy objects; Load_Balancer, ACL, Port_Group and \
         Address_Set of each zone's northbound database";

    async fn run(cluster: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
        let mut outcome = CheckOutcome::default();
        let (mut known, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        for (kind, plural) in KINDS {
            match cluster.known_kind(plural).await? {
                Some(_) => match OwnerNames::read(cluster, plural).await {
                    Ok(names) => _ = known.insert(kind, names),
                    Err(e) => outcome.unread.push(format!("{kind}: {}", chain(&e))),
                },
                None => _ = unknown.insert(kind, format!("the source has no {plural}")),
            }
        }
        if known.is_empty() {
            outcome.unread.extend(unknown.into_iter().map(|(kind, why)| format!("{kind}: {why}")));
            return Ok(outcome);
        }
        let selects = TABLES.map(|table| Select::from(table).columns(["name", "external_ids"]));
        let mut zones = cluster.rows_of(cluster.nodes().await?, Db::Nb, &selects, |rows| owned(&rows));
        let (mut read, mut compared) = (0, 0);
        while let Some((zone, result)) = zones.next().await {
            match result {
                Ok(owned) => {
                    read += 1;
                    let kinds = owned.keys().filter_map(|(owner, _)| Some(owner.split_once(' ')?.0));
                    // A cluster without such rows does not need the objects.
                    let missing = kinds.filter_map(|kind| unknown.remove_entry(kind)).collect::<Vec<_>>();
                    outcome.unread.extend(missing.into_iter().map(|(kind, why)| format!("{kind}: {why}")));
                    let judged = judge(&zone, &owned, &known);
                    compared += judged.compared;
                    outcome.findings.extend(judged.findings);
                    if judged.unknown > 0 {
                        let rows = counted(judged.unknown, "row");
                        outcome
                            .unread
                            .push(format!("{rows} on {zone}: not all objects of the kind were collected"));
                    }
                }
                Err(e) => outcome.could_not_read(&zone, &e),
            }
        }
        if compared > 0 {
            outcome.looked_at = format!("{} in {}", counted(compared, "row"), counted(read, "zone"));
        }
        Ok(outcome)
    }
}

/// The names of the objects of a kind.
struct OwnerNames {
    /// `namespace/name`, or `name` if the kind has no namespaces.
    names: BTreeSet<String>,
    collected: CollectedKind,
}

impl OwnerNames {
    async fn read(cluster: &ClusterReader<'_>, kind: &str) -> Result<Self, ToolError> {
        Ok(Self::new(CollectedKind::read(cluster, kind, &["spec", "status"]).await?))
    }

    fn new(collected: CollectedKind) -> Self {
        let text = |object: &Value, pointer: &str| {
            object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let name =
            |object: &Value| match (text(object, "/metadata/namespace"), text(object, "/metadata/name")) {
                (namespace, name) if namespace.is_empty() => name,
                (namespace, name) => format!("{namespace}/{name}"),
            };
        Self { names: collected.objects.iter().map(name).collect(), collected }
    }

    /// Whether an object exists. Returns `None` if it was not collected but may exist.
    fn has(&self, name: &str) -> Option<bool> {
        let is_whole = match name.split_once('/') {
            Some((namespace, _)) => self.collected.is_whole_in(namespace),
            None => self.collected.is_whole(),
        };
        if self.names.contains(name) { Some(true) } else { is_whole.then_some(false) }
    }
}

/// The number of rows by owner and table.
type OwnedRows = BTreeMap<(String, &'static str), usize>;

fn owned(rows: &[Rows]) -> OwnedRows {
    let mut all = OwnedRows::new();
    for (table, rows) in TABLES.iter().zip(rows) {
        for owner in rows.rows.iter().filter_map(kubernetes_owner) {
            if KINDS.iter().any(|(kind, _)| owner.split(' ').next() == Some(kind)) {
                *all.entry((owner, table)).or_default() += 1;
            }
        }
    }
    all
}

/// What is known about the rows of a zone.
#[derive(Default)]
struct JudgedRows {
    findings: Vec<Finding>,
    /// The number of rows whose owner is known to exist or not.
    compared: usize,
    /// The number of rows whose owner may exist.
    unknown: usize,
}

fn judge(zone: &NodeName, owned: &OwnedRows, known: &BTreeMap<&'static str, OwnerNames>) -> JudgedRows {
    let mut judged = JudgedRows::default();
    for ((owner, table), count) in owned {
        let Some((kind, name)) = owner.split_once(' ') else { continue };
        let Some(names) = known.get(kind) else { continue };
        match names.has(name) {
            Some(true) => judged.compared += count,
            None => judged.unknown += count,
            Some(false) => {
                judged.compared += count;
                judged.findings.push(finding(zone, owner, table, *count));
            }
        }
    }
    judged
}

fn finding(zone: &NodeName, owner: &str, table: &str, count: usize) -> Finding {
    let last = owner.rsplit(['/', ' ']).next().unwrap_or(owner);
    Finding {
        severity: Severity::Error,
        certainty: Certainty::Suspicion,
        object: owner.to_owned(),
        node: Some(zone.clone()),
        field: table.to_owned(),
        wrong: counted(count, "row"),
        right: "none, because the object does not exist".into(),
        shown_by: format!("ovn_nbctl_list table={table} grep={last} node_name={zone}"),
        refuted_by: "the object was deleted after the database was read".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_of_a_deleted_object_are_found() {
        let owned: OwnedRows = [
            (("Service a/web".to_owned(), "Load_Balancer"), 2),
            (("NetworkPolicy a/np".to_owned(), "ACL"), 1),
        ]
        .into();
        let judged = |service: &str, whole: Option<&str>| {
            let services = vec![json!({ "metadata": { "namespace": "a", "name": service } })];
            let whole = whole.map(|namespace| BTreeSet::from([namespace.to_owned()]));
            let known = [("Service", OwnerNames::new(CollectedKind::new(services, whole)))].into();
            let judged = judge(&"n1".parse().unwrap(), &owned, &known);
            let found: Vec<String> =
                judged.findings.iter().map(|it| format!("{}: {}", it.object, it.wrong)).collect();
            (found, judged.compared, judged.unknown)
        };
        // Policies were not read, so nothing is known about them.
        assert_eq!(judged("web", None), (vec![], 2, 0));
        assert_eq!(judged("other", None), (vec!["Service a/web: 2 rows".to_owned()], 2, 0));
        assert_eq!(judged("other", Some("a")).1, 2);
        assert_eq!(judged("other", Some("b")), (vec![], 0, 2));
    }
}
