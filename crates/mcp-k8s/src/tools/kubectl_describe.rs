//! The tool `kubectl_describe`: describes one object.

use crate::{
    describe::{self, Section},
    events::{self, EventFilter},
    table::{self, Object, TableContext},
    which::ObjectSelection,
};
use mcp_core::{Answer, ClusterReader, ClusterTool, ObjectKind, ObjectQuery, ReadError, ToolError, chain};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

pub(crate) struct KubectlDescribe;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// Kind or short name, or kind and name: `pod/web-1`.
    kind: String,
    /// Name of the object, or `namespace/name`.
    name: Option<String>,
    /// Namespace of the object, if several namespaces have one of this name.
    namespace: Option<String>,
}

/// The maximum number of event groups that are shown.
const EVENTS: usize = 20;

impl ClusterTool for KubectlDescribe {
    const NAME: &'static str = "kubectl_describe";
    const TITLE: &'static str = "One Kubernetes object";
    const TOOLSET: &'static str = "objects";
    const DESCRIPTION: &'static str = "Describes one object: status, conditions, owner, events, and decoded OVN-Kubernetes \
         annotations (subnets, gateway, chassis, transit address, networks and addresses of a pod). Use it when \
         an object is not ready; kubectl_get with output=yaml shows all fields.";
    type Params = Params;

    fn title(params: &Params) -> String {
        match &params.name {
            Some(name) => format!("{} {name}", params.kind),
            None => params.kind.clone(),
        }
    }

    async fn run(cluster: &ClusterReader<'_>, params: &Params) -> Result<Answer, ToolError> {
        let which =
            ObjectSelection::parse(&params.kind, params.name.as_deref(), params.namespace.as_deref())?;
        let ([kind], [_]) = (which.kinds.as_slice(), which.names.as_slice()) else {
            return Err(ToolError::bad(
                "kubectl_describe describes one object at a time and needs one kind and one name",
                "Call kubectl_get to list objects and their names.",
            ));
        };
        let kind = cluster.kind(kind).await?;
        let found = which.objects(cluster, &kind).await?;
        let [object] = found.as_slice() else {
            let namespaces =
                found.iter().map(|one| Object(one).text("/metadata/namespace")).collect::<Vec<_>>();
            return Err(ToolError::bad(
                format!("{} objects have this name", found.len()),
                format!("Pass one of these namespaces: {}.", namespaces.join(", ")),
            ));
        };
        let as_of = cluster.as_of();
        let mut sections = describe::sections(&kind, object, as_of);
        let mut answer = Answer::default();
        if kind.group.is_empty() && kind.plural == "services" {
            sections.extend(endpoints_section(cluster, object, &mut answer).await?);
        }
        sections.push(events_section(cluster, &kind, object, &mut answer).await?);
        if kind.group.is_empty() && kind.plural == "pods" {
            answer.notes.push("kubectl_get with output=yaml shows the whole spec".into());
        }
        answer.rows = sections.into_iter().flat_map(Section::rows).collect();
        Ok(answer)
    }
}

/// Returns the section with the events of an object. It says `none` if there are none, and `not collected` if the
/// source has no events.
async fn events_section(
    cluster: &ClusterReader<'_>,
    kind: &ObjectKind,
    object: &Value,
    answer: &mut Answer,
) -> Result<Section, ToolError> {
    let of = Object(object);
    let namespace = of.text("/metadata/namespace");
    let wanted = EventFilter {
        kind: Some(kind.kind.clone()),
        name: Some(of.text("/metadata/name").to_owned()),
        ..EventFilter::default()
    };
    let namespace = Some(namespace).filter(|name| !name.is_empty());
    let mut all = match events::read(cluster, namespace, &wanted).await {
        Ok(all) => all,
        Err(ToolError::Read(e @ ReadError::NotHeld { .. })) => {
            answer.notes.push(e.to_string());
            return Ok(Section::new("Events", vec!["not collected".into()]));
        }
        // Unreadable events must not hide the object.
        Err(ToolError::Read(e)) => {
            answer.notes.push(format!("the events were not read: {}", chain(&e)));
            return Ok(Section::new("Events", vec!["not read".into()]));
        }
        Err(e) => return Err(e),
    };
    // A pod can be recreated under the same name, for example by a StatefulSet; events of the earlier pod have another
    // UID. Nodes and mirror pods are not filtered: in their events the kubelet uses a UID that differs from the API
    // server's.
    let uid = of.text("/metadata/uid");
    let is_mirror =
        of.map("/metadata/annotations").iter().any(|(key, _)| *key == "kubernetes.io/config.mirror");
    if kind.kind == "Pod" && !is_mirror && !uid.is_empty() {
        let before = all.len();
        all.retain(|event| event.uid.is_empty() || event.uid == uid);
        let earlier = before - all.len();
        if earlier > 0 {
            answer.notes.push(format!(
                "{earlier} events of an earlier pod of this name are left out; kubectl_events shows them"
            ));
        }
    }
    let groups = events::grouped(all);
    let older = groups.len().saturating_sub(EVENTS);
    if older > 0 {
        answer.notes.push(format!("{older} older groups of events are left out; kubectl_events shows them"));
    }
    let (heading, lines) = events::table(groups.get(older..).unwrap_or_default(), false);
    let none = groups.is_empty().then(|| "none".to_owned());
    let lines = none.into_iter().chain((!lines.is_empty()).then_some(heading)).chain(lines).collect();
    Ok(Section::new("Events", lines))
}

/// Returns the section with the endpoint slices of a service, or nothing if none were collected.
async fn endpoints_section(
    cluster: &ClusterReader<'_>,
    service: &Value,
    answer: &mut Answer,
) -> Result<Option<Section>, ToolError> {
    let of = Object(service);
    let kind = cluster.kind("endpointslices.discovery.k8s.io").await?;
    let labels = format!("kubernetes.io/service-name={}", of.text("/metadata/name"));
    let which = ObjectSelection::parse("endpointslices", None, Some(of.text("/metadata/namespace")))?
        .selected(Some(&labels), None)?;
    let query: ObjectQuery = which.query(kind.clone());
    let slices = match cluster.objects(&query).await {
        Ok(slices) => slices,
        Err(e @ ReadError::NotHeld { .. }) => {
            answer.notes.push(e.to_string());
            return Ok(None);
        }
        Err(e) => return Err(e.into()),
    };
    let table = table::of(&kind, &slices, None, &TableContext { as_of: cluster.as_of() });
    let table::TableLines { heading, rows } = table::lines(&table, false, false);
    let mut lines = if rows.is_empty() { vec!["none".to_owned()] } else { vec![heading] };
    lines.extend(rows);
    for endpoint in slices.iter().flat_map(|slice| Object(slice).list("/endpoints")) {
        let conditions = endpoint.map("/conditions").into_iter();
        let conditions = conditions.map(|(name, value)| format!("{name}={}", value.0)).collect::<Vec<_>>();
        let addresses = endpoint.texts("/addresses").join(",");
        let (node, target) = (endpoint.text("/nodeName"), endpoint.text("/targetRef/name"));
        lines.push(format!("{addresses} {target} on {node}: {}", conditions.join(" ")));
    }
    Ok(Some(Section::new("Endpoint slices", lines)))
}
