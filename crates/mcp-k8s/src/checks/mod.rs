//! What `k8s_audit` checks: objects against what OVN-Kubernetes needs of them. One file a check.

mod node_subnets;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct K8sAudit;

impl Audit for K8sAudit {
    const NAME: &'static str = "k8s_audit";
    const TITLE: &'static str = "Audit of objects";
    const TOOLSET: &'static str = "overview";
    const DESCRIPTION: &'static str = "Checks the objects of the whole cluster against what OVN-Kubernetes needs of them: \
         findings, the worst first, then what is fine, then what could not be checked.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<node_subnets::NodeSubnets>()]
    }
}
