//! `cargo xtask test`: checks everything that must hold before a change is merged, in one command.
//!
//! The cheap steps come first. By default the first step that fails ends the run. The lab is removed in any case. After
//! the tests, the steps that use the lab and the steps that do not use it run side by side, because most of them wait
//! or use one core.

use std::thread;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use xshell::{Shell, cmd};

use crate::suite;
use crate::task;
use crate::workspace::{LAYERS, Result, Workspace};

/// The folder of the lab; the tests look for the lab in the same folder.
const LAB_DIR: &str = "/var/lib/ovnk-lab";

/// `cargo xtask test`
#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Run only these steps, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
    /// Leave out the steps that need root and the lab
    #[arg(long)]
    no_lab: bool,
    /// Run the other steps even if one has failed
    #[arg(long)]
    keep_going: bool,
}

/// The steps in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum Step {
    /// Install the packages that the lab needs
    Setup,
    /// Check that the sources are formatted
    Fmt,
    /// Check that clippy and rustc give no warning
    Clippy,
    /// Build everything
    Build,
    /// Check the rules of structure and language
    Tidy,
    /// Check that the references match the output of the servers
    Docs,
    /// Build the documentation as a site, and check its links
    Site,
    /// Check that the Helm chart and kustomize make the same valid objects
    Deploy,
    /// Run all tests, including those that need the lab
    Tests,
    /// Check that no server starts a program when it reads a bundle
    Programs,
    /// Check that hostile arguments start only listed programs in the lab
    Attack,
    /// Damage untrusted input at random for half a minute
    Fuzz,
    /// Check that traffic in the lab goes where the databases say
    Check,
    /// Check that kubectl works with the API server of the lab, and that our servers handle its faults
    Api,
    /// Check that 500 generated calls do not change the lab
    Soak,
    /// Test both versions of MCP, the MCP Inspector and the conformance suites
    Probe,
    /// Run the demonstration
    Demo,
    /// Run a short benchmark, whose results are not judged
    Bench,
}

/// The time of each step that has ended.
type Times = Vec<(String, Duration)>;

/// Runs the steps, and prints the time of each step.
pub(crate) fn run(test: &Test) -> Result {
    let workspace = Workspace::open()?;
    let start = Instant::now();
    let mut times = Vec::new();
    let outcome = steps(test, &workspace, &mut times);
    println!("\n    time  step");
    for (name, time) in &times {
        println!("{:7.1}s  {name}", time.as_secs_f64());
    }
    println!("{:7.1}s  total", start.elapsed().as_secs_f64());
    outcome
}

fn steps(test: &Test, workspace: &Workspace, times: &mut Times) -> Result {
    let chosen = |step: &&Step| match test.only.as_slice() {
        [] => true,
        only => only.contains(step),
    };
    let possible = |step: &&Step| {
        let needs_packages = needs_lab(**step) || matches!(step, Step::Setup | Step::Programs);
        !(test.no_lab && needs_packages)
    };
    let mut lab = None;
    let mut failed = Vec::new();
    let mut steps = Step::value_variants().iter().filter(chosen).filter(possible).peekable();
    while let Some(&step) = steps.next() {
        let mut together = vec![step];
        if beside_others(step) {
            together.extend(std::iter::from_fn(|| steps.next_if(|next| beside_others(**next))));
        }
        let uses_lab = together.iter().any(|step| needs_lab(*step) || matches!(step, Step::Tests));
        if uses_lab && lab.is_none() && !test.no_lab {
            lab = Some(timed("lab up", times, || Lab::up(workspace))?);
        }
        let outcome = match together.as_slice() {
            [step] => timed(&step.name(), times, || step.run(workspace, lab.is_some())),
            steps => side_by_side(steps, test.keep_going, times),
        };
        match outcome {
            Err(error) if test.keep_going => failed.push(error.to_string()),
            outcome => outcome?,
        }
    }
    if let Some(lab) = lab {
        timed("lab down", times, || lab.down())?;
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// Whether a step does nothing without the lab.
fn needs_lab(step: Step) -> bool {
    matches!(step, Step::Attack | Step::Check | Step::Api | Step::Soak)
}

/// Whether a step can run while another step runs that does not use the same lab.
fn beside_others(step: Step) -> bool {
    step > Step::Tests && step < Step::Bench
}

/// Runs the steps that need the lab, one after another, and at the same time the other steps, one after another.
fn side_by_side(steps: &[Step], keep_going: bool, times: &mut Times) -> Result {
    let (in_lab, others): (Vec<Step>, Vec<Step>) = steps.iter().partition(|step| needs_lab(**step));
    let ends = thread::scope(|scope| {
        let lanes = [in_lab, others].map(|steps| scope.spawn(move || lane(&steps, keep_going)));
        lanes.map(|lane| lane.join().unwrap_or_else(|_| (Times::new(), vec!["a thread panicked".into()])))
    });
    let mut failed = Vec::new();
    for (of_lane, errors) in ends {
        times.extend(of_lane);
        failed.extend(errors);
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("\n").into()) }
}

/// Runs steps one after another, each as a process whose output is printed when it ends. Returns the time of each step
/// and the errors.
fn lane(steps: &[Step], keep_going: bool) -> (Times, Vec<String>) {
    let (mut times, mut failed) = (Times::new(), Vec::new());
    for step in steps {
        let start = Instant::now();
        let (passed, output) = match process(step.words()) {
            Ok(ended) => ended,
            Err(error) => (false, error.to_string()),
        };
        println!("\n=== {}\n{}", step.name(), output.trim());
        times.push((step.name(), start.elapsed()));
        if !passed {
            failed.push(format!("{} failed", step.name()));
            if !keep_going {
                break;
            }
        }
    }
    (times, failed)
}

/// Runs a task as a process of its own, and returns whether it succeeded and what it printed.
fn process(words: &[&str]) -> Result<(bool, String)> {
    let (sh, program) = (Shell::new()?, std::env::current_exe()?);
    suite::printed(cmd!(sh, "{program} {words...}").quiet())
}

fn timed<T>(name: &str, times: &mut Times, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("\n=== {name}");
    let start = Instant::now();
    let outcome = work();
    times.push((name.into(), start.elapsed()));
    outcome.map_err(|error| format!("{name}: {error}").into())
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, workspace: &Workspace, lab: bool) -> Result {
        let sh = &workspace.sh;
        match self {
            Self::Fmt => Ok(cmd!(sh, "cargo fmt --all --check").run()?),
            Self::Clippy => {
                Ok(cmd!(sh, "cargo clippy --workspace --all-targets --all-features -- -D warnings").run()?)
            }
            Self::Build => Ok(cmd!(sh, "cargo build {LAYERS...}").run()?),
            Self::Tests => suite::run(workspace, lab.then_some(LAB_DIR)),
            _ => task(self.words()),
        }
    }

    /// The words of the task that does this step. The other steps run programs themselves, and have no words.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Fmt | Self::Clippy | Self::Build | Self::Tests => &[],
            Self::Setup => &["lab", "setup"],
            Self::Tidy => &["tidy"],
            Self::Docs => &["docs", "--check"],
            Self::Site => &["site"],
            Self::Deploy => &["deploy", "--check"],
            Self::Programs => &["programs"],
            Self::Attack => &["programs", "--lab", LAB_DIR, "--values", "1"],
            Self::Fuzz => &["fuzz", "--seconds", "30"],
            Self::Check => &["lab", "--dir", LAB_DIR, "check"],
            Self::Api => &["lab", "--dir", LAB_DIR, "api", "--check"],
            Self::Soak => &["soak", "--quick", "--lab", LAB_DIR],
            Self::Probe => &["probe"],
            Self::Demo => &["demo"],
            Self::Bench => &["bench", "--quick"],
        }
    }
}

/// The lab while the tests need it. It is removed when this value is dropped, unless it was up before.
struct Lab {
    ours: bool,
}

impl Lab {
    fn up(workspace: &Workspace) -> Result<Self> {
        let status = cmd!(workspace.sh, "bash xtask/lab/status.sh").env("LAB_DIR", LAB_DIR).quiet();
        let was_up = status.ignore_stdout().ignore_stderr().run().is_ok();
        // The value is made before the lab is up, so that a lab that comes up only partly is removed as well.
        let lab = Self { ours: !was_up };
        task(&["lab", "--dir", LAB_DIR, "up"])?;
        Ok(lab)
    }

    fn down(mut self) -> Result {
        if std::mem::take(&mut self.ours) { task(&["lab", "--dir", LAB_DIR, "down"]) } else { Ok(()) }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.ours {
            eprintln!("removing the lab");
            _ = task(&["lab", "--dir", LAB_DIR, "down"]);
        }
    }
}
