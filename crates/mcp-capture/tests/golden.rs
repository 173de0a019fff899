//! Compares the answer to every case file of this layer with its snapshot.

fn case(path: &std::path::Path) -> datatest_stable::Result<()> {
    mcp_testing::golden(mcp_capture::layer(), path)
}

datatest_stable::harness! {
    { test = case, root = "tests/cases", pattern = r"\.json$" },
}
