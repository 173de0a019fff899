//! What this layer may run.

use mcp_core::argv::Allow;

/// The table.
pub(crate) const ALLOW: Allow = Allow(&[]);
