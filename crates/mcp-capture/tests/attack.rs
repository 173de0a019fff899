//! Hostile arguments: every answer of a tool ends and has the right form.

use mcp_testing::{Failed, attack};
use std::path::Path;

#[test]
fn no_argument_breaks_an_answer() -> Result<(), Failed> {
    let calls = attack(mcp_capture::layer, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))?;
    assert!(calls > 300, "only {calls} calls");
    Ok(())
}
