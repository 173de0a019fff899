//! Captures in the lab, while real traffic runs: losses are found where they are planted, translations and tunnels are
//! followed, and every limit keeps what has arrived.
//!
//! `cargo xtask test` builds the lab and runs these tests. To run them by hand, run `cargo xtask lab up`, then
//! `cargo test -- --ignored`.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "a test that cannot go on fails")]

use mcp_testing::{Case, Failed, answer, lab};
use serde_json::{Value, json};
use std::{
    process::{Child, Command, Output, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// Held by each test, because the traffic of one would be in the captures of another.
static LAB: Mutex<()> = Mutex::new(());

/// The pod that sends, and its address.
const CLIENT: (&str, &str) = ("client", "10.244.0.4");
/// A pod on the other node, and its address.
const SERVER: (&str, &str) = ("web-2", "10.244.1.5");

/// All points from the client to the server.
const PATH: [&str; 4] =
    ["pod default/client eth0", "node ovn-worker eth0", "node ovn-worker2 eth0", "pod default/web-2 eth0"];

fn program(words: &[&str]) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test makes traffic and faults, and reads files with real programs"
    )]
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(words: &[&str]) -> Output {
    program(words).output().unwrap_or_else(|e| panic!("{words:?}: {e}"))
}

/// Runs a program in the network namespace of a pod.
fn in_pod(pod: &str, words: &[&str]) -> Command {
    let namespace = format!("ovnk-lab-default-{pod}");
    program(&[&["ip", "netns", "exec", namespace.as_str()], words].concat())
}

/// Sends pings every 100 ms until it is dropped.
struct Pings(Child);

impl Pings {
    fn start(to: &str) -> Self {
        let mut ping = in_pod(CLIENT.0, &["ping", "-i", "0.1", "-W", "1", to]);
        Self(ping.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Pings {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

fn ask(tool: &str, params: Value) -> Result<String, Failed> {
    let params = params.as_object().cloned().ok_or("an object")?;
    answer(mcp_capture::layer(), lab()?, &Case { scenario: String::new(), tool: tool.into(), params })
}

/// Captures at points for some seconds, and calls `during` after two seconds.
fn capture(at: &[&str], filter: &str, seconds: u64, during: impl FnOnce() + Send) -> Result<String, Failed> {
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_secs(2));
            during();
        });
        ask("tcpdump_capture", json!({ "at": at, "filter": filter, "seconds": seconds }))
    })
}

/// Returns the lines about the way of the packets that mention a text.
fn lines_with<'a>(answer: &'a str, text: &str) -> Vec<&'a str> {
    answer.lines().filter(|line| line.contains(text)).collect()
}

#[test]
#[ignore = "needs the lab"]
fn every_packet_is_followed_from_pod_to_pod() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let filter = "icmp or udp port 6081";
    let told = capture(&PATH, filter, 5, || {
        let sent = in_pod(CLIENT.0, &["ping", "-c", "5", "-i", "0.2", SERVER.1]).output().unwrap();
        assert!(sent.status.success(), "the lab lost a ping");
    })?;
    let there = lines_with(&told, "there: pod default/client eth0 5 packets");
    assert_eq!(there.len(), 1, "{told}");
    for point in &PATH[1..] {
        assert!(there[0].contains(&format!("{point} 5 packets")), "{told}");
    }
    assert!(there[0].contains("enters the tunnel transit_switch"), "{told}");
    assert!(there[0].contains("leaves the tunnel transit_switch"), "{told}");
    let back = lines_with(&told, "back: pod default/web-2 eth0 5 packets");
    assert_eq!(back.len(), 1, "{told}");
    assert!(!told.contains("LOST") && !told.contains("not seen at"), "{told}");
    assert!(told.contains("5 of 5 echo requests answered"), "{told}");
    Ok(())
}

/// Runs a program in the namespaces of a node.
fn on(node: &str, words: &[&str]) {
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let pid = std::fs::read_to_string(format!("{dir}/{node}/pid")).unwrap();
    let target = format!("--target={}", pid.trim());
    let done = run(&[&["nsenter", target.as_str(), "--net", "--mount", "--uts", "--"], words].concat());
    assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A loss that a test plants, and the points between which it is.
enum PlantedLoss {
    /// A flow of the switch of this node drops the packets to the server.
    Flow(&'static str),
    /// The link of the second node is down.
    Link,
}

impl PlantedLoss {
    const FLOW: &'static str = "table=0,priority=65000,icmp,nw_dst=10.244.1.5";

    fn set(&self, is_lost: bool) {
        match (self, is_lost) {
            (Self::Flow(node), true) => {
                on(node, &["ovs-ofctl", "add-flow", "br-int", &format!("{},actions=drop", Self::FLOW)]);
            }
            (Self::Flow(node), false) => {
                on(node, &["ovs-ofctl", "--strict", "del-flows", "br-int", Self::FLOW])
            }
            (Self::Link, _) => {
                let state = if is_lost { "down" } else { "up" };
                let done = run(&["ip", "-n", "ovnk-lab-outside", "link", "set", "up-ovn-worker2", state]);
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            }
        }
    }
}

impl Drop for PlantedLoss {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[test]
#[ignore = "needs the lab"]
fn a_loss_is_located_at_each_part_of_the_path() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    for (loss, after, before) in [
        (PlantedLoss::Flow("ovn-worker"), PATH[0], PATH[1]),
        (PlantedLoss::Link, PATH[1], PATH[2]),
        (PlantedLoss::Flow("ovn-worker2"), PATH[2], PATH[3]),
    ] {
        let _pings = Pings::start(SERVER.1);
        let told = capture(&PATH, "icmp or udp port 6081", 7, || {
            loss.set(true);
            thread::sleep(Duration::from_secs(2));
            loss.set(false);
        })?;
        let lost = lines_with(&told, "LOST");
        let (there, back) =
            (format!("between {after} and {before}"), format!("between {before} and {after}"));
        assert!(lost.iter().any(|line| line.contains(&there)), "{told}");
        // A link loses the packets of both directions.
        assert!(lost.iter().all(|line| line.contains(&there) || line.contains(&back)), "{told}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab"]
fn a_service_is_followed_behind_its_translation() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let points = [PATH[0], PATH[1], PATH[2], "pod default/web-1 eth0", "pod default/web-2 eth0"];
    let told = capture(&points, "tcp or udp port 6081", 5, || {
        for _ in 0..3 {
            let got = in_pod(CLIENT.0, &["curl", "-s", "-m", "2", "http://10.96.0.10/"]).output().unwrap();
            assert!(got.status.success(), "the service of the lab does not answer");
        }
    })?;
    assert!(
        told.contains("TCP 10.244.0.4:") && told.contains("> 10.96.0.10:80, translated to TCP 10.244.0.4:"),
        "{told}"
    );
    assert!(told.contains("destination 10.96.0.10:80 becomes 10.244."), "{told}");
    assert!(!told.contains("LOST"), "{told}");
    Ok(())
}

#[test]
#[ignore = "needs the lab"]
fn a_capture_ends_at_its_number_of_packets_and_can_be_analysed_again() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let _pings = Pings::start(SERVER.1);
    let begun = Instant::now();
    let told = ask(
        "tcpdump_capture",
        json!({ "at": [PATH[0]], "filter": "icmp", "seconds": 20, "packets": 3, "snap_length": 64 }),
    )?;
    assert!(begun.elapsed() < Duration::from_secs(15), "the capture did not end at its limit");
    assert!(told.contains("pod default/client eth0: 3 packets, 294 bytes"), "{told}");
    Ok(())
}

/// The file that the server saves is read by tshark, with one interface for each point.
#[test]
#[ignore = "needs the lab"]
fn a_saved_capture_is_read_by_other_programs() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = tempfile::tempdir()?;
    let dir = std::env::var("OVNK_LAB_DIR").unwrap_or_else(|_| "/var/lib/ovnk-lab".into());
    let local = |node: &str| format!("--local={node}={dir}/{node}/pid");
    let save = format!("--save-dir={}", folder.path().display());
    let _pings = Pings::start(SERVER.1);
    let (first, second) = (local("ovn-worker"), local("ovn-worker2"));
    let at = format!("at={},{}", PATH[0], PATH[3]);
    let call = [&first, &second, save.as_str(), "call", "tcpdump_capture", &at, "filter=icmp", "packets=4"];
    let done = run(&[&[env!("CARGO_BIN_EXE_mcp-capture")], &call[..]].concat());
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
    let saved: Vec<_> = std::fs::read_dir(folder.path())?.collect::<Result<_, _>>()?;
    assert_eq!(saved.len(), 1, "{told}");
    let path = saved[0].path().display().to_string();
    assert!(path.ends_with(".pcapng") && told.contains(&path), "{told}");
    let read = run(&["tshark", "-r", &path, "-T", "fields", "-e", "frame.interface_name", "-e", "icmp.seq"]);
    let read = String::from_utf8_lossy(&read.stdout).into_owned();
    for point in [PATH[0], PATH[3]] {
        assert_eq!(read.lines().filter(|line| line.starts_with(point)).count(), 4, "{read}");
    }
    Ok(())
}

#[test]
#[ignore = "needs the lab"]
fn what_cannot_be_captured_is_said() -> Result<(), Failed> {
    let _lab = LAB.lock().unwrap_or_else(PoisonError::into_inner);
    let unknown = ask("tcpdump_capture", json!({ "at": ["node ovn-worker eth9"], "seconds": 1 }))?;
    assert!(
        unknown.starts_with("error: there is no network interface `eth9`") && unknown.contains("eth0"),
        "{unknown}"
    );
    let half = ask(
        "tcpdump_capture",
        json!({ "at": ["node ovn-worker eth9", "node ovn-worker eth0"], "seconds": 1 }),
    )?;
    assert!(half.contains("note: nothing was captured at node ovn-worker eth9"), "{half}");
    // This kernel has no probes, or the program is not installed: in both cases the error says so.
    let probes = ask("pwru_trace", json!({ "node_name": "ovn-worker", "filter": "icmp", "seconds": 1 }))?;
    assert!(probes.starts_with("error: ") && probes.contains("pwru"), "{probes}");
    Ok(())
}
