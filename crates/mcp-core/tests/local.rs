//! Tests the local backend with real programs: what they print, how they fail, and that they do not outlive their call.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on, fails")]

use mcp_core::{
    AreaState, Backend, CommandPlace, CommandTarget, DataArea, Db, LocalBackend, LocalNode, ReadError, argv,
    argv::{AllowedPrograms, Argv, Program, Verb, WordPart::Operand},
};
use std::time::{Duration, Instant};

const fn verb(words: &'static [&'static str]) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only: "a test" }
}

const ALLOW: AllowedPrograms = AllowedPrograms(&[
    Program {
        name: "sleep",
        globals: &[],
        verbs: &[Verb { words: &[], options: &[], operands: &[&[Operand("number")]], reads_only: "a test" }],
    },
    Program {
        name: "cat",
        globals: &[],
        verbs: &[verb(&["/proc/sys/kernel/hostname"]), verb(&["/does/not/exist"])],
    },
    Program { name: "env", globals: &[], verbs: &[verb(&[])] },
    Program { name: "yes", globals: &[], verbs: &[verb(&[])] },
    Program { name: "no-such-program", globals: &[], verbs: &[verb(&[])] },
]);

fn local(pid: Option<u32>) -> (LocalBackend, CommandTarget) {
    let node: LocalNode = match pid {
        Some(pid) => format!("here={pid}").parse().unwrap(),
        None => LocalNode::this_host().unwrap(),
    };
    let name = match pid {
        Some(_) => "here".to_owned(),
        None => std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_lowercase(),
    };
    let target = CommandTarget::new(name.parse().unwrap(), CommandPlace::Host, Duration::from_secs(1));
    (LocalBackend::new(vec![node]), target)
}

async fn run(pid: Option<u32>, argv: Argv) -> Result<String, ReadError> {
    let (local, at) = local(pid);
    let read = local.command(&at, &argv).await?;
    assert_eq!(read.origin.what, argv.to_string());
    assert!(read.origin.when.is_some());
    Ok(String::from_utf8(read.value.stdout).unwrap())
}

#[tokio::test]
async fn a_command_runs_here_and_in_the_namespaces_of_a_process() {
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for pid in [None, Some(std::process::id())] {
        let argv = argv!(ALLOW: "cat", "/proc/sys/kernel/hostname");
        assert_eq!(run(pid, argv).await.unwrap(), hostname);
    }
}

#[tokio::test]
async fn the_environment_is_cleared() {
    let text = run(None, argv!(ALLOW: "env")).await.unwrap();
    let mut names: Vec<&str> =
        text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["LC_ALL", "PATH"]);
}

#[tokio::test]
async fn a_failure_keeps_its_message_and_differs_from_a_missing_program() {
    for pid in [None, Some(std::process::id())] {
        let error = run(pid, argv!(ALLOW: "cat", "/does/not/exist")).await.unwrap_err();
        assert!(
            matches!(&error, ReadError::Failed { status: 1, stderr, .. } if stderr.contains("No such file")),
            "{error}"
        );
        let error = run(pid, argv!(ALLOW: "no-such-program")).await.unwrap_err();
        assert!(
            matches!(&error, ReadError::NoProgram { program, .. } if program == "no-such-program"),
            "{error}"
        );
    }
}

/// Counts processes that sleep for this number of seconds, which no other test uses.
fn sleepers(seconds: u32) -> usize {
    let is = |entry: std::fs::DirEntry| {
        let cmdline = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        cmdline.ends_with(format!("sleep\0{seconds}\0").as_bytes())
    };
    std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|entry| entry.path().join("cmdline").exists())
        .map(is)
        .filter(|is| *is)
        .count()
}

#[tokio::test]
async fn a_command_that_takes_too_long_is_killed() {
    for (pid, seconds) in [(None, 86_411), (Some(std::process::id()), 86_412)] {
        let started = Instant::now();
        let error = run(pid, argv!(ALLOW: "sleep", {seconds: u32})).await.unwrap_err();
        assert!(matches!(error, ReadError::TimedOut { seconds: 1, printed: 0, .. }), "{error}");
        assert!(started.elapsed() < Duration::from_secs(5));
        gone(seconds).await;
    }
}

#[tokio::test]
async fn an_aborted_call_kills_its_program() {
    let seconds = 86_413;
    let call = tokio::spawn(run(Some(std::process::id()), argv!(ALLOW: "sleep", {seconds: u32})));
    while sleepers(seconds) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    call.abort();
    gone(seconds).await;
}

async fn gone(seconds: u32) {
    let started = Instant::now();
    while sleepers(seconds) > 0 {
        assert!(started.elapsed() < Duration::from_secs(5), "the program still runs");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn endless_output_is_an_error_and_does_not_fill_memory() {
    let (local, at) = local(None);
    let at = CommandTarget { within: Duration::from_secs(120), ..at };
    let error = local.command(&at, &argv!(ALLOW: "yes")).await.unwrap_err();
    assert!(matches!(error, ReadError::TooLarge { .. }), "{error}");
}

#[tokio::test]
async fn an_unknown_node_and_a_missing_pid_file_are_errors() {
    let (local, at) = local(None);
    let other = CommandTarget { node: "other".parse().unwrap(), ..at };
    let argv = argv!(ALLOW: "env");
    assert!(matches!(local.command(&other, &argv).await, Err(ReadError::NotCollected { .. })));
    let gone = LocalBackend::new(vec!["here=/does/not/exist/pid".parse().unwrap()]);
    let at = CommandTarget { node: "here".parse().unwrap(), ..other };
    let error = gone.command(&at, &argv).await.unwrap_err();
    assert!(error.to_string().contains("/does/not/exist/pid, the PID file of here"), "{error}");
    let error = gone.rows(&at, Db::Nb, &[ovsdb::Select::from("NB_Global")]).await.unwrap_err();
    assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
}

#[test]
fn invalid_node_arguments_are_rejected() {
    for text in ["", "here", "here=", "here=x", "=1", "HERE=1", "here=-1", "here=../pid", "a b=1"] {
        assert!(text.parse::<LocalNode>().is_err(), "{text:?}");
    }
    for text in ["here=1", "a.b-c=4194304", "here=/run/pid"] {
        assert!(text.parse::<LocalNode>().is_ok(), "{text:?}");
    }
}

/// An area counts as live only if its database server answers.
#[tokio::test]
async fn coverage_says_which_servers_answer() {
    let (local, at) = local(Some(std::process::id()));
    let coverage = local.coverage().await.unwrap();
    for (area, socket) in [
        (DataArea::Northbound, "/var/run/ovn/ovnnb_db.sock"),
        (DataArea::Southbound, "/var/run/ovn/ovnsb_db.sock"),
        (DataArea::OpenVSwitch, "/var/run/openvswitch/db.sock"),
        (DataArea::Dataplane, "/var/run/openvswitch/db.sock"),
    ] {
        let answers = std::os::unix::net::UnixStream::connect(socket).is_ok();
        let held = coverage.of(&at.node, area).unwrap();
        assert_eq!(held.state == AreaState::Live, answers, "{area}: {held:?}");
        assert_eq!(held.details.is_empty(), answers, "{area}: {held:?}");
    }
    assert_eq!(coverage.of(&at.node, DataArea::Kernel).map(|held| held.state), Some(AreaState::Live));
}
