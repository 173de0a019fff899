//! Compares the compatibility mode with the real ovn-trace on random packets.
//!
//! ovn-trace understands only databases of its own version: 23.03 (Debian 12) traces in the lab, and 26.03 traces in
//! the capture. `xtask/lab/in-suite.sh` runs a newer version on an older machine. `OVNK_PACKETS` is the number of
//! packets for the daemon, `OVNK_PROCESSES` the number of packets that get a process each.

#[expect(dead_code, reason = "this test uses only a part of the module")]
mod common;
#[path = "common/control.rs"]
mod control;
#[expect(dead_code, reason = "this test uses only a part of the module")]
#[path = "common/lab.rs"]
mod lab;
#[path = "common/random.rs"]
mod random;

use control::Control;
use lab::{Networks, printed, program};
use ovn_lflow::{Branch, Semantics, Start, Zone, lex::Format, tree};
use ovsdb::{Database, Rows, SelectError};
use packet::CtState;
use random::{Numbers, Random, numbers, packet, without_flows};
use std::{
    error::Error,
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

type Failed = Box<dyn Error>;

/// The server of a database, and an ovn-trace daemon that has read it.
struct Programs {
    dir: tempfile::TempDir,
    server: Child,
}

impl Programs {
    fn start(database: &Path) -> Result<Self, Failed> {
        let dir = tempfile::tempdir()?;
        let at = |name: &str| dir.path().join(name);
        fs::copy(database, at("sb.db"))?;
        let quiet = ["-vconsole:off", "-vsyslog:off", "-vfile:off"];
        let server = program("ovsdb-server")
            .args(quiet)
            .arg(at("sb.db"))
            .arg(format!("--remote=punix:{}", at("sb.sock").display()))
            .arg(format!("--unixctl={}", at("sb.ctl").display()))
            .stdin(Stdio::null())
            .spawn()?;
        wait_for(&at("sb.sock"))?;
        let programs = Self { server, dir };
        let at = |name: &str| programs.dir.path().join(name);
        // The command ends when the daemon has read the database. A daemon that is asked earlier crashes.
        let status = program("ovn-trace")
            .args(quiet)
            .arg(format!("--db=unix:{}", at("sb.sock").display()))
            .args(["--detach", "--no-chdir", "--no-leader-only"])
            .arg(format!("--pidfile={}", at("trace.pid").display()))
            .arg(format!("--unixctl={}", at("trace.ctl").display()))
            .stdin(Stdio::null())
            .status()?;
        if status.success() { Ok(programs) } else { Err("the daemon of ovn-trace did not start".into()) }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("sb.sock")
    }

    fn daemon(&self) -> Result<Control, Failed> {
        Control::connect(&self.dir.path().join("trace.ctl"))
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        if let Ok(mut daemon) = self.daemon() {
            _ = daemon.call("exit", &[]);
        }
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

fn wait_for(path: &Path) -> Result<(), Failed> {
    for _ in 0..600 {
        if path.exists() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Err(format!("{} did not appear in time", path.display()).into())
}

fn rows(database: &Database) -> Result<Vec<Rows>, Failed> {
    let selects = Zone::selects(database.schema());
    Ok(selects.iter().map(|it| database.select(it)).collect::<Result<_, SelectError>>()?)
}

/// Returns whether the program's output is one of our branches.
fn is_ours(branches: &[Branch], theirs: &str) -> bool {
    let theirs: String =
        theirs.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
    // A value from `--select-id` is not random, so the program leaves out this comment and underlines less.
    const RANDOM: &str = " /* Randomly selected. Use --select-id to specify. */";
    let underlined = |line: &&str| !line.trim_start().starts_with("----");
    let text = |text: &str| {
        let text = without_flows(text).replace(RANDOM, "");
        text.lines().filter(underlined).map(|line| format!("{line}\n")).collect::<String>()
    };
    let theirs = text(&theirs);
    branches.iter().any(|branch| text(&tree::detailed(&branch.lines)) == theirs)
}

fn differs(packet: &str, theirs: &str, branches: &[Branch]) -> String {
    let ours = branches.first().map(|branch| tree::detailed(&branch.lines)).unwrap_or_default();
    format!("=== {packet}\n--- ovn-trace\n{theirs}\n--- our first of {} branches\n{ours}", branches.len())
}

fn count(variable: &str, usual: usize) -> Result<usize, Failed> {
    std::env::var(variable).map_or(Ok(usual), |text| Ok(text.parse()?))
}

/// Compares many packets with the daemon, which accepts no options.
fn by_daemon(programs: &Programs, zone: &Zone, numbers: &Numbers, random: &mut Random) -> Result<(), Failed> {
    let mut daemon = programs.daemon()?;
    let (wanted, mut compared, mut looping) = (count("OVNK_PACKETS", 2_000)?, 0, 0);
    let mut different = Vec::new();
    while compared < wanted {
        let Some((datapath, text)) = packet(random, zone, numbers) else { continue };
        let trace = zone.trace(&zone.start(&text)?);
        if trace.branches.iter().any(loops) {
            looping += 1;
            continue;
        }
        let theirs = daemon.call("trace", &[&datapath, &text]).map_err(|error| format!("{text}: {error}"))?;
        if !is_ours(&trace.branches, &theirs) {
            different.push(differs(&text, &theirs, &trace.branches));
        }
        compared += 1;
    }
    let first = different.first().map_or("", String::as_str);
    assert!(different.is_empty(), "{} of {compared} packets differ, the first:\n{first}", different.len());
    // Without this limit a defect that makes packets loop would hide all differences.
    assert!(looping * 100 <= compared, "{looping} packets loop, {compared} were compared");
    Ok(())
}

/// Returns whether a branch stopped because the packet loops. The program is not asked about such a packet: it follows
/// all its copies until their TTL expires, which may take hours.
fn loops(branch: &Branch) -> bool {
    tree::detailed(&branch.lines).contains("the packet loops")
}

/// Compares fewer packets with one process each, with conntrack states, a backend and a value for `select`.
fn by_process(
    programs: &Programs,
    zone: &Zone,
    numbers: &Numbers,
    random: &mut Random,
) -> Result<(), Failed> {
    let states = [
        ("new", CtState::NEW),
        ("est", CtState::EST),
        ("est,rpl", CtState::EST | CtState::RPL),
        ("inv", CtState::INV),
        ("new,rel", CtState::NEW | CtState::REL),
    ];
    let none = Vec::new();
    let addresses = numbers.get(&(Format::Ip4 as u8)).unwrap_or(&none);
    let (wanted, mut compared) = (count("OVNK_PROCESSES", 200)?, 0);
    while compared < wanted {
        let Some((datapath, text)) = packet(random, zone, numbers) else { continue };
        let chosen: Vec<(&str, CtState)> = (0..4).filter_map(|_| random.of(&states).copied()).collect();
        let balances = random.next().is_multiple_of(2);
        // ovn-trace refuses 0.
        let id = 1 + random.next() % 8;
        let mut command = program("ovn-trace");
        command.arg(format!("--db=unix:{}", programs.socket().display())).arg("--no-leader-only");
        command.args(chosen.iter().map(|(name, _)| format!("--ct={name}")));
        command.arg(format!("--select-id={id}"));
        let backend = random.of(addresses).filter(|_| balances).cloned();
        command.args(backend.iter().map(|address| format!("--lb-dst={address}")));
        let states = chosen.iter().map(|(_, state)| *state | CtState::TRK).collect();
        let parsed = backend.as_deref().map(str::parse::<Ipv4Addr>).transpose()?;
        let wanted_backend = parsed.map(|address| (address.to_bits().into(), None));
        let start = Start { states, backend: wanted_backend, ..zone.start(&text)? };
        let trace = zone.trace(&start);
        if trace.branches.iter().any(loops) {
            continue;
        }
        let theirs = printed(command.arg(&datapath).arg(&text))?;
        assert!(
            is_ours(&trace.branches, &theirs),
            "{chosen:?} {id} {backend:?}: {}",
            differs(&text, &theirs, &trace.branches)
        );
        compared += 1;
    }
    Ok(())
}

fn compare(database: &Path) -> Result<(), Failed> {
    let opened = Database::open(fs::read(database)?)?;
    let rows = rows(&opened)?;
    let zone = Zone::new(&rows, Semantics::OvnTrace);
    let numbers = numbers(&rows);
    let programs = Programs::start(database)?;
    // Any seed works. A fixed seed finds the same differences again.
    let mut random = Random(count("OVNK_SEED", 1)? as u64);
    by_daemon(&programs, &zone, &numbers, &mut random)?;
    by_process(&programs, &zone, &numbers, &mut random)
}

/// Returns the version of the southbound schema that the installed ovn-trace supports.
fn schema() -> Result<String, Failed> {
    let text = printed(program("ovn-trace").arg("--version"))?;
    Ok(text.lines().find_map(|line| line.strip_prefix("DB Schema ")).ok_or("no schema")?.to_owned())
}

/// Returns the databases that the installed program understands: those of the lab or of the capture.
fn understood(dir: &Path) -> Result<Vec<PathBuf>, Failed> {
    let of_lab = lab::NODES.map(|node| lab::dir().join(node).join("etc/ovn/ovnsb_db.db"));
    let mut all: Vec<PathBuf> = of_lab.into_iter().filter(|path| path.exists()).collect();
    for (path, bytes) in common::archive("must-gather.tar.xz", |path| path.ends_with("_sbdb")) {
        let file = dir.join(path.rsplit('/').next().unwrap_or_default());
        fs::write(&file, bytes)?;
        all.push(file);
    }
    let known = schema()?;
    let mut fitting = Vec::new();
    for path in all {
        if Database::open(fs::read(&path)?)?.schema().version == known {
            fitting.push(path);
        }
    }
    Ok(fitting)
}

#[test]
#[ignore = "needs the lab or OVN 26.03: cargo xtask test"]
fn random_packets_agree_with_the_real_program() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    // Without a lab, the program may understand the capture.
    let _networks = lab::dir().join("up").exists().then(Networks::up).transpose()?;
    let databases = understood(dir.path())?;
    assert!(
        !databases.is_empty(),
        "ovn-trace of schema {} understands neither the lab nor the capture",
        schema()?
    );
    for database in databases {
        compare(&database).map_err(|e| format!("{}: {e}", database.display()))?;
    }
    Ok(())
}
