//! The checks of `kernel_audit`: hosts against each other and against the layers above. Each check has its own file.

mod management_mtu;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct KernelAudit;

impl Audit for KernelAudit {
    const NAME: &'static str = "kernel_audit";
    const TITLE: &'static str = "Audit of hosts";
    const TOOLSET: &'static str = "network";
    const DESCRIPTION: &'static str = "Checks the hosts of all nodes against each other. Lists the \
         faults, worst first, each with the call that shows it.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<management_mtu::ManagementMtu>()]
    }
}
