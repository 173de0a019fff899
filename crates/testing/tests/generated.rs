//! Tests that the generator gives the same bytes for the same seed, and zones of the promised size.

use mcp_testing::{Failed, Generator};
use ovsdb::Database;
use std::{collections::BTreeMap, fs, path::Path};

/// Returns all files below a directory by their relative paths.
fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir)?.display().to_string(), fs::read(&path)?);
            }
        }
    }
    Ok(found)
}

fn generated(nodes: usize, tenants: usize, seed: u64) -> Result<BTreeMap<String, Vec<u8>>, Failed> {
    let dir = tempfile::tempdir()?;
    Generator { nodes, tenants, seed }.write(dir.path())?;
    files(dir.path())
}

#[test]
fn the_same_seed_gives_the_same_bytes() -> Result<(), Failed> {
    let [first, second, other] = [generated(3, 2, 5)?, generated(3, 2, 5)?, generated(3, 2, 6)?];
    assert!(first.len() > 30, "{} files", first.len());
    assert!(first == second, "the files differ");
    assert!(first != other, "the seed has no effect");
    Ok(())
}

#[test]
fn a_zone_has_the_promised_number_of_logical_flows_and_no_trace_of_the_recorded_nodes() -> Result<(), Failed>
{
    let files = generated(2, Generator::TENANTS, 1)?;
    let zones: Vec<&Vec<u8>> =
        files.iter().filter(|(path, _)| path.ends_with("_sbdb")).map(|(_, bytes)| bytes).collect();
    assert_eq!(zones.len(), 2);
    for zone in zones {
        let flows = Database::open(zone.clone())?.row_count("Logical_Flow")?;
        assert!(flows >= 8_000, "{flows} logical flows");
    }
    let recorded = ["ovn-worker", "df523cc5-4e30-4f51", "31564884-d9e5-4f23"];
    for (path, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        let found: Vec<_> = recorded.iter().filter(|it| text.contains(**it)).collect();
        assert!(found.is_empty(), "{path} contains {found:?}");
    }
    Ok(())
}

#[test]
fn numbers_out_of_range_and_full_directories_are_refused() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let write = |nodes, tenants| Generator { nodes, tenants, seed: 1 }.write(dir.path());
    for (nodes, tenants) in [(1, 1), (251, 1), (2, 0), (2, 121)] {
        let error = write(nodes, tenants).err().ok_or("it was generated")?.to_string();
        assert!(error.contains("2 to 250 nodes and 1 to 120 tenants"), "{error}");
    }
    fs::write(dir.path().join("x"), "x")?;
    assert!(write(2, 1).err().ok_or("it was generated")?.to_string().contains("is not empty"));
    Ok(())
}
