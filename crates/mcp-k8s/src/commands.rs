//! The commands that this layer may run.

use mcp_core::argv::AllowedPrograms;

/// The allow list of this layer: it runs no commands.
pub(crate) const ALLOW: AllowedPrograms = AllowedPrograms(&[]);
