//! Compares the results of this crate with the real programs and the kernel, in network namespaces.
//!
//! The tests need root, ip(8), nft(8) and iptables(8). `HOST_NET_CASES` sets the number of cases of each test (default
//! 200) and `HOST_NET_SEED` the seed of the random generator. The default seed is fixed, so that every run checks the
//! same cases; longer runs take other seeds. Each test prints both values, so that a failure can be repeated.

mod filters;
mod random;
mod routes;

use std::{
    io::Write,
    process::{Command, Stdio},
};

/// Returns the number of cases and the seed.
fn cases() -> (u64, u64) {
    let cases = environment("HOST_NET_CASES").unwrap_or(200);
    let seed = environment("HOST_NET_SEED").unwrap_or(1);
    eprintln!("HOST_NET_SEED={seed} HOST_NET_CASES={cases} repeats this");
    (cases, seed)
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is not a number: {value}")))
}

/// Runs a script in a new network namespace. Returns its output, split into the sections that the script names.
fn in_namespace(script: &str) -> Vec<(String, String)> {
    #[expect(clippy::disallowed_methods, reason = "a test asks the kernel")]
    let mut child = Command::new("unshare")
        .args(["--net", "bash", "-s"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("unshare(1), which needs root");
    let mut input = child.stdin.take().expect("a pipe");
    let script = script.to_owned();
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().expect("an output");
    writer.join().expect("no panic").expect("the script is read");
    assert!(output.status.success(), "the namespace: {}", output.status);
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        match (line.strip_prefix("### "), sections.last_mut()) {
            (Some(name), _) => sections.push((name.to_owned(), String::new())),
            (None, Some((_, text))) => *text += &format!("{line}\n"),
            (None, None) => {}
        }
    }
    sections
}
