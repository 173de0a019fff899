//! Hostile arguments: for any argument, a tool returns an answer of limited size and in the usual form.

use mcp_testing::{Failed, attack};
use std::path::Path;

#[test]
fn no_argument_breaks_an_answer() -> Result<(), Failed> {
    let calls = attack(mcp_kernel::layer, &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))?;
    assert!(calls > 1000, "only {calls} calls were made");
    Ok(())
}
