//! `cargo xtask lab`: two nodes of OVN-Kubernetes in network, mount and UTS namespaces of this machine, with the real
//! OVN and Open vSwitch. All live tests use the lab as their ground truth. `docs/lab.md` describes its contents and its
//! limits.
//!
//! The lab itself is `xtask/lab/*.sh`, one file per topic; this module is its command line.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, Subcommand};
use xshell::{Shell, cmd};

use crate::api;

/// The folder of the scripts, wherever cargo was called from.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lab");

/// Debian packages, one per line.
const PACKAGES: &str = include_str!("../lab/packages");

/// The programs that build the lab and serve in its pods, and the programs that run in its nodes. A suite contains the
/// latter.
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
    /// Folder for the nodes' databases, sockets, logs and pid files
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
    /// Show nodes, daemons, versions and pods; fails if any of them is down
    Status,
    /// Check that traffic goes where the databases say; fails if any probe fails
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
        /// Folder to make; it must not exist
        out: PathBuf,
    },
    /// Put a Kubernetes API server in front of the lab, and serve until the process is stopped
    Api(api::Api),
    /// Install the packages that the lab needs (Debian, apt-get), and a suite if --suite names one
    Setup(Suite),
}

/// The OVN and Open vSwitch that the nodes run.
#[derive(Debug, Args)]
struct Suite {
    /// Take OVN and Open vSwitch from this Debian suite (such as sid) instead of from this machine
    #[arg(long, value_name = "SUITE")]
    suite: Option<String>,
    /// Folder that keeps the debootstrapped suites
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
        return Err("the lab makes network namespaces: run this command as root".into());
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
            // This process becomes the program, so that the program has the terminal, the signals and the exit status.
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
            eprintln!("the lab is already up in {}", dir.display());
            return Ok(ExitCode::SUCCESS);
        }
        return Err(
            format!("another lab is up in {}: run `cargo xtask lab down` first", there.display()).into()
        );
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
            "`lab up` failed; the files of the lab stay in {} until the next `up` or `down`",
            dir.display()
        );
    }
    Ok(code)
}

/// Returns the folder of a lab that is completely up, and its suite (empty: the machine's own programs).
fn whole_lab(sh: &Shell) -> Option<(PathBuf, String)> {
    let dir = PathBuf::from(fs::read_to_string("/run/ovnk-lab.dir").ok()?.trim());
    let suite = fs::read_to_string(dir.join("suite")).ok()?;
    let status = cmd!(sh, "bash {SCRIPTS}/status.sh").env("LAB_DIR", &dir);
    status.quiet().ignore_stdout().ignore_stderr().run().ok()?;
    Some((dir, suite.trim().to_owned()))
}

/// Locks the lab, because two `up` at once would build into each other. The lock is released when it is dropped, also
/// after a crash.
fn lock() -> Result<File> {
    let path = "/run/ovnk-lab.lock";
    let file = File::create(path).map_err(|e| format!("{path}: {e}"))?;
    file.lock()?;
    Ok(file)
}

/// Returns the root of the requested suite, and debootstraps the suite the first time.
fn suite_root(sh: &Shell, suite: &Suite) -> Result<Option<PathBuf>> {
    let Some(name) = &suite.suite else { return Ok(None) };
    let root = std::path::absolute(&suite.cache)?.join(name);
    let mirror = &suite.mirror;
    cmd!(sh, "bash {SCRIPTS}/suite.sh {name} {root} {mirror}").quiet().run()?;
    Ok(Some(root))
}

/// Reports missing programs before anything is built, so that `up` does not fail halfway.
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
        "programs not found: {}\nrun `cargo xtask lab setup` to install the packages of the lab, or on Debian:\n  \
         apt-get install --no-install-recommends {packages}",
        missing.join(", ")
    )
    .into())
}

/// Runs one script of the lab with the standard streams of this process.
fn script(sh: &Shell, name: &str) -> Result<ExitCode> {
    exit_code(Command::from(cmd!(sh, "bash {SCRIPTS}/{name}.sh")))
}

fn exit_code(mut command: Command) -> Result<ExitCode> {
    let code = command.status()?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
