//! ovn_trace over the capture, whose databases are of OVN 26.03: what it says depends on the OVN that is installed here, and
//! is never made up. Where that is as new as the capture's, it is what the real program printed; `xtask/lab/in-suite.sh`
//! brings such a one to an older machine.

use mcp_core::{Backend, Bundle};
use mcp_testing::{Capture, Case, Failed, answer, testdata};
use serde_json::json;
use std::{fs, path::Path, sync::Arc};

/// The southbound schema that the capture's databases have.
const SCHEMA: [u32; 3] = [21, 8, 0];

fn ask(source: &Arc<dyn Backend>, params: serde_json::Value) -> Result<String, Failed> {
    let params = params.as_object().expect("an object").clone();
    let case = Case { scenario: String::new(), tool: "ovn_trace".into(), params };
    answer(mcp_ovn::layer(), source.clone(), &case)
}

/// The southbound schema that the installed ovn-trace knows; none: it is not installed.
fn installed() -> Result<Option<Vec<u32>>, Failed> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the real program")]
    let Ok(output) = std::process::Command::new("ovn-trace").arg("--version").output() else {
        return Ok(None);
    };
    let text = String::from_utf8(output.stdout)?;
    let schema = text.lines().find_map(|line| line.strip_prefix("DB Schema ")).ok_or("no schema")?;
    Ok(Some(schema.split('.').map(str::parse).collect::<Result<_, _>>()?))
}

#[test]
fn what_can_be_known_here_is_answered_and_nothing_else() -> Result<(), Failed> {
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![testdata().join("capture/must-gather.tar.xz")]));
    let params =
        json!({ "node_name": "ovn-worker", "from": "clients/client-v58hz", "to": "shop/web", "port": 80 });
    let text = ask(&source, params)?;
    match installed()? {
        None => {
            assert!(text.starts_with("error: ovn-trace is not installed where this server runs"), "{text}");
            assert!(text.contains("package ovn-common on Debian"), "{text}");
        }
        Some(schema) if schema.as_slice() < SCHEMA.as_slice() => {
            let schema: Vec<String> = schema.iter().map(ToString::to_string).collect();
            assert!(text.starts_with("error: unknown: ovn-trace here is OVN "), "{text}");
            assert!(
                text.contains(&format!(
                    "(southbound schema {}), and the data needs OVN 26.03.1 (southbound schema 21.8.0) or newer",
                    schema.join(".")
                )),
                "{text}"
            );
        }
        Some(_) => {
            assert!(text.contains("here worked on a copy of the database"), "{text}");
            recorded_traces(&source)?;
        }
    }
    Ok(())
}

/// What the real program of the capture's version printed, elsewhere.
fn recorded_traces(source: &Arc<dyn Backend>) -> Result<(), Failed> {
    let (capture, mut equal) = (Capture::unpack()?, 0);
    for (node, pod) in Capture::NODES {
        for file in fs::read_dir(capture.printed(pod).join("trace"))? {
            check(source, node, &file?.path())?;
            equal += 1;
        }
    }
    assert_eq!(equal, 45);
    Ok(())
}

/// One of several backends is picked at random: ours must print what the real program did, soon or late.
fn check(source: &Arc<dyn Backend>, node: &str, file: &Path) -> Result<(), Failed> {
    let form = file.extension().and_then(|it| it.to_str()).ok_or("no form")?;
    let text = fs::read_to_string(file)?;
    let (command, printed) = text.split_once('\n').ok_or("no command")?;
    let (options, microflow) = command.split_once(" '").ok_or("no microflow")?;
    let datapath = options.rsplit_once(' ').ok_or("no datapath")?.1;
    // The recorded command told the first state of conntrack and left the others to the program, which says so, and
    // underlines what it says.
    assert!(options.contains(" --ct=new ") && options.matches("--ct").count() == 1, "{command}");
    fn bare<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
        lines.map(|line| if line.starts_with("----") { "----" } else { line }).collect()
    }
    let printed = printed.replace(" /* default (use --ct to customize) */", "");
    let expected = bare(printed.lines().filter(|line| !line.starts_with("# rc=")));
    let microflow = microflow.trim_end_matches('\'');
    let params = json!({ "node_name": node, "datapath": datapath, "microflow": microflow, "ct": ["new", "est"], "form": form });
    let mut ours = String::new();
    for _ in 0..40 {
        ours = ask(source, params.clone())?;
        if bare(ours.lines().skip(1).filter(|line| !line.starts_with("note: "))) == expected {
            return Ok(());
        }
    }
    Err(format!("{}: {command}: ours is never the real one: {ours}", file.display()).into())
}

/// Changes a database, as the real ovsdb-tool does. The UUIDs of the rows that are inserted.
fn insert(file: &Path, operations: &[serde_json::Value]) -> Result<Vec<String>, Failed> {
    let transaction: Vec<_> =
        [json!("OVN_Southbound")].into_iter().chain(operations.iter().cloned()).collect();
    #[expect(clippy::disallowed_methods, reason = "a test makes its own data with the real program")]
    let mut tool = std::process::Command::new("ovsdb-tool");
    let output = tool.arg("transact").arg(file).arg(json!(transaction).to_string()).output()?;
    let reply: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let rows = reply.as_array().ok_or("no reply")?.iter().map(|row| row.pointer("/uuid/1")?.as_str());
    rows.map(|uuid| Ok(uuid.ok_or_else(|| reply.to_string())?.to_owned())).collect()
}

/// A few hundred flows of a few hundred datapaths, which are one row each: what ovn-trace would make of them is counted
/// before it is asked, and whether it is installed does not matter.
#[test]
fn a_zone_that_is_too_large_is_refused_before_the_program_runs() -> Result<(), Failed> {
    let capture = Capture::unpack()?;
    let file = capture.database("ovnkube-node-vwrjk", "sbdb");
    let flow = |group: serde_json::Value| {
        json!({ "op": "insert", "table": "Logical_Flow", "row": {
            "pipeline": "ingress", "table_id": 0, "priority": 1, "match": "1", "actions": "next;", "logical_dp_group": group,
        } })
    };
    let name = |number: usize| format!("d{number}");
    let datapaths = (0..400).map(|number| {
        json!({ "op": "insert", "table": "Datapath_Binding", "uuid-name": name(number), "row": { "tunnel_key": 1_000_000 + number } })
    });
    let members: Vec<_> = (0..400).map(|number| json!(["named-uuid", name(number)])).collect();
    let group = json!({ "op": "insert", "table": "Logical_DP_Group", "uuid-name": "all", "row": { "datapaths": ["set", members] } });
    let first: Vec<_> = datapaths.chain([group, flow(json!(["named-uuid", "all"]))]).collect();
    let inserted = insert(&file, &first)?;
    let group = inserted.get(400).ok_or("no group")?;
    let flows: Vec<_> = (0..400).map(|_| flow(json!(["uuid", group]))).collect();
    insert(&file, &flows)?;
    insert(&file, &flows)?;
    let source: Arc<dyn Backend> = Arc::new(Bundle::new(vec![capture.bundle()]));
    let params =
        json!({ "node_name": "ovn-worker", "from": "clients/client-v58hz", "to": "shop/web", "port": 80 });
    let text = ask(&source, params)?;
    assert!(text.starts_with("error: the zone has 32"), "{text}");
    assert!(text.contains("ovn-trace would need more memory than it may"), "{text}");
    assert!(text.contains("ovn_sbctl_lflow_list"), "{text}");
    Ok(())
}
