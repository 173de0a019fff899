//! What this layer may run.

use mcp_core::argv::{Allow, PrivateAllow};

/// The table.
pub(crate) const ALLOW: Allow = Allow(&[]);

/// What runs on a private copy of what was collected.
pub(crate) const PRIVATE: PrivateAllow = PrivateAllow::NONE;
