//! A long computation delays neither the end of its own call, nor other calls, nor the end of the server.

use crate::hostile;
use mcp_testing::Failed;
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// The time limit of the tests: much longer than they need, and much shorter than the searches would take.
const BOUND: Duration = Duration::from_secs(60);

/// An expression that takes milliseconds for each line, because most of its states stay active.
const SLOW: &str = "(?:[a-m][a-z]{1,40}){1,40}[b-d]{9}";

/// Writes a bundle with one log of pseudo-random letters.
fn bundle(dir: &Path) -> Result<(), Failed> {
    let folder = dir.join("namespaces/shop/pods/web/app/app/logs");
    fs::create_dir_all(&folder)?;
    let (mut text, mut state) = (String::new(), 1_u64);
    for line in 0..60_000 {
        write!(text, "2026-11-22T08:00:00.{line:09}Z ")?;
        for _ in 0..300 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(char::from(b'a' + (state >> 33) as u8 % 26));
        }
        text.push('\n');
    }
    Ok(fs::write(folder.join("current.log"), text)?)
}

#[expect(clippy::disallowed_methods, reason = "the server, as its clients start it")]
fn server(bundle: &Path) -> Command {
    let mut server = Command::new(env!("CARGO_BIN_EXE_mcp-k8s"));
    server.arg("--bundle").arg(bundle).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    server
}

/// Waits for the end of a process. The test fails if the process does not end.
fn ended(mut child: Child) -> Result<std::process::Output, Failed> {
    let until = Instant::now() + BOUND;
    while child.try_wait()?.is_none() {
        if Instant::now() > until {
            child.kill()?;
            return Err("the process did not end in time".into());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(child.wait_with_output()?)
}

#[test]
fn a_search_ends_at_the_time_limit_of_its_call() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    bundle(dir.path())?;
    let mut call = server(dir.path());
    call.args(["call", "kubectl_logs", "pod=shop/web", "timeout_seconds=2", &format!("grep={SLOW}")]);
    let output = ended(call.spawn()?)?;
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("the log could not be read completely within the time limit"), "{told}");
    Ok(())
}

/// Starts a server over a bundle, makes a call several times at once, and then hangs up or sends a signal. Other
/// requests must be answered meanwhile, and the server must end.
fn ends_during(bundle: &Path, tool: &str, arguments: &Value) -> Result<(), Failed> {
    for terminated in [false, true] {
        let mut server = server(bundle).spawn()?;
        let mut input = server.stdin.take().ok_or("no stdin")?;
        let mut output = BufReader::new(server.stdout.take().ok_or("no stdout")?);
        let mut line = String::new();
        writeln!(
            input,
            r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"2025-11-25","capabilities":{{}},"clientInfo":{{"name":"t","version":"0"}}}}}}"#
        )?;
        output.read_line(&mut line)?;
        writeln!(input, r#"{{"jsonrpc":"2.0","method":"notifications/initialized"}}"#)?;
        // The client sends more searches than the server has threads, and one call that must be answered meanwhile.
        for id in 2..6 {
            let params = json!({ "name": tool, "arguments": arguments });
            writeln!(
                input,
                "{}",
                json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params })
            )?;
        }
        writeln!(input, r#"{{"jsonrpc":"2.0","id":7,"method":"ping"}}"#)?;
        line.clear();
        output.read_line(&mut line)?;
        assert!(line.contains(r#""id":7"#), "{line}");
        if terminated {
            let pid =
                i32::try_from(server.id()).ok().and_then(rustix::process::Pid::from_raw).ok_or("no pid")?;
            rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
            assert_eq!(ended(server)?.status.code(), Some(128 + 15));
        } else {
            drop(input);
            assert!(ended(server)?.status.success());
        }
    }
    Ok(())
}

#[test]
fn a_search_does_not_keep_the_server_from_ending() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    bundle(dir.path())?;
    ends_during(
        dir.path(),
        "kubectl_logs",
        &json!({ "pod": "shop/web", "grep": SLOW, "timeout_seconds": 300 }),
    )
}

#[test]
fn the_objects_of_a_large_file_do_not_keep_the_server_from_ending() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    hostile::small_objects(dir.path(), 157 << 20)?;
    ends_during(dir.path(), "kubectl_get", &json!({ "kind": "pods", "timeout_seconds": 300 }))
}

#[test]
fn a_bundle_that_takes_long_to_open_does_not_keep_the_server_from_ending() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let bundle = dir.path().join("must-gather.tar.zst");
    // The archive is almost 8 GiB, with a compression ratio that a bundle may have.
    std::fs::write(&bundle, hostile::zstd(10 << 3, (8 << 30) - (1 << 20), 1 << 10))?;
    ends_during(&bundle, "cluster_overview", &json!({ "timeout_seconds": 300 }))
}
