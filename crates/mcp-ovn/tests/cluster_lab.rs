//! The lab behind an API server: answers are equal to those from the nodes, each server has only its own rights, faults
//! become errors, and no process outlives its call.

use lab_api::LabApi;
use mcp_core::{
    Argv, Backend, CommandPlace, CommandTarget, LiveCluster, ReadError, argv,
    argv::{AllowedPrograms, Program, Verb, WordPart::Operand},
};
use mcp_testing::{Case, Failed, answer, lab, testdata};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

const ALLOW: AllowedPrograms = AllowedPrograms(&[
    Program {
        name: "sleep",
        globals: &[],
        verbs: &[Verb { words: &[], options: &[], operands: &[&[Operand("number")]], reads_only: "a test" }],
    },
    Program {
        name: "hostname",
        globals: &[],
        verbs: &[Verb { words: &[], options: &[], operands: &[], reads_only: "a test" }],
    },
]);

const SOON: Duration = Duration::from_secs(20);

fn runtime() -> Result<tokio::runtime::Runtime, Failed> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn source(api: &LabApi, context: &str, debug_pods: bool) -> Result<Arc<dyn Backend>, Failed> {
    Ok(Arc::new(runtime()?.block_on(LiveCluster::open(&api.kubeconfig(), Some(context), debug_pods))?))
}

fn role(name: &str) -> PathBuf {
    testdata().join("../deploy/rbac").join(name)
}

/// Gives a user the right to run commands, only in the namespace of OVN-Kubernetes.
fn exec_of(user: &str, namespace: &str, dir: &Path) -> Result<PathBuf, Failed> {
    let text = std::fs::read_to_string(role("exec.yaml"))?;
    let bound = text.replace("name: mcp-exec", &format!("name: {user}\n  namespace: {namespace}"));
    let file = dir.join(format!("{user}-in-{namespace}.yaml"));
    std::fs::write(&file, bound)?;
    Ok(file)
}

fn at(place: CommandPlace, within: Duration) -> Result<CommandTarget, Failed> {
    Ok(CommandTarget::new("ovn-worker".parse()?, place, within))
}

fn sleep(seconds: u32) -> Argv {
    argv!(ALLOW: "sleep", {seconds: u32})
}

/// Counts the processes of this machine whose command line contains these words, without the test itself.
fn processes(words: &str) -> Result<usize, Failed> {
    let command_line = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).ok();
    let all = std::fs::read_dir("/proc")?.flatten().filter_map(command_line);
    Ok(all.filter(|line| String::from_utf8_lossy(line).replace('\0', " ").contains(words)).count())
}

/// Waits until the condition is true, up to a time limit.
fn soon(is_so: impl Fn() -> Result<bool, Failed>) -> Result<bool, Failed> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(5) {
        if is_so()? {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    is_so()
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn one_answer_from_the_nodes_and_from_the_cluster() -> Result<(), Failed> {
    // The answers must differ in the line that names the source.
    let body = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("# ")).map(str::to_owned).collect()
    };
    let dir = tempfile::tempdir()?;
    for (flavour, namespace) in [("upstream", "ovn-kubernetes"), ("openshift", "openshift-ovn-kubernetes")] {
        let exec = exec_of("mcp-ovn", namespace, dir.path())?;
        let api = LabApi::start(flavour, &[role("mcp-ovn.yaml"), exec])?;
        let mut asked = 0;
        for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"))?.flatten() {
            let case = Case::read(&file.path())?;
            if case.scenario != "lab" {
                continue;
            }
            // OVN writes to its databases while the test runs, so an answer through the cluster counts only
            // between two equal answers from the nodes.
            let (mut direct, mut through) = (Vec::new(), Vec::new());
            let mut is_quiet = false;
            for _ in 0..5 {
                direct = body(answer(mcp_ovn::layer(), lab()?, &case)?);
                // The server uses only its own role.
                through = body(answer(mcp_ovn::layer(), source(&api, "mcp-ovn", false)?, &case)?);
                is_quiet = direct == body(answer(mcp_ovn::layer(), lab()?, &case)?);
                if is_quiet {
                    break;
                }
            }
            assert!(is_quiet, "{flavour}: {:?}: the nodes gave another answer at every call", file.path());
            // The nodes have no Kubernetes objects, which the audit needs.
            if case.tool == "ovn_audit" {
                let is_fine = |line: &String| line.contains("found no fault: chassis-encap (");
                assert!(through.iter().any(is_fine), "{through:?}");
                assert!(!through.iter().any(|line| line.contains("(403)")), "{through:?}");
                continue;
            }
            assert_eq!(direct, through, "{flavour}: {:?}", file.path());
            asked += 1;
        }
        assert!(asked >= 8, "only {asked} cases");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_missing_right_is_named() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("reader.yaml");
    let rules = json!([{ "apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["get", "list"] }]);
    let reader = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "reader" }, "rules": rules,
    });
    std::fs::write(&file, reader.to_string())?;
    let api = LabApi::start("upstream", &[file])?;
    let ask = |params: Value| -> Result<String, Failed> {
        let params = params.as_object().expect("an object").clone();
        let case = Case { scenario: String::new(), tool: "ovn_nbctl_show".into(), params };
        answer(mcp_ovn::layer(), source(&api, "reader", false)?, &case)
    };
    let text = ask(json!({ "node_name": "ovn-worker" }))?;
    assert!(text.contains("pods/exec") && text.contains("in namespace ovn-kubernetes (403)"), "{text}");
    assert!(text.contains("hint: ") && text.contains("deploy/rbac"), "{text}");
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_fault_is_an_answer_and_the_next_call_another() -> Result<(), Failed> {
    let api = LabApi::start("upstream", &[])?;
    let params = json!({ "node_name": "ovn-worker", "of": "join", "timeout_seconds": 5 });
    let case = Case {
        scenario: String::new(),
        tool: "ovn_nbctl_show".into(),
        params: params.as_object().expect("an object").clone(),
    };
    for (fault, said) in [
        (json!({ "path": "/exec", "status": 429 }), "(429)"),
        (json!({ "path": "/exec", "status": 503 }), "(503)"),
        (json!({ "path": "/exec", "status": 500 }), "(500)"),
        (json!({ "path": "/exec", "status": 403 }), "(403)"),
        (json!({ "path": "/exec", "hang": true }), "took longer than 5 s"),
        (json!({ "path": "/exec", "cut_after": 1000 }), "bytes had arrived"),
        (json!({ "path": "/api/v1/pods", "status": 503 }), "(503)"),
        (json!({ "path": "/api/v1/pods", "hang": true }), "5 s"),
    ] {
        api.faults(&json!([fault]))?;
        let text = answer(mcp_ovn::layer(), source(&api, "admin", false)?, &case)?;
        assert!(text.starts_with("error: ") && text.contains(said), "{fault}: {text}");
        api.faults(&json!([]))?;
        let text = answer(mcp_ovn::layer(), source(&api, "admin", false)?, &case)?;
        assert!(text.contains("jtor-GR_ovn-worker"), "after {fault}: {text}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_container_that_restarts_is_passed_over() -> Result<(), Failed> {
    let api = LabApi::start("upstream", &[])?;
    let cluster = source(&api, "admin", false)?;
    runtime()?.block_on(async {
        let place = at(CommandPlace::NbSocket, SOON)?;
        let read = cluster.command(&place, &argv!(ALLOW: "hostname")).await?;
        let (_, container) = read.origin.what.split_once(" in nb-ovsdb of ").ok_or("not in nb-ovsdb")?;
        api.faults(&json!([{ "restarting": format!("{container}/nb-ovsdb") }]))?;
        let new = LiveCluster::open(&api.kubeconfig(), None, false).await?;
        let read = new.command(&place, &argv!(ALLOW: "hostname")).await?;
        assert!(read.origin.what.contains(" in ovn-northd of "), "{}", read.origin.what);
        assert!(
            read.notes.iter().any(|note| note.contains("nb-ovsdb") && note.contains("not running")),
            "{:?}",
            read.notes
        );
        Ok(())
    })
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_command_ends_with_its_call() -> Result<(), Failed> {
    let api = LabApi::start("upstream", &[])?;
    let cluster = source(&api, "admin", false)?;
    let runtime = runtime()?;
    // A command that exceeds its time limit is ended in its container. The limit leaves a busy machine time to start
    // it.
    let error = runtime
        .block_on(cluster.command(&at(CommandPlace::Host, Duration::from_secs(5))?, &sleep(987_651)))
        .unwrap_err();
    assert!(matches!(error, ReadError::TimedOut { seconds: 5, .. }), "{error}");
    assert!(soon(|| Ok(processes("sleep 987651")? == 0))?, "the command still runs after its time limit");
    // A cancelled call also ends its command.
    let other = cluster.clone();
    let target = at(CommandPlace::Host, Duration::from_secs(300))?;
    let call = runtime.spawn(async move { other.command(&target, &sleep(987_652)).await.map(drop) });
    assert!(soon(|| Ok(processes("sleep 987652")? > 0))?, "the command did not start");
    call.abort();
    assert!(
        soon(|| Ok(processes("sleep 987652")? == 0))?,
        "the command still runs after the call was cancelled"
    );
    Ok(())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn debug_pods_are_made_only_if_allowed_and_are_gone_afterwards() -> Result<(), Failed> {
    const NOWHERE: AllowedPrograms = AllowedPrograms(&[Program {
        name: "no-such-program",
        globals: &[],
        verbs: &[Verb { words: &[], options: &[], operands: &[], reads_only: "a test" }],
    }]);
    let api = LabApi::start("upstream", &[])?;
    runtime()?.block_on(async {
        let place = at(CommandPlace::Host, SOON)?;
        let argv = argv!(NOWHERE: "no-such-program");
        let without = LiveCluster::open(&api.kubeconfig(), None, false).await?;
        let error = without.command(&place, &argv).await.unwrap_err();
        assert!(error.to_string().contains("a debug pod could run it"), "{error}");
        let with = LiveCluster::open(&api.kubeconfig(), None, true).await?;
        let kinds = with.kinds(SOON).await?.value;
        let pods = kinds.into_iter().find(|kind| kind.is_called("pods")).ok_or("no pods")?;
        let query = mcp_core::ObjectQuery {
            labels: "app.kubernetes.io/managed-by=ovn-kubernetes-mcp".parse()?,
            ..mcp_core::ObjectQuery::all(pods)
        };
        // The server also searches for the program in the debug pod and on the host.
        let error = with.command(&place, &argv).await.unwrap_err();
        assert!(matches!(error, ReadError::NoProgram { .. }), "{error}");
        assert_eq!(with.objects(&query, SOON).await?.value.len(), 1, "{error}");
        with.close().await;
        assert_eq!(without.objects(&query, SOON).await?.value.len(), 0, "the debug pod still exists");
        Ok(())
    })
}
