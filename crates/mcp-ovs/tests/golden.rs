//! Compares the answer of every case file of this layer with its snapshot.

fn case(path: &std::path::Path) -> datatest_stable::Result<()> {
    mcp_testing::golden(mcp_ovs::layer(), path)
}

datatest_stable::harness! {
    { test = case, root = "tests/cases", pattern = r"\.json$" },
}
