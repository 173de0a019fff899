//! The checks of `k8s_audit`, which compare objects with the requirements of OVN-Kubernetes. Each check has its own
//! file.

mod node_identities;
mod node_subnets;
mod pod_addresses;
mod policy_selectors;
mod service_endpoints;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct K8sAudit;

impl Audit for K8sAudit {
    const NAME: &'static str = "k8s_audit";
    const TITLE: &'static str = "Audit of Kubernetes objects";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "Checks the objects of the whole cluster against the requirements of OVN-Kubernetes. Lists the \
         faults, worst first, each with the call that shows it.";

    fn checks() -> Vec<CheckEntry> {
        vec![
            CheckEntry::of::<node_subnets::NodeSubnets>(),
            CheckEntry::of::<node_identities::NodeIdentities>(),
            CheckEntry::of::<pod_addresses::PodAddresses>(),
            CheckEntry::of::<service_endpoints::ServiceEndpoints>(),
            CheckEntry::of::<policy_selectors::PolicySelectors>(),
        ]
    }
}
