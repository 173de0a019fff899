//! The two live nodes of the lab: compares answers with the output of the real clients, and answers from three sources.
//!
//! `cargo xtask test` builds the lab and runs these tests. To run them by hand, use `cargo xtask lab up`, then
//! `cargo test -- --ignored`.

mod common;

use common::HEALTHY;
use mcp_core::{Backend, Bundle, CommandTarget, Db, RecordedBackend, RecordingBackend};
use mcp_testing::{Case, Failed, answer, lab};
use ovsdb::{Rows, Select, print};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const NODES: [&str; 2] = ["ovn-worker", "ovn-worker2"];

/// Makes the tests run one at a time, because they change the same lab.
static LAB: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs a program on a node of the lab, or of this repository.
fn run(program: &str, args: &[&str]) -> Result<String, Failed> {
    #[expect(clippy::disallowed_methods, reason = "a test runs the real clients")]
    let output = std::process::Command::new(program).args(args).current_dir(root()).output()?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} {args:?} failed (is the lab up? cargo xtask lab up): {stderr}").into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn on(node: &str, command: &[&str]) -> Result<String, Failed> {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid"))
        .map_err(|e| format!("no lab: {e}: cargo xtask lab up"))?;
    let target = format!("--target={}", pid.trim());
    let mut args = vec![target.as_str(), "--net", "--mount", "--uts", "--"];
    args.extend(command);
    run("nsenter", &args)
}

fn rows(node: &str, db: Db, table: &str) -> Result<Rows, Failed> {
    let at = CommandTarget::new(node.parse()?, db.place(), Duration::from_secs(20));
    let runtime = tokio::runtime::Runtime::new()?;
    let read = runtime.block_on(lab()?.rows(&at, db, &[Select::from(table)]))?;
    Ok(read.value.into_iter().next().ok_or("no rows")?)
}

fn records(text: &str) -> BTreeSet<&str> {
    text.split("\n\n").map(str::trim_end).filter(|record| !record.is_empty()).collect()
}

fn case(tool: &str, params: Value) -> Case {
    Case {
        scenario: String::new(),
        tool: tool.into(),
        params: params.as_object().expect("an object").clone(),
    }
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    answer(mcp_ovn::layer(), lab()?, &case(tool, params))
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn every_table_is_listed_like_the_real_clients() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let mut compared = 0;
    for node in NODES {
        for (db, client) in [(Db::Nb, "ovn-nbctl"), (Db::Sb, "ovn-sbctl")] {
            let at = CommandTarget::new(node.parse()?, db.place(), Duration::from_secs(20));
            let schema = tokio::runtime::Runtime::new()?.block_on(lab()?.schema(&at, db))?;
            for table in &schema.tables {
                let theirs = on(node, &[client, "--no-leader-only", "list", &table.name])?;
                // The client adds this column; no database has it.
                let theirs: String =
                    theirs.lines().filter(|l| !l.starts_with("hash ")).map(|l| format!("{l}\n")).collect();
                let ours = print::list(&rows(node, db, &table.name)?, None);
                if !matches!(table.name.as_str(), "MAC_Binding" | "Connection" | "IGMP_Group") {
                    assert_eq!(records(&ours), records(&theirs), "{node} {} of {db}", table.name);
                    compared += records(&theirs).len();
                }
            }
        }
    }
    assert!(compared > 500, "only {compared} records were compared");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn show_equals_the_real_clients() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for node in NODES {
        for (tool, client) in [("ovn_nbctl_show", "ovn-nbctl"), ("ovn_sbctl_show", "ovn-sbctl")] {
            let ours = ask(tool, json!({ "node_name": node }))?;
            let theirs = on(node, &[client, "show"])?;
            let lines = |text: &str| {
                text.lines()
                    .filter(|l| !l.is_empty() && !l.starts_with('#'))
                    .map(str::to_owned)
                    .collect::<Vec<_>>()
            };
            let (mut ours, mut theirs) = (lines(&ours), lines(&theirs));
            ours.sort();
            theirs.sort();
            // The client of 26.03 also prints the link-local address of router ports, which follows from the MAC
            // address.
            if !theirs.iter().any(|line| line.contains("ipv6-lla")) {
                ours.retain(|line| !line.contains("ipv6-lla"));
            }
            assert_eq!(ours, theirs, "{tool} on {node}");
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn one_answer_from_three_sources() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir()?;
    let (gathered, recordings) = (dir.path().join("gathered"), dir.path().join("recorded"));
    let to = gathered.to_str().ok_or("a path")?;
    run("xtask/lab/gather.sh", &[to])?;
    let bundle: Arc<dyn Backend> = Arc::new(Bundle::new(vec![gathered.clone()]));
    let recorder: Arc<dyn Backend> = Arc::new(RecordingBackend::new(lab()?, recordings.clone()));
    let recorded: Arc<dyn Backend> = Arc::new(RecordedBackend::new(recordings));
    // The evidence lines must differ, because they name the source.
    let evidence = |line: &str| line.starts_with("# ");
    // A recording contains answers, not database files.
    let of_file = |line: &str| line.starts_with("OVN_") && line.contains(" file ");
    let body = |text: String| {
        text.lines().filter(|line| !evidence(line) && !of_file(line)).map(str::to_owned).collect::<Vec<_>>()
    };
    let cases = root().join("crates/mcp-ovn/tests/cases");
    let mut asked = 0;
    for file in std::fs::read_dir(cases)?.flatten().map(|entry| entry.path()) {
        let case = Case::read(&file)?;
        // The audit names the source without Kubernetes objects, and each source has its own name.
        if case.scenario != "lab" || case.tool == "ovn_audit" {
            continue;
        }
        let live = body(answer(mcp_ovn::layer(), recorder.clone(), &case)?);
        let offline = body(answer(mcp_ovn::layer(), bundle.clone(), &case)?);
        let replayed = body(answer(mcp_ovn::layer(), recorded.clone(), &case)?);
        assert!(!live.is_empty() && !live[0].starts_with("error"), "{}: {live:?}", file.display());
        assert_eq!(live, replayed, "{}", file.display());
        if case.tool != "ovn_controller_ct_zone_list" && case.tool != "ovn_db_status" {
            assert_eq!(live, offline, "{}", file.display());
            asked += 1;
        }
    }
    assert!(asked >= 3, "only {asked} cases were asked of all three sources");
    Ok(())
}

/// A fault on ovn-worker2: the commands that cause and undo it, and the line that shows it.
struct Fault {
    make: Vec<String>,
    mend: Vec<String>,
    table: &'static str,
    seen: &'static str,
}

fn words(text: &str) -> Vec<String> {
    text.split('|').map(str::to_owned).collect()
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn each_fault_shows_in_one_short_answer_and_only_there() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let backends = "10.244.0.5:8080,10.244.1.5:8080";
    let faults = [
        Fault {
            make: words("set|logical_switch_port|tstor-ovn-worker|options:requested-tnl-key=77"),
            mend: words(&format!(
                "set|logical_switch_port|tstor-ovn-worker|options:requested-tnl-key={}",
                on(
                    "ovn-worker2",
                    &[
                        "ovn-nbctl",
                        "get",
                        "logical_switch_port",
                        "tstor-ovn-worker",
                        "options:requested-tnl-key"
                    ]
                )?
                .trim()
            )),
            table: "Logical_Switch_Port",
            seen: "tstor-<peer>: options:requested-tnl-key differs",
        },
        Fault {
            make: words("lr-route-del|ovn_cluster_router|10.244.0.0/24"),
            mend: words(
                "--|--id=@r|create|logical_router_static_route|ip_prefix=\"10.244.0.0/24\"|nexthop=\"100.88.0.2\"|\
                 external_ids:ic-node=ovn-worker|external_ids:\"k8s.ovn.org/network\"=default|\
                 --|add|logical_router|ovn_cluster_router|static_routes|@r",
            ),
            table: "Logical_Router_Static_Route",
            seen: "missing on ovn-worker2 for peer ovn-worker",
        },
        Fault {
            make: words(
                "set|load_balancer|Service_default/web_TCP_cluster|vips:\"10.96.0.10:80\"=\"10.244.0.5:8080\"",
            ),
            mend: words(&format!(
                "set|load_balancer|Service_default/web_TCP_cluster|vips:\"10.96.0.10:80\"=\"{backends}\""
            )),
            table: "Load_Balancer",
            seen: "10.96.0.10:80 -> 10.244.1.5:8080: missing on ovn-worker2",
        },
        Fault {
            make: words("remove|address_set|a2531300648830318330|addresses|10.244.0.4"),
            mend: words("add|address_set|a2531300648830318330|addresses|\"10.244.0.4\""),
            table: "Address_Set",
            seen: "addresses differs\n    ovn-worker2: nothing\n    ovn-worker: 10.244.0.4\n",
        },
    ];
    let change = |command: &[String]| {
        let mut args = vec!["ovn-nbctl", "--no-leader-only"];
        args.extend(command.iter().map(String::as_str));
        on("ovn-worker2", &args).map(|_| ())
    };
    for fault in faults {
        let params = json!({ "node_name": "all", "table": fault.table });
        let healthy = ask("ovn_nbctl_list", params.clone())?;
        assert!(healthy.contains("\nno difference"), "before {:?}: {healthy}", fault.make);
        change(&fault.make)?;
        let text = ask("ovn_nbctl_list", params.clone());
        change(&fault.mend)?;
        let text = text?;
        assert!(text.contains(fault.seen), "{:?}: {text}", fault.make);
        assert!(text.len() < 2_000, "{} bytes: {text}", text.len());
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_healthy_lab_shows_no_difference() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for table in HEALTHY.into_iter().chain(["NAT"]) {
        let text = ask("ovn_nbctl_list", json!({ "node_name": "all", "table": table }))?;
        assert!(text.contains("\nno difference"), "{table}: {text}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_hanging_daemon_is_reported_in_time() -> Result<(), Failed> {
    let _one = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = on("ovn-worker2", &["cat", "/var/run/ovn/ovn-controller.pid"])?;
    run("kill", &["-STOP", pid.trim()])?;
    let started = std::time::Instant::now();
    let text =
        ask("ovn_controller_ct_zone_list", json!({ "node_name": "ovn-worker2", "timeout_seconds": 2 }));
    let status = ask("ovn_db_status", json!({ "node_name": "ovn-worker2", "timeout_seconds": 8 }));
    run("kill", &["-CONT", pid.trim()])?;
    let (text, status) = (text?, status?);
    assert!(text.contains("did not finish on ovn-worker2 within 2 s"), "{text}");
    assert!(status.contains("ovn-northd                   : active"), "{status}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    Ok(())
}
