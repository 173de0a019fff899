//! A server that reads an archive leaves no files in the temporary directory, however it ends.

use mcp_testing::{Failed, testdata};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::Stdio,
};

#[test]
fn nothing_is_left_behind() -> Result<(), Failed> {
    for end in ["end of input", "SIGTERM", "SIGKILL"] {
        let temporary = tempfile::tempdir()?;
        #[expect(clippy::disallowed_methods, reason = "a test runs the server")]
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_mcp-ovn"));
        let bundle = testdata().join("capture/must-gather.tar.xz");
        command.arg(format!("--bundle={}", bundle.display())).env("TMPDIR", temporary.path());
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut input = server.stdin.take().ok_or("no input")?;
        let mut output = BufReader::new(server.stdout.take().ok_or("no output")?).lines();
        let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"test","version":"1"}}}"#;
        let ready = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
        let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"ovn_nbctl_show","arguments":{"node_name":"ovn-worker","of":"join"}}}"#;
        writeln!(input, "{hello}\n{ready}\n{call}")?;
        output.next().ok_or("no answer to initialize")??;
        let answer = output.next().ok_or("no answer")??;
        assert!(answer.contains("jtor-GR_ovn-worker"), "{answer}");
        // The directory is empty while the server runs, because the temporary file has no name.
        assert_eq!(fs::read_dir(temporary.path())?.count(), 0, "before {end}");
        let files = fs::read_dir(format!("/proc/{}/fd", server.id()))?;
        let open = files.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        assert_eq!(
            open.filter(|file| file.starts_with(temporary.path())).count(),
            1,
            "the server must hold one temporary file open"
        );
        match end {
            "SIGKILL" => server.kill()?,
            "SIGTERM" => {
                #[expect(clippy::disallowed_methods, reason = "a test ends the server that it started")]
                let mut kill = std::process::Command::new("kill");
                assert!(kill.arg(server.id().to_string()).status()?.success());
            }
            _ => drop(input),
        }
        server.wait()?;
        assert_eq!(fs::read_dir(temporary.path())?.count(), 0, "after {end}");
    }
    Ok(())
}
