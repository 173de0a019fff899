//! What `ovs_audit` checks: switches against objects and databases. One file a check.

mod encap_ip;

use mcp_core::audit::{Audit, CheckEntry};

pub(crate) struct OvsAudit;

impl Audit for OvsAudit {
    const NAME: &'static str = "ovs_audit";
    const TITLE: &'static str = "Audit of Open vSwitch";
    const TOOLSET: &'static str = "switch";
    const DESCRIPTION: &'static str = "Checks Open vSwitch on all nodes against the cluster's objects: findings, the worst first, then what is fine, then what could not be checked.";

    fn checks() -> Vec<CheckEntry> {
        vec![CheckEntry::of::<encap_ip::EncapIp>()]
    }
}
