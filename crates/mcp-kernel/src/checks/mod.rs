//! What `kernel_audit` checks: hosts against each other and against the layers above. One file a check.

mod management_mtu;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct KernelAudit;

impl Audit for KernelAudit {
    const NAME: &'static str = "kernel_audit";
    const TITLE: &'static str = "Audit of hosts";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Checks the kernels of all nodes against each other: findings, the worst first, then what is fine, then what could not be checked.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<management_mtu::ManagementMtu>()]
    }
}
