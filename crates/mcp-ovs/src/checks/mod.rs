//! The checks of `ovs_audit`: Open vSwitch against objects and databases. Each check has its own file.

mod encap_ip;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct OvsAudit;

impl Audit for OvsAudit {
    const NAME: &'static str = "ovs_audit";
    const TITLE: &'static str = "Audit of Open vSwitch";
    const TOOLSET: &'static str = "switch";
    const DESCRIPTION: &'static str = "Checks Open vSwitch on all nodes against the cluster's objects. Lists the \
         faults, worst first, each with the call that shows it.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<encap_ip::EncapIp>()]
    }
}
