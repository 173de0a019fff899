//! Objects as `kubectl get` shows them, where no API server makes the table: of a bundle.
//!
//! A line of [`PRINTERS`] and a function make a kind; custom resources have their columns from their definition.

mod age;
mod cluster;
mod custom;
mod network;
mod object;
mod path;
#[cfg(test)]
mod tests;
mod text;
mod workloads;

use jiff::Timestamp;
use mcp_core::{Column, Kind, Table, TableRow};
use serde_json::Value;

pub(crate) use age::since;
pub(crate) use cluster::node_status;
pub(crate) use custom::{Printed, of_definition};
use object::NONE;
pub(crate) use object::Object;
pub(crate) use path::{BadPath, Path};
pub(crate) use text::{Lines, aligned, lines};
pub(crate) use workloads::PodStatus;

/// A cell for each column.
type Cells = Vec<Value>;

/// What a printer needs beside the object.
pub(crate) struct Context {
    /// When the objects were read.
    pub(crate) as_of: Option<Timestamp>,
}

impl Context {
    fn age(&self, object: Object<'_>) -> Value {
        since(object.at("/metadata/creationTimestamp").0, self.as_of).into()
    }
}

/// How a kind is printed.
struct Printer {
    group: &'static str,
    plural: &'static str,
    /// Columns; after `|` those that `wide` adds.
    columns: &'static str,
    cells: fn(Object<'_>, &Context) -> Cells,
}

const fn printer(
    group: &'static str,
    plural: &'static str,
    columns: &'static str,
    cells: fn(Object<'_>, &Context) -> Cells,
) -> Printer {
    Printer { group, plural, columns, cells }
}

#[rustfmt::skip]
const PRINTERS: &[Printer] = &[
    printer("", "pods", "Name,Ready,Status,Restarts,Age|IP,Node,Nominated Node,Readiness Gates", workloads::pod),
    printer("", "nodes", "Name,Status,Roles,Age,Version|Internal-IP,External-IP,OS-Image,Kernel-Version,Container-Runtime", cluster::node),
    printer("", "namespaces", "Name,Status,Age", cluster::namespace),
    printer("", "services", "Name,Type,Cluster-IP,External-IP,Port(s),Age|Selector", network::service),
    printer("", "endpoints", "Name,Endpoints,Age", network::endpoints),
    printer("", "events", "Last Seen,Type,Reason,Object,|Subobject,Source,|Message,|First Seen,Count,Name", cluster::event),
    printer("", "configmaps", "Name,Data,Age", cluster::config_map),
    printer("", "secrets", "Name,Type,Data,Age", cluster::secret),
    printer("", "serviceaccounts", "Name,Secrets,Age", workloads::service_account),
    printer("", "replicationcontrollers", "Name,Desired,Current,Ready,Age|Containers,Images,Selector", workloads::replica_set),
    printer("", "persistentvolumeclaims", "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age|VolumeMode", workloads::claim),
    printer("", "persistentvolumes", "Name,Capacity,Access Modes,Reclaim Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age|VolumeMode", workloads::volume),
    printer("apps", "deployments", "Name,Ready,Up-to-date,Available,Age|Containers,Images,Selector", workloads::deployment),
    printer("apps", "daemonsets", "Name,Desired,Current,Ready,Up-to-date,Available,Node Selector,Age|Containers,Images,Selector", workloads::daemon_set),
    printer("apps", "replicasets", "Name,Desired,Current,Ready,Age|Containers,Images,Selector", workloads::replica_set),
    printer("apps", "statefulsets", "Name,Ready,Age|Containers,Images", workloads::stateful_set),
    printer("batch", "jobs", "Name,Status,Completions,Duration,Age|Containers,Images,Selector", workloads::job),
    printer("batch", "cronjobs", "Name,Schedule,Timezone,Suspend,Active,Last Schedule,Age|Containers,Images,Selector", workloads::cron_job),
    printer("policy", "poddisruptionbudgets", "Name,Min Available,Max Unavailable,Allowed Disruptions,Age", workloads::disruption_budget),
    printer("discovery.k8s.io", "endpointslices", "Name,AddressType,Ports,Endpoints,Age", network::endpoint_slice),
    printer("networking.k8s.io", "networkpolicies", "Name,Pod-Selector,Age", network::network_policy),
    printer("networking.k8s.io", "ingresses", "Name,Class,Hosts,Address,Ports,Age", network::ingress),
    printer("networking.k8s.io", "ingressclasses", "Name,Controller,Parameters,Age", network::ingress_class),
    printer("networking.k8s.io", "servicecidrs", "Name,CIDRs,Age", network::service_cidr),
    printer("networking.k8s.io", "ipaddresses", "Name,ParentRef,Age", network::ip_address),
    printer("coordination.k8s.io", "leases", "Name,Holder,Age", workloads::lease),
    printer("apiextensions.k8s.io", "customresourcedefinitions", "Name,Created At", cluster::created),
    printer("apiregistration.k8s.io", "apiservices", "Name,Service,Available,Age", cluster::api_service),
    printer("rbac.authorization.k8s.io", "roles", "Name,Created At", cluster::created),
    printer("rbac.authorization.k8s.io", "clusterroles", "Name,Created At", cluster::created),
    printer("rbac.authorization.k8s.io", "rolebindings", "Name,Role,Age|Users,Groups,ServiceAccounts", workloads::role_binding),
    printer("rbac.authorization.k8s.io", "clusterrolebindings", "Name,Role,Age|Users,Groups,ServiceAccounts", workloads::role_binding),
    printer("scheduling.k8s.io", "priorityclasses", "Name,Value,Global-Default,Age,PreemptionPolicy", workloads::priority_class),
    printer("storage.k8s.io", "storageclasses", "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion,Age", cluster::storage_class),
    printer("storage.k8s.io", "csinodes", "Name,Drivers,Age", cluster::csi_node),
    printer("admissionregistration.k8s.io", "validatingadmissionpolicies", "Name,Validations,ParamKind,Age", cluster::admission_policy),
    printer("admissionregistration.k8s.io", "validatingadmissionpolicybindings", "Name,PolicyName,ParamRef,Age", cluster::admission_binding),
    printer("admissionregistration.k8s.io", "validatingwebhookconfigurations", "Name,Webhooks,Age", cluster::webhooks),
    printer("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "Name,Webhooks,Age", cluster::webhooks),
];

/// Is this a kind of Kubernetes' own, whose columns are known here?
pub(crate) fn is_known(kind: &Kind) -> bool {
    PRINTERS.iter().any(|printer| printer.is_for(kind))
}

/// The columns of a custom resource whose definition ships with us.
pub(crate) fn shipped(kind: &Kind) -> Option<Vec<Printed>> {
    custom::shipped(kind)
}

impl Printer {
    fn is_for(&self, kind: &Kind) -> bool {
        self.group == kind.group && self.plural == kind.plural
    }

    /// A `|` goes over from columns that are always shown to those of `wide`, and back.
    fn columns(&self) -> Vec<Column> {
        let parts = self.columns.split('|').enumerate();
        let names = parts.flat_map(|(i, part)| part.split(',').map(move |name| (name, (i % 2) as i64)));
        names
            .filter(|(name, _)| !name.is_empty())
            .map(|(name, priority)| Column { name: name.into(), priority })
            .collect()
    }
}

/// The table of objects of one kind. `custom`: the columns, where it is a custom resource.
pub(crate) fn of(kind: &Kind, objects: &[Value], custom: Option<&[Printed]>, context: &Context) -> Table {
    let row = |object: &Value, cells| TableRow {
        namespace: Object(object).text("/metadata/namespace").into(),
        cells,
    };
    if let Some(printed) = custom {
        let rows = objects.iter().map(|object| row(object, custom::cells(object, printed, context)));
        return Table { columns: custom::columns(printed), rows: rows.collect() };
    }
    let other = printer("", "", "Name,Age", cluster::name_and_age);
    let printer = PRINTERS.iter().find(|printer| printer.is_for(kind)).unwrap_or(&other);
    let rows = objects.iter().map(|object| row(object, (printer.cells)(Object(object), context)));
    Table { columns: printer.columns(), rows: rows.collect() }
}

/// The table of chosen fields.
pub(crate) fn of_paths(objects: &[Value], paths: &[(String, Path)]) -> Table {
    let column = |name: &str| Column { name: name.into(), priority: 0 };
    let row = |object: &Value| {
        let name = Object(object).text("/metadata/name").into();
        let cell = |(_, path): &(String, Path)| {
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
