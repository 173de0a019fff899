//! For tests: what the real programs printed on the nodes of the captured cluster.

use mcp_core::testing::unpack;
use std::{path::Path, sync::LazyLock};

static NODES: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a temporary directory");
    unpack("capture/nodes.tar.xz", dir.path()).expect("an archive of the test data");
    dir
});

/// The output of one command on each of the three nodes.
pub(crate) fn files(name: &str) -> Vec<String> {
    let read = |node: &str| std::fs::read(NODES.path().join(Path::new("nodes")).join(node).join(name));
    let all = ["ovn-control-plane", "ovn-worker", "ovn-worker2"].map(|node| read(node).expect(name));
    all.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect()
}
