//! ovn_trace over the capture, whose databases are of OVN 26.03: what it says depends on the OVN that is installed here, and
//! is never made up. Where that is as new as the capture's, it is what the real program printed; `xtask/lab/in-suite.sh`
//! brings such a one to an older machine.

use mcp_core::{
    Backend, Bundle,
    testing::{Case, Failed, answer, testdata, unpack},
};
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
    let dir = tempfile::tempdir()?;
    unpack("capture/ovn-26.03-clients.tar.xz", dir.path())?;
    let nodes = [
        ("ovnkube-node-mk45n", "ovn-control-plane"),
        ("ovnkube-node-vwrjk", "ovn-worker"),
        ("ovnkube-node-pqrlf", "ovn-worker2"),
    ];
    let mut equal = 0;
    for (pod, node) in nodes {
        for file in fs::read_dir(dir.path().join("ovn-26.03-clients").join(pod).join("trace"))? {
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
    // The recorded command told the first state of conntrack and left the others to the program, which says so.
    assert!(options.contains(" --ct=new ") && options.matches("--ct").count() == 1, "{command}");
    let printed = printed.replace(" /* default (use --ct to customize) */", "");
    let expected: Vec<&str> = printed.lines().filter(|line| !line.starts_with("# rc=")).collect();
    let microflow = microflow.trim_end_matches('\'');
    let params = json!({ "node_name": node, "datapath": datapath, "microflow": microflow, "ct": ["new", "est"], "form": form });
    let mut ours = String::new();
    for _ in 0..40 {
        ours = ask(source, params.clone())?;
        let got: Vec<&str> = ours.lines().skip(1).filter(|line| !line.starts_with("note: ")).collect();
        if got == expected {
            return Ok(());
        }
    }
    Err(format!("{}: {command}: ours is never the real one: {ours}", file.display()).into())
}
