//! Tests private workshops with real programs: what they return, how they fail, and that they leave nothing behind.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on, fails")]

use mcp_core::{
    PrivateError, Workshop,
    argv::{
        Allow,
        Part::{Operand, Text},
        PrivateAllow, PrivateArgv, PrivatePath, Program, Verb,
    },
    private_argv,
};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

const fn verb(words: &'static [&'static str]) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only: "a test" }
}

const fn of_paths(
    words: &'static [&'static str],
    operands: &'static [&'static [mcp_core::argv::Part]],
) -> Verb {
    Verb { words, options: &[], operands, reads_only: "a test" }
}

const PRIVATE: PrivateAllow = PrivateAllow(Allow(&[
    Program { name: "cat", globals: &[], verbs: &[of_paths(&[], &[&[Operand("private-path")]])] },
    Program { name: "env", globals: &[], verbs: &[verb(&[])] },
    Program { name: "pwd", globals: &[], verbs: &[verb(&[])] },
    Program { name: "yes", globals: &[], verbs: &[verb(&[])] },
    // Both verbs run until they are killed, and their command line contains the name of their directory.
    Program {
        name: "tail",
        globals: &["-f"],
        verbs: &[of_paths(&[], &[&[Operand("private-path")]]), verb(&["/dev/zero"])],
    },
    Program {
        name: "ovsdb-server",
        globals: &[],
        verbs: &[of_paths(
            &[],
            &[
                &[Operand("private-path")],
                &[Text("--remote=punix:"), Operand("private-path")],
                &[Text("--unixctl="), Operand("private-path")],
            ],
        )],
    },
]));

const LONG: Duration = Duration::from_secs(60);

fn workshop() -> Workshop {
    Workshop::open(LONG, Workshop::MEMORY).unwrap()
}

fn directory(workshop: &Workshop) -> PathBuf {
    workshop.path("x").unwrap().as_path().parent().unwrap().to_owned()
}

fn follow(path: &PrivatePath) -> PrivateArgv {
    private_argv!(PRIVATE: "tail", "-f", {path: PrivatePath})
}

/// Counts the processes, except zombies, whose command lines contain the name of a directory.
fn working_in(directory: &Path) -> usize {
    let name = directory.to_str().unwrap();
    let alive = |dir: &Path| fs::read_to_string(dir.join("cmdline")).is_ok_and(|line| line.contains(name));
    fs::read_dir("/proc").unwrap().flatten().filter(|entry| alive(&entry.path())).count()
}

/// Waits until a condition is true, and fails after a time limit.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < LONG, "waited too long for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[tokio::test]
async fn a_program_runs_in_a_directory_of_its_own() {
    use std::os::unix::fs::PermissionsExt;
    let workshop = workshop();
    let directory = directory(&workshop);
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    let file = workshop.path("a.txt").unwrap();
    workshop.write(&file, "hello\n").await.unwrap();
    let output = workshop.run(&private_argv!(PRIVATE: "cat", {file: PrivatePath})).await.unwrap();
    assert_eq!((output.stdout.as_slice(), output.status), (&b"hello\n"[..], Some(0)));
    let output = workshop.run(&private_argv!(PRIVATE: "pwd")).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap().trim(), directory.to_str().unwrap());
    let output = workshop.run(&private_argv!(PRIVATE: "env")).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap();
        assert!(["PATH", "LC_ALL"].contains(&name) || Path::new(value) == directory, "{line}");
    }
    assert!(text.contains("OVS_RUNDIR=") && text.contains("HOME="), "{text}");
    drop(workshop);
    assert!(!directory.exists());
}

#[tokio::test]
async fn failures_are_told_apart() {
    let workshop = workshop();
    let nothing = workshop.path("nothing").unwrap();
    let error = workshop.run(&private_argv!(PRIVATE: "cat", {nothing: PrivatePath})).await.unwrap_err();
    assert!(
        matches!(&error, PrivateError::Failed { status: 1, stderr, .. } if stderr.contains("No such file")),
        "{error}"
    );
    let error = workshop.run(&private_argv!(PRIVATE: "yes")).await.unwrap_err();
    assert!(matches!(error, PrivateError::TooLarge { .. }), "{error}");
    let error = Workshop::need("no-such-program", "nothing").unwrap_err();
    assert_eq!(error.to_string(), "no-such-program is not installed where this server runs");
    Workshop::need("cat", "coreutils").unwrap();
    assert!(matches!(workshop.path("../etc").unwrap_err(), PrivateError::Path { .. }));
}

#[tokio::test]
async fn a_program_has_a_memory_limit() {
    let workshop = Workshop::open(LONG, 200_000_000).unwrap();
    // tail(1) keeps a line without an end in memory.
    let error = workshop.run(&private_argv!(PRIVATE: "tail", "/dev/zero")).await.unwrap_err();
    assert!(matches!(error, PrivateError::Memory { limit: 200_000_000, .. }), "{error}");
    assert_eq!(error.to_string(), "tail needs more memory than its limit of 200000000 bytes");
}

#[tokio::test]
async fn a_program_that_takes_too_long_is_killed() {
    let workshop = Workshop::open(Duration::from_millis(300), Workshop::MEMORY).unwrap();
    let directory = directory(&workshop);
    let file = workshop.path("a.txt").unwrap();
    workshop.write(&file, "").await.unwrap();
    let error = workshop.run(&follow(&file)).await.unwrap_err();
    assert!(matches!(error, PrivateError::TimedOut { .. }), "{error}");
    until("the end of tail", || working_in(&directory) == 0);
}

#[tokio::test]
async fn a_dropped_call_leaves_nothing_behind() {
    let workshop = workshop();
    let directory = directory(&workshop);
    let call = tokio::spawn(async move {
        let file = workshop.path("a.txt")?;
        workshop.write(&file, "").await?;
        workshop.run(&follow(&file)).await
    });
    while working_in(&directory) == 0 {
        assert!(!call.is_finished());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    assert!(!directory.exists());
    until("the end of tail", || working_in(&directory) == 0);
}

#[tokio::test]
async fn a_daemon_runs_as_long_as_its_workshop() {
    let mut workshop = workshop();
    let directory = directory(&workshop);
    let [file, socket, control] = ["a.db", "a.sock", "a.ctl"].map(|name| workshop.path(name).unwrap());
    let serve = private_argv!(PRIVATE: "ovsdb-server", {file: PrivatePath}, {"--remote=punix:", socket: PrivatePath},
        {"--unixctl=", control: PrivatePath});
    let error = workshop.start(&serve, &socket).await.unwrap_err();
    assert!(
        matches!(&error, PrivateError::Failed { stderr, .. } if stderr.contains("No such file or directory")),
        "{error}"
    );

    let mut workshop = self::workshop();
    let other = self::directory(&workshop);
    let [file, socket, control] = ["a.db", "a.sock", "a.ctl"].map(|name| workshop.path(name).unwrap());
    let database = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/ovsdb/example.db");
    workshop.write(&file, fs::read(database).unwrap()).await.unwrap();
    let serve = private_argv!(PRIVATE: "ovsdb-server", {file: PrivatePath}, {"--remote=punix:", socket: PrivatePath},
        {"--unixctl=", control: PrivatePath});
    workshop.start(&serve, &socket).await.unwrap();
    assert!(socket.as_path().exists());
    until("the start of ovsdb-server", || working_in(&other) == 1);
    drop(workshop);
    assert!(!other.exists());
    until("the end of ovsdb-server", || working_in(&other) == 0);
    assert!(directory != other);
}

/// Holds a workshop with a program in it until it is killed. `a_killed_server_leaves_nothing_behind` runs this test in
/// its own process. Run by itself, the test only checks that the workshop and the program exist.
#[tokio::test]
async fn a_workshop_is_held_until_its_process_is_killed() {
    let mut workshop = workshop();
    let [file, out] = ["a.txt", "tail-0.err"].map(|name| workshop.path(name).unwrap());
    workshop.write(&file, "").await.unwrap();
    workshop.start(&follow(&file), &out).await.unwrap();
    let directory = directory(&workshop);
    until("the start of tail", || working_in(&directory) == 1);
    assert!(directory.exists());
    if std::env::var_os("HOLD").is_some() {
        println!("held {}", directory.display());
        tokio::time::sleep(LONG).await;
    }
}

#[test]
fn a_killed_server_leaves_nothing_behind() {
    for signal in ["KILL", "TERM"] {
        #[expect(clippy::disallowed_methods, reason = "a test needs a server that it can kill")]
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let arguments = ["--exact", "a_workshop_is_held_until_its_process_is_killed", "--nocapture"];
        let mut server = command.args(arguments).env("HOLD", "1").stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let held = |line: String| line.split_once("held ").map(|(_, path)| PathBuf::from(path));
        let directory = lines.map_while(Result::ok).find_map(held).unwrap();
        until("the start of tail", || working_in(&directory) == 1);
        // The owner of the directory is alive, so no other process may remove it.
        Workshop::sweep();
        assert!(directory.exists());
        #[expect(clippy::disallowed_methods, reason = "a test kills the server that it started")]
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args(["-s", signal, &server.id().to_string()]).status().unwrap().success());
        server.wait().unwrap();
        until("the end of tail by the kernel", || working_in(&directory) == 0);
        assert!(directory.exists(), "no process was left to remove the directory");
        Workshop::sweep();
        assert!(!directory.exists());
    }
}
