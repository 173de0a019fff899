//! Compares the answer of every case file with its snapshot.

fn case(path: &std::path::Path) -> datatest_stable::Result<()> {
    mcp_testing::golden(mcp_ovn::layer(), path)
}

datatest_stable::harness! {
    { test = case, root = "tests/cases", pattern = r"\.json$" },
}
