//! Reads logs that exist only in the journal, in local mode. systemd-journal-remote writes the journal.

use mcp_core::LocalBackend;
use mcp_testing::{Connection, Failed};
use serde_json::{Value, json};
use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// The machine ID, which is the name of the journal's folder.
const MACHINE: &str = "0123456789abcdef0123456789abcdef";
const JOURNAL_REMOTE: &str = "/lib/systemd/systemd-journal-remote";
/// 2026-11-22T08:00:00Z.
const BEGIN: u64 = 1_795_334_400;

/// A process in a mount namespace with its own journal, which acts as a node. It ends when this value is dropped.
struct Host(Child);

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn command(program: &str) -> Command {
    #[expect(clippy::disallowed_methods, reason = "a test makes its own host")]
    Command::new(program)
}

/// Formats entries as systemd exports them (systemd.io/JOURNAL_EXPORT_FORMATS). An entry has a second, a unit and a
/// message. An entry without a unit comes from the kernel.
fn exported(entries: &[(u64, Option<&str>, String)]) -> String {
    let mut text = String::new();
    for (second, unit, message) in entries {
        let time = (BEGIN + second) * 1_000_000;
        _ = write!(
            text,
            "__REALTIME_TIMESTAMP={time}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={MACHINE}\n_MACHINE_ID={MACHINE}\n_HOSTNAME=here\n",
            second * 1_000_000 + 1
        );
        _ = match unit {
            Some(unit) => write!(
                text,
                "_TRANSPORT=journal\n_SYSTEMD_UNIT={unit}.service\nSYSLOG_IDENTIFIER={unit}\n_PID=77\nMESSAGE={message}\n\n"
            ),
            None => write!(text, "_TRANSPORT=kernel\nSYSLOG_IDENTIFIER=kernel\nMESSAGE={message}\n\n"),
        };
    }
    text
}

/// The number in the name of a pod's interface, as OVN-Kubernetes generates it.
fn interface(n: u64) -> u64 {
    0x0cf5_a2f0_d3e1_b4c2 + n * 7_919
}

fn named(n: u64) -> String {
    format!("({:015x})", interface(n))
}

impl Host {
    fn new(folder: &Path, entries: &[(u64, Option<&str>, String)]) -> Result<Self, Failed> {
        let journal = folder.join("journal").join(MACHINE);
        std::fs::create_dir_all(&journal)?;
        let id = folder.join("machine-id");
        std::fs::write(&id, format!("{MACHINE}\n"))?;
        let mut remote = command(JOURNAL_REMOTE);
        remote
            .arg("--output")
            .arg(journal.join("system.journal"))
            .arg("-")
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        let mut remote = remote.spawn()?;
        remote.stdin.take().ok_or("no input")?.write_all(exported(entries).as_bytes())?;
        assert!(remote.wait()?.success(), "{JOURNAL_REMOTE}");
        let script = r#"mount --bind "$1/journal" /var/log/journal && mount --bind "$1/machine-id" /etc/machine-id && echo ready && exec sleep 600"#;
        let mut host = command("unshare");
        host.args(["--mount", "--uts", "--propagation=private", "sh", "-c", script, "sh"])
            .arg(folder)
            .stdout(Stdio::piped());
        let mut host = Self(host.spawn()?);
        let mut line = String::new();
        BufReader::new(host.0.stdout.take().ok_or("no output")?).read_line(&mut line)?;
        assert_eq!(line, "ready\n", "the host did not start: it needs root");
        Ok(host)
    }

    async fn connection(&self) -> Result<Connection, Failed> {
        let node = format!("here={}", self.0.id()).parse()?;
        Connection::open(mcp_k8s::layer(), Arc::new(LocalBackend::new(vec![node]))).await
    }
}

/// Returns the answer, followed by the evidence that the first line of the answer names.
async fn ask(connection: &Connection, params: Value) -> Result<String, Failed> {
    let mut params = params.as_object().cloned().unwrap_or_default();
    params.insert("node_name".into(), "here".into());
    Ok(match connection.call("node_logs", &params).await? {
        Ok(text) => format!("{text}\n{}", connection.evidence(&text).await?),
        Err(error) => error,
    })
}

#[tokio::test]
#[ignore = "needs root and systemd-journal-remote: cargo xtask test"]
async fn logs_that_only_the_journal_has_are_read() -> Result<(), Failed> {
    std::fs::create_dir_all("/var/log/journal")?;
    let mut entries: Vec<_> = (0..3_000)
        .map(|n| {
            (
                n,
                Some("NetworkManager"),
                format!("<info>  [{}.0] device ({:015x}): carrier: link connected", BEGIN + n, interface(n)),
            )
        })
        .collect();
    entries.push((3_000, Some("NetworkManager"), "<warn>  dhcp4 (eth0): request timed out".into()));
    entries.push((
        3_001,
        Some("crio"),
        "time=\"2026-11-22T08:50:01Z\" level=error msg=\"no CNI configuration file\"".into(),
    ));
    entries.push((3_002, None, "openvswitch: cpu_id mismatch with handler threads".into()));
    let folder = tempfile::tempdir()?;
    let host = Host::new(folder.path(), &entries)?;
    let connection = host.connection().await?;

    let tail = ask(&connection, json!({ "log": "NetworkManager", "tail": 2 })).await?;
    assert!(
        tail.contains(
            "journalctl --no-pager --utc --output=short-iso-precise --lines=2 --unit=NetworkManager"
        ),
        "{tail}"
    );
    let lines: Vec<&str> = tail.lines().filter(|line| line.contains("NetworkManager[77]: ")).collect();
    let [carrier, dhcp] = lines.as_slice() else { return Err(format!("two lines, not {lines:?}").into()) };
    assert!(carrier.starts_with("2026-11-22T08:49:59.000000") && carrier.contains(&named(2_999)), "{tail}");
    assert!(dhcp.starts_with("2026-11-22T08:50:00.000000") && dhcp.ends_with("request timed out"), "{tail}");

    // The search reads all lines, not only the last ones.
    let found = ask(&connection, json!({ "log": "NetworkManager", "grep": named(17) })).await?;
    assert!(found.contains("2026-11-22T08:00:17.000000") && !found.contains(&named(18)), "{found}");
    let since = ask(
        &connection,
        json!({ "log": "NetworkManager", "since": "2026-11-22T08:49:58Z", "grep": "carrier" }),
    )
    .await?;
    assert_eq!(since.matches("link connected").count(), 2, "{since}");
    let digest = ask(&connection, json!({ "log": "NetworkManager", "digest": true })).await?;
    assert!(digest.contains("3000x") && digest.contains("request timed out"), "{digest}");

    // The runtime's log comes from the second of two possible units, and the kernel's log has no unit.
    let runtime = ask(&connection, json!({ "log": "runtime", "level": "error" })).await?;
    assert!(runtime.contains("--unit=crio") && runtime.contains("no CNI configuration file"), "{runtime}");
    let kernel = ask(&connection, json!({ "log": "kernel", "tail": 10 })).await?;
    assert!(
        kernel.contains("_TRANSPORT=kernel") && kernel.contains("here kernel: openvswitch: cpu_id"),
        "{kernel}"
    );

    let none = ask(&connection, json!({ "log": "ovs-configuration" })).await?;
    assert!(none.starts_with("error: the ovs-configuration log of here was not collected"), "{none}");
    assert!(none.contains("--unit=ovs-configuration` found no entries"), "{none}");
    Ok(())
}
