//! Compares the logical flows of the capture's databases with the output of the real client of the same OVN version.

use mcp_testing::{Capture, Failed};
use ovn_model::lflow::{Datapaths, Filter, Flow};
use ovsdb::{Database, Rows, Select};
use std::{fs, path::Path};

/// Prints all flows of some datapaths like `ovn-sbctl lflow-list`.
fn printed(database: &Database, only: Option<&str>, line: fn(&Flow) -> String) -> Result<String, Failed> {
    let read = |selects: &[Select]| {
        selects.iter().map(|select| database.select(select)).collect::<Result<Vec<Rows>, _>>()
    };
    let datapaths = Datapaths::new(&read(&Datapaths::selects(database.schema()))?);
    let filter = Filter {
        datapaths: only.iter().flat_map(|name| datapaths.find(name)).map(|datapath| datapath.uuid).collect(),
        ..Filter::default()
    };
    let (flows, odd) = Flow::read(&read(&filter.selects(&datapaths))?);
    assert!(odd.is_empty(), "{odd:?}");
    let mut text = String::new();
    for datapath in datapaths.iter().filter(|it| only.is_none() || filter.datapaths.contains(&it.uuid)) {
        let flows: Vec<&Flow> = flows.iter().filter(|flow| flow.is_of(datapath.uuid, &datapaths)).collect();
        for flows in flows.chunk_by(|a, b| a.pipeline == b.pipeline) {
            text += &format!(
                "{}  Pipeline: {}\n",
                datapath.heading(),
                flows.first().ok_or("an empty chunk")?.pipeline
            );
            text.extend(flows.iter().map(|flow| format!("  {}\n", line(flow))));
        }
    }
    Ok(text)
}

/// Runs a check on each database and the folder with the real client's output.
fn each(mut check: impl FnMut(&Database, &Path) -> Result<(), Failed>) -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    for (_, pod) in Capture::NODES {
        check(
            &Database::open(fs::read(capture.database(pod, "sbdb"))?)?,
            &capture.printed(pod).join("sbdb"),
        )?;
    }
    Ok(())
}

#[test]
fn all_flows_equal_the_real_client_byte_by_byte() -> Result<(), Failed> {
    let mut lines = 0;
    each(|database, theirs| {
        let theirs = |name: &str| fs::read_to_string(theirs.join(name));
        assert_eq!(printed(database, None, Flow::line)?, theirs("lflow-list")?);
        assert_eq!(printed(database, None, Flow::line_with_uuid)?, theirs("lflow-list--uuid")?);
        lines += theirs("lflow-list")?.lines().count();
        Ok(())
    })?;
    assert!(lines > 4_000, "only {lines} lines were compared");
    Ok(())
}

#[test]
fn the_flows_of_one_datapath_equal_the_real_client_byte_by_byte() -> Result<(), Failed> {
    let mut datapaths = 0;
    each(|database, theirs| {
        for file in fs::read_dir(theirs)?.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let Some(datapath) = name.strip_prefix("lflow-list_") else { continue };
            assert_eq!(
                printed(database, Some(datapath), Flow::line)?,
                fs::read_to_string(file.path())?,
                "{datapath}"
            );
            datapaths += 1;
        }
        Ok(())
    })?;
    assert!(datapaths >= 30, "only {datapaths} datapaths were compared");
    Ok(())
}
