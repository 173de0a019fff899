//! What is secret is in no answer of any tool: planted in whatever the golden cases read.

use mcp_core::testing::{Failed, told};
use std::{collections::BTreeSet, path::Path};

#[test]
fn no_tool_tells_a_secret() -> Result<(), Failed> {
    let told = told(mcp_kernel::layer, Path::new("tests/cases"))?;
    assert!(told.leaks.is_empty(), "{} leaks:\n{}", told.leaks.len(), told.leaks.join("\n"));
    assert!(told.redacted > 20, "{} secrets are said to be left out: were any planted?", told.redacted);
    assert_eq!(
        told.silent,
        BTreeSet::from(["conntrack_events"]),
        "each tool has a case with an answer, but the one that is asked of live nodes only"
    );
    Ok(())
}
