//! Prints the objects of a bundle as `kubectl get` does. For a live cluster, the API server makes the table.
//!
//! Each kind has a line in [`PRINTERS`] and, if needed, a function. The columns of a custom resource come from its
//! definition.

mod age;
mod autoscaler;
mod cluster;
mod control;
mod custom;
mod network;
mod object;
mod path;
mod storage;
#[cfg(test)]
mod tests;
mod text;
mod workloads;

use jiff::Timestamp;
use mcp_core::{Column, ObjectKind, Table, TableRow};
use serde_json::Value;

pub(crate) use age::since;
pub(crate) use cluster::node_status;
pub(crate) use custom::{PrinterColumn, of_definition};
use object::NONE;
pub(crate) use object::{Object, selector};
pub(crate) use path::{BadPath, FieldPath};
pub(crate) use text::{TableLines, aligned, lines};
pub(crate) use workloads::PodStatus;

/// The cells of a row, one for each column.
type Cells = Vec<Value>;

/// The data that printers need in addition to the object.
pub(crate) struct TableContext {
    /// The time at which the objects were read.
    pub(crate) as_of: Option<Timestamp>,
}

impl TableContext {
    fn age(&self, object: Object<'_>) -> Value {
        since(object.at("/metadata/creationTimestamp").0, self.as_of).into()
    }
}

/// The columns of a kind and the function that computes their cells.
struct Printer {
    group: &'static str,
    plural: &'static str,
    /// The columns. A `|` switches to the columns that `wide` adds, and back.
    columns: &'static str,
    /// The function for the cells. If `None`, each column except name and age names the path of its value.
    cells: Option<fn(Object<'_>, &TableContext) -> Cells>,
}

const fn printer(
    group: &'static str,
    plural: &'static str,
    columns: &'static str,
    cells: fn(Object<'_>, &TableContext) -> Cells,
) -> Printer {
    Printer { group, plural, columns, cells: Some(cells) }
}

/// Returns the printer of a kind whose columns are fields, written as `Handler=/handler`.
const fn fields(group: &'static str, plural: &'static str, columns: &'static str) -> Printer {
    Printer { group, plural, columns, cells: None }
}

#[rustfmt::skip]
const PRINTERS: &[Printer] = &[
    printer("", "pods", "Name,Ready,Status,Restarts,Age|IP,Node,Nominated Node,Readiness Gates", workloads::pod),
    printer("", "nodes", "Name,Status,Roles,Age,Version|Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime", cluster::node),
    fields("", "namespaces", "Name,Status=/status/phase,Age"),
    printer("", "services", "Name,Type,Cluster-IP,External-IP,Port(s),Age|Selector", network::service),
    printer("", "endpoints", "Name,Endpoints,Age", network::endpoints),
    printer("", "events", "Last Seen,Type,Reason,Object,|Subobject,Source,|Message,|First Seen,Count,Name", cluster::event),
    printer("events.k8s.io", "events", "Last Seen,Type,Reason,Object,|Subobject,Source,|Message,|First Seen,Count,Name", cluster::event),
    printer("", "configmaps", "Name,Data,Age", cluster::config_map),
    printer("", "secrets", "Name,Type,Data,Age", cluster::secret),
    fields("", "serviceaccounts", "Name,Age"),
    printer("", "componentstatuses", "Name,Status,Message,Error", cluster::component_status),
    fields("", "limitranges", "Name,Created At=/metadata/creationTimestamp"),
    printer("", "resourcequotas", "Name,Request,Limit,Age", control::quota),
    printer("", "podtemplates", "Name,Containers,Images,Pod Labels", workloads::pod_template),
    printer("", "replicationcontrollers", "Name,Desired,Current,Ready,Age|Containers,Images,Selector", workloads::replica_set),
    printer("", "persistentvolumeclaims", "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age|VolumeMode", storage::claim),
    printer("", "persistentvolumes", "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age|VolumeMode", storage::volume),
    printer("apps", "deployments", "Name,Ready,Up-to-date,Available,Age|Containers,Images,Selector", workloads::deployment),
    printer("apps", "daemonsets", "Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age|Containers,Images,Selector", workloads::daemon_set),
    printer("apps", "replicasets", "Name,Desired,Current,Ready,Age|Containers,Images,Selector", workloads::replica_set),
    printer("apps", "statefulsets", "Name,Ready,Age|Containers,Images", workloads::stateful_set),
    printer("apps", "controllerrevisions", "Name,Controller,Revision,Age", workloads::revision),
    printer("autoscaling", "horizontalpodautoscalers", "Name,Reference,Targets,MinPods,MaxPods,Replicas,Age", autoscaler::autoscaler),
    printer("batch", "jobs", "Name,Status,Completions,Duration,Age|Containers,Images,Selector", workloads::job),
    printer("batch", "cronjobs", "Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age|Containers,Images,Selector", workloads::cron_job),
    printer("policy", "poddisruptionbudgets", "Name,Min Available,Max Unavailable,Allowed Disruptions,Age", workloads::disruption_budget),
    printer("discovery.k8s.io", "endpointslices", "Name,AddressType,Ports,Endpoints,Age", network::endpoint_slice),
    printer("networking.k8s.io", "networkpolicies", "Name,Pod-Selector,Age", network::network_policy),
    printer("networking.k8s.io", "ingresses", "Name,Class,Hosts,Address,Ports,Age", network::ingress),
    printer("networking.k8s.io", "ingressclasses", "Name,Controller,Parameters,Age", network::ingress_class),
    printer("networking.k8s.io", "servicecidrs", "Name,CIDRs,Age", network::service_cidr),
    printer("networking.k8s.io", "ipaddresses", "Name,ParentRef", network::ip_address),
    fields("coordination.k8s.io", "leases", "Name,Holder=/spec/holderIdentity,Age"),
    fields("apiextensions.k8s.io", "customresourcedefinitions", "Name,Created At=/metadata/creationTimestamp"),
    printer("apiregistration.k8s.io", "apiservices", "Name,Service,Available,Age", control::api_service),
    fields("rbac.authorization.k8s.io", "roles", "Name,Created At=/metadata/creationTimestamp"),
    fields("rbac.authorization.k8s.io", "clusterroles", "Name,Created At=/metadata/creationTimestamp"),
    printer("rbac.authorization.k8s.io", "rolebindings", "Name,Role,Age|Users,Groups,ServiceAccounts", control::role_binding),
    printer("rbac.authorization.k8s.io", "clusterrolebindings", "Name,Role,Age|Users,Groups,ServiceAccounts", control::role_binding),
    printer("certificates.k8s.io", "certificatesigningrequests", "Name,Age,SignerName,Requestor,RequestedDuration,Condition", control::signing_request),
    printer("scheduling.k8s.io", "priorityclasses", "Name,Value,Global-Default,Age,PreemptionPolicy", control::priority_class),
    fields("node.k8s.io", "runtimeclasses", "Name,Handler=/handler,Age"),
    printer("flowcontrol.apiserver.k8s.io", "flowschemas", "Name,PriorityLevel,MatchingPrecedence,DistinguisherMethod,Age,MissingPL", control::flow_schema),
    printer("flowcontrol.apiserver.k8s.io", "prioritylevelconfigurations", "Name,Type,NominalConcurrencyShares,Queues,HandSize,QueueLengthLimit,Age", control::priority_level),
    printer("storage.k8s.io", "storageclasses", "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age", storage::storage_class),
    fields("storage.k8s.io", "volumeattributesclasses", "Name,DriverName=/driverName,Age"),
    printer("storage.k8s.io", "volumeattachments", "Name,Attacher,PV,Node,Attached,Age", storage::attachment),
    printer("storage.k8s.io", "csinodes", "Name,Drivers,Age", storage::csi_node),
    printer("storage.k8s.io", "csidrivers", "Name,AttachRequired,PodInfoOnMount,StorageCapacity,TokenRequests,RequiresRepublish,Modes,Age", storage::csi_driver),
    printer("storage.k8s.io", "csistoragecapacities", "Name,StorageClassName,Capacity", storage::csi_capacity),
    fields("resource.k8s.io", "deviceclasses", "Name,Age"),
    fields("resource.k8s.io", "resourceclaimtemplates", "Name,Age"),
    fields("resource.k8s.io", "resourceslices", "Name,Node=/spec/nodeName,Driver=/spec/driver,Pool=/spec/pool/name,Age"),
    printer("resource.k8s.io", "resourceclaims", "Name,State,Age", storage::resource_claim),
    printer("admissionregistration.k8s.io", "validatingadmissionpolicies", "Name,Validations,ParamKind,Age", control::admission_policy),
    printer("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "Name,PolicyName,ParamRef,Age", control::admission_binding),
    printer("admissionregistration.k8s.io", "mutatingadmissionpolicies", "Name,Mutations,ParamKind,Age", control::admission_policy),
    printer("admissionregistration.k8s.io", "mutatingadmissionpolicybindings", "Name,PolicyName,ParamRef,Age", control::admission_binding),
    printer("admissionregistration.k8s.io", "validatingwebhookconfigurations", "Name,Webhooks,Age", control::webhooks),
    printer("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "Name,Webhooks,Age", control::webhooks),
];

/// Checks whether a kind is built into Kubernetes and has known columns.
pub(crate) fn is_known(kind: &ObjectKind) -> bool {
    PRINTERS.iter().any(|printer| printer.is_for(kind))
}

/// Returns the columns of a custom resource from the shipped table.
pub(crate) fn shipped(kind: &ObjectKind) -> Option<Vec<PrinterColumn>> {
    custom::shipped(kind)
}

impl Printer {
    fn is_for(&self, kind: &ObjectKind) -> bool {
        self.group == kind.group && self.plural == kind.plural
    }

    /// Returns the name, the priority and the path of each column. Priority 0 is always shown, and 1 only by `wide`.
    fn parts(&self) -> impl Iterator<Item = (&'static str, i64, &'static str)> {
        let parts = self.columns.split('|').enumerate();
        let names = parts.flat_map(|(i, part)| part.split(',').map(move |name| (name, (i % 2) as i64)));
        names.filter(|(name, _)| !name.is_empty()).map(|(part, priority)| {
            let (name, path) = part.split_once('=').unwrap_or((part, "/metadata/name"));
            (name, priority, path)
        })
    }

    fn columns(&self) -> Vec<Column> {
        self.parts().map(|(name, priority, _)| Column { name: name.into(), priority }).collect()
    }

    fn cells(&self, object: Object<'_>, context: &TableContext) -> Cells {
        let field = |(name, _, path)| match name {
            "Age" => context.age(object),
            _ => object.at(path).0.clone(),
        };
        match self.cells {
            Some(cells) => cells(object, context),
            None => self.parts().map(field).collect(),
        }
    }
}

/// Returns the table of the objects of a kind. `custom` are the columns of a custom resource.
pub(crate) fn of(
    kind: &ObjectKind,
    objects: &[Value],
    custom: Option<&[PrinterColumn]>,
    context: &TableContext,
) -> Table {
    let row = |object: &Value, cells| TableRow {
        namespace: Object(object).text("/metadata/namespace").into(),
        cells,
    };
    if let Some(printed) = custom {
        let rows = objects.iter().map(|object| row(object, custom::cells(object, printed, context)));
        return Table { columns: custom::columns(printed), rows: rows.collect() };
    }
    let other = fields("", "", "Name,Age");
    let printer = PRINTERS.iter().find(|printer| printer.is_for(kind)).unwrap_or(&other);
    let rows = objects.iter().map(|object| row(object, printer.cells(Object(object), context)));
    Table { columns: printer.columns(), rows: rows.collect() }
}

/// Returns a table with the values at the given paths.
pub(crate) fn of_paths(objects: &[Value], paths: &[(String, FieldPath)]) -> Table {
    let column = |name: &str| Column { name: name.into(), priority: 0 };
    let row = |object: &Value| {
        let name = Object(object).text("/metadata/name").into();
        let cell = |(_, path): &(String, FieldPath)| {
            let found: Vec<String> = path.find(object).into_iter().map(text::plain).collect();
            if found.is_empty() { NONE.into() } else { Value::from(found.join(",")) }
        };
        TableRow {
            namespace: Object(object).text("/metadata/namespace").into(),
            cells: std::iter::once(name).chain(paths.iter().map(cell)).collect(),
        }
    };
    Table {
        columns: std::iter::once(column("Name")).chain(paths.iter().map(|(name, _)| column(name))).collect(),
        rows: objects.iter().map(row).collect(),
    }
}
