//! The checks of `k8s_audit`: objects against what OVN-Kubernetes needs. Each check has its own file.

mod node_subnets;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct K8sAudit;

impl Audit for K8sAudit {
    const NAME: &'static str = "k8s_audit";
    const TITLE: &'static str = "Audit of objects";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "Checks the objects of the whole cluster against what OVN-Kubernetes needs and lists every fault it finds, the worst \
         first, with the call that shows it. Also lists the checks that found no fault, and what could not be checked.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<node_subnets::NodeSubnets>()]
    }
}
