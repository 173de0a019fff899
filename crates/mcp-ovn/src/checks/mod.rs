//! The checks of `ovn_audit`, which compare databases with Kubernetes objects. Each check has its own file.

mod chassis_encap;
mod cluster_pods;
mod node_routes;
mod pod_ports;
mod row_owners;
mod stale_nats;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct OvnAudit;

impl Audit for OvnAudit {
    const NAME: &'static str = "ovn_audit";
    const TITLE: &'static str = "Audit of OVN databases";
    const TOOLSET: &'static str = "status";
    const DESCRIPTION: &'static str = "Checks the databases of all zones against the cluster's objects. Lists the \
         faults, worst first, each with the call that shows it.";

    fn checks() -> Vec<CheckEntry> {
        vec![
            CheckEntry::of::<chassis_encap::ChassisEncap>(),
            CheckEntry::of::<node_routes::NodeRoutes>(),
            CheckEntry::of::<pod_ports::PodPorts>(),
            CheckEntry::of::<row_owners::RowOwners>(),
            CheckEntry::of::<stale_nats::StaleNats>(),
        ]
    }
}
