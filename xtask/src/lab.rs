//! `cargo xtask lab`: two nodes of OVN-Kubernetes in network, mount and UTS namespaces of this machine, with the real OVN and
//! Open vSwitch. The tests' ground truth for everything live; `docs/lab.md` tells what it has and what it cannot.
//!
//! The lab itself is `xtask/lab/*.sh`, one topic a file; this module is the command line in front of them.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use xshell::{Shell, cmd};

use crate::api;

/// The scripts, wherever cargo was called from.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lab");

/// Debian packages, one a line.
const PACKAGES: &str = include_str!("../lab/packages");

/// What builds the lab and serves in its pods, and what runs in its nodes: a suite brings the latter along.
const PROGRAMS: &[&str] = &["ip", "nsenter", "unshare", "setsid", "ethtool", "socat", "curl", "ping"];
const NODE_PROGRAMS: &[&str] = &[
    "ovs-vswitchd",
    "ovsdb-server",
    "ovs-vsctl",
    "ovn-nbctl",
    "ovn-northd",
    "ovn-controller",
    "nft",
    "iptables-restore",
    "vtysh",
    "ipsec",
];

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// `cargo xtask lab ...`
#[derive(Debug, Args)]
pub(crate) struct Lab {
    /// Where the nodes' databases, sockets, logs and pid files are
    #[arg(long, global = true, default_value = "/var/lib/ovnk-lab", value_name = "DIR")]
    dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build the lab
    Up(Suite),
    /// Remove the lab: processes, namespaces, files
    Down,
    /// Show nodes, daemons, versions and pods; fails if any is down
    Status,
    /// Check that traffic goes where the databases say; fails if any probe does
    Check,
    /// Run a program in a node: `lab exec ovn-worker -- ovn-nbctl show`
    Exec {
        /// ovn-worker or ovn-worker2
        node: String,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// Run a program in a pod's network namespace: `lab pod default/client -- ping -c1 10.244.1.5`
    Pod {
        /// Namespace and name of the pod
        #[arg(value_name = "NAMESPACE/NAME")]
        pod: String,
        /// The program and its arguments
        #[arg(last = true, required = true)]
        argv: Vec<String>,
    },
    /// Write a must-gather of the lab
    Gather {
        /// The folder to make; it must not exist
        out: PathBuf,
    },
    /// Put a Kubernetes API server in front of the lab, and serve until it is stopped
    Api(api::Api),
    /// Install the packages that the lab needs (Debian, apt-get), and a suite if one is named
    Setup(Suite),
}

/// Which OVN and Open vSwitch the nodes run.
#[derive(Debug, Args)]
struct Suite {
    /// Take OVN and Open vSwitch from this Debian suite (such as sid) instead of from this machine
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Where suites are kept once debootstrapped
    #[arg(long, default_value = "/var/cache/ovnk-lab", value_name = "DIR")]
    cache: PathBuf,
    /// Debian mirror to debootstrap from
    #[arg(long, default_value = "http://deb.debian.org/debian", value_name = "URL")]
    mirror: String,
}

/// Runs one lab command. The exit status is that of the script or program that did the work.
pub(crate) fn run(lab: Lab) -> Result<ExitCode> {
    let sh = Shell::new()?;
    if !cmd!(sh, "id -u").quiet().read()?.eq("0") {
        return Err("the lab makes network namespaces: run it as root".into());
    }
    let dir = std::path::absolute(&lab.dir)?;
    sh.set_var("LAB_DIR", &dir);
    match lab.action {
        Action::Up(suite) => up(&sh, &dir, &suite),
        Action::Down => {
            let _lock = lock()?;
            script(&sh, "down")
        }
        Action::Status => script(&sh, "status"),
        Action::Check => script(&sh, "check"),
        Action::Exec { node: place, argv } | Action::Pod { pod: place, argv } => {
            // Becomes the program, so that its terminal, signals and exit status are the caller's.
            let program = cmd!(sh, "bash {SCRIPTS}/enter.sh {place} {argv...}");
            Err(Command::from(program).exec().into())
        }
        Action::Gather { out } => {
            let out = std::path::absolute(out)?;
            exit_code(Command::from(cmd!(sh, "bash {SCRIPTS}/gather.sh {out}")))
        }
        Action::Api(api) => {
            api::run(&dir, &api)?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Setup(suite) => {
            let debootstrap = suite.suite.is_some().then_some("debootstrap");
            let code = exit_code(Command::from(cmd!(sh, "bash {SCRIPTS}/setup.sh {debootstrap...}")))?;
            if code == ExitCode::SUCCESS {
                suite_root(&sh, &suite)?;
            }
            Ok(code)
        }
    }
}

fn up(sh: &Shell, dir: &Path, suite: &Suite) -> Result<ExitCode> {
    let _lock = lock()?;
    let wanted = suite.suite.as_deref().unwrap_or_default();
    if let Some((there, running)) = whole_lab(sh) {
        if there == dir && running == wanted {
            eprintln!("lab: already up in {}", dir.display());
            return Ok(ExitCode::SUCCESS);
        }
        return Err(format!("another lab is up in {}: `cargo xtask lab down` first", there.display()).into());
    }
    let root = suite_root(sh, suite)?;
    missing_programs(sh, root.is_some())?;
    sh.set_var("LAB_SUITE", wanted);
    if let Some(root) = root {
        sh.set_var("LAB_SUITE_ROOT", root);
    }
    script(sh, "down")?;
    let code = script(sh, "up")?;
    if code != ExitCode::SUCCESS {
        eprintln!(
            "lab: it did not come up; what is left is in {} until the next `up` or `down`",
            dir.display()
        );
    }
    Ok(code)
}

/// Where a lab is that came up and has all its parts, and of which suite (empty: this machine's).
fn whole_lab(sh: &Shell) -> Option<(PathBuf, String)> {
    let dir = PathBuf::from(fs::read_to_string("/run/ovnk-lab.dir").ok()?.trim());
    let suite = fs::read_to_string(dir.join("suite")).ok()?;
    let status = cmd!(sh, "bash {SCRIPTS}/status.sh").env("LAB_DIR", &dir);
    status.quiet().ignore_stdout().ignore_stderr().run().ok()?;
    Some((dir, suite.trim().to_owned()))
}

/// One lab changes at a time: two `up` at once would build into each other. Released when dropped, also by a crash.
fn lock() -> Result<File> {
    let path = "/run/ovnk-lab.lock";
    let file = File::create(path).map_err(|e| format!("{path}: {e}"))?;
    file.lock()?;
    Ok(file)
}

/// The root of the suite asked for, debootstrapped if this is the first time.
fn suite_root(sh: &Shell, suite: &Suite) -> Result<Option<PathBuf>> {
    let Some(name) = &suite.suite else { return Ok(None) };
    let root = std::path::absolute(&suite.cache)?.join(name);
    let mirror = &suite.mirror;
    cmd!(sh, "bash {SCRIPTS}/suite.sh {name} {root} {mirror}").quiet().run()?;
    Ok(Some(root))
}

/// Says what to install before anything is built, rather than failing half-way.
fn missing_programs(sh: &Shell, from_suite: bool) -> Result<()> {
    let own: &[&str] = if from_suite { &[] } else { NODE_PROGRAMS };
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .chain(own)
        .copied()
        .filter(|program| cmd!(sh, "which {program}").quiet().ignore_stdout().ignore_stderr().run().is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages = PACKAGES.split_whitespace().collect::<Vec<_>>().join(" ");
    Err(format!(
        "not found: {}\n`cargo xtask lab setup` installs what the lab needs, or by hand, on Debian:\n  \
         apt-get install --no-install-recommends {packages}",
        missing.join(", ")
    )
    .into())
}

/// Runs one script of the lab with our own standard streams.
fn script(sh: &Shell, name: &str) -> Result<ExitCode> {
    exit_code(Command::from(cmd!(sh, "bash {SCRIPTS}/{name}.sh")))
}

fn exit_code(mut command: Command) -> Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
