//! Tests that commands are answered from the recorded outputs of a sosreport.

use crate::common::*;
use mcp_core::{
    Argv, Backend, Bundle, CommandPlace, CommandTarget, ReadError, argv,
    argv::{AllowedPrograms, Program, Verb},
};
use std::time::Duration;

const fn verb(words: &'static [&'static str]) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only: "it prints" }
}

const ALLOW: AllowedPrograms = AllowedPrograms(&[
    Program {
        name: "ovn-appctl",
        globals: &["--timeout=10"],
        verbs: &[
            verb(&["ct-zone-list"]),
            verb(&["connection-status"]),
            verb(&["--target=ovn-northd", "status"]),
        ],
    },
    Program { name: "ovs-ofctl", globals: &[], verbs: &[verb(&["dump-flows", "br-int"])] },
    Program { name: "ovs-appctl", globals: &[], verbs: &[verb(&["bfd/show"]), verb(&["coverage/show"])] },
    Program { name: "ovs-vsctl", globals: &[], verbs: &[verb(&["list", "bridge"]), verb(&["show"])] },
    Program { name: "netstat", globals: &[], verbs: &[verb(&["-s"])] },
]);

fn at(node: &str) -> CommandTarget {
    CommandTarget::new(node.parse().unwrap(), CommandPlace::Host, Duration::from_secs(60))
}

fn report(manifest: Option<&str>) -> (tempfile::TempDir, Bundle) {
    let dir = tempfile::tempdir().unwrap();
    let commands = "sos_commands/openvswitch";
    unpacked(
        dir.path(),
        &[
            ("etc/hostname", b"node-1\n"),
            (
                &format!("{commands}/ovs-appctl_-t_.var.run.ovn-ic.ovn-controller.7.ctl_ct-zone-list"),
                b"join_dnat 3\n",
            ),
            (
                &format!("{commands}/ovn-appctl_-t_.var.run.ovn.ovn-northd._.ctl_status"),
                b"no such file: ovn-northd.*.ctl",
            ),
            (&format!("{commands}/ovs-vsctl_-t_5_show"), b"half of it"),
            (&format!("{commands}/ovs-vsctl_-t_5_list_bridge"), b"ovs-vsctl: database connection failed\n"),
            (&format!("{commands}/ovs-ofctl_dump-flows_br-int"), b"the end of it"),
            (&format!("{commands}/ovs-appctl_bfd.show"), b""),
        ],
    );
    if let Some(manifest) = manifest {
        unpacked(dir.path(), &[("sos_reports/manifest.json", manifest.as_bytes())]);
    }
    let bundle = Bundle::new(vec![dir.path().into()]);
    (dir, bundle)
}

fn manifest() -> String {
    let command = |exec: &str, file: &str, status: i32, truncated: bool| {
        let path =
            if file.is_empty() { "null".into() } else { format!("\"sos_commands/openvswitch/{file}\"") };
        format!(
            "{{\"exec\":\"{exec}\",\"filepath\":{path},\"return_code\":{status},\"truncated\":{truncated},\
             \"start_time\":1795336840.94}}"
        )
    };
    let commands = [
        command(
            "ovs-appctl -t /var/run/ovn-ic/ovn-controller.7.ctl ct-zone-list",
            "ovs-appctl_-t_.var.run.ovn-ic.ovn-controller.7.ctl_ct-zone-list",
            0,
            false,
        ),
        command(
            "ovn-appctl -t /var/run/ovn/ovn-northd.*.ctl status",
            "ovn-appctl_-t_.var.run.ovn.ovn-northd._.ctl_status",
            1,
            false,
        ),
        command("ovs-vsctl -t 5 show", "ovs-vsctl_-t_5_show", 124, false),
        command("ovs-vsctl -t 5 list bridge", "ovs-vsctl_-t_5_list_bridge", 1, false),
        command("ovs-ofctl dump-flows br-int", "ovs-ofctl_dump-flows_br-int", 0, true),
        command("ovs-appctl bfd/show", "ovs-appctl_bfd.show", 0, false),
        command("ovs-appctl coverage/show", "ovs-appctl_coverage.show", 0, false),
        command("netstat -s", "", 127, false),
    ];
    format!(
        "{{\"components\":{{\"report\":{{\"plugins\":{{\"openvswitch\":{{\"command_timeout\":30,\"commands\":[{}]}}}}}}}}}}",
        commands.join(",")
    )
}

async fn text(bundle: &Bundle, argv: &Argv) -> (String, Vec<String>) {
    let read = bundle.command(&at("node-1"), argv).await.unwrap();
    (String::from_utf8(read.value.stdout).unwrap(), read.notes)
}

#[tokio::test]
async fn commands_are_found_by_the_manifest() {
    let (_dir, bundle) = report(Some(&manifest()));
    let ask = |argv: Argv| {
        let bundle = &bundle;
        async move { bundle.command(&at("node-1"), &argv).await }
    };
    let zones = ask(argv!(ALLOW: "ovn-appctl", "--timeout=10", "ct-zone-list")).await.unwrap();
    assert_eq!((zones.value.stdout.as_slice(), zones.value.status), (&b"join_dnat 3\n"[..], Some(0)));
    assert_eq!(zones.origin.when.unwrap().to_string(), "2026-11-22T08:40:40Z");
    assert!(zones.notes.is_empty(), "{:?}", zones.notes);

    // Empty output is an answer.
    assert_eq!(text(&bundle, &argv!(ALLOW: "ovs-appctl", "bfd/show")).await.0, "");

    let (_, notes) = text(&bundle, &argv!(ALLOW: "ovs-ofctl", "dump-flows", "br-int")).await;
    assert!(notes.iter().any(|note| note.contains("has only the end of the output")), "{notes:?}");

    let failed = ask(argv!(ALLOW: "ovs-vsctl", "list", "bridge")).await.unwrap_err();
    assert!(
        matches!(&failed, ReadError::Failed { status: 1, stderr, .. } if stderr.contains("connection failed"))
    );

    let late = ask(argv!(ALLOW: "ovs-vsctl", "show")).await.unwrap_err();
    assert!(matches!(late, ReadError::TimedOut { seconds: 30, printed: 10, .. }));

    let no_program = ask(argv!(ALLOW: "netstat", "-s")).await.unwrap_err();
    assert!(matches!(&no_program, ReadError::NoProgram { program, .. } if program == "netstat"));

    // sos ran the command, but the output says nothing about the daemon.
    let northd = ask(argv!(ALLOW: "ovn-appctl", "--target=ovn-northd", "status")).await.unwrap_err();
    assert!(matches!(northd, ReadError::NotCollected { .. }));
    assert!(northd.to_string().contains("sos ran it with an unexpanded `*`"), "{northd}");

    let lost = ask(argv!(ALLOW: "ovs-appctl", "coverage/show")).await.unwrap_err().to_string();
    assert!(lost.contains("which is in the manifest, but whose output is not in the bundle"), "{lost}");

    let never = ask(argv!(ALLOW: "ovn-appctl", "connection-status")).await.unwrap_err();
    assert!(matches!(never, ReadError::NotCollected { why: None, .. }));
}

#[tokio::test]
async fn commands_are_found_by_the_names_of_files() {
    for broken in [None, Some("{")] {
        let (_dir, bundle) = report(broken);
        let (zones, notes) = text(&bundle, &argv!(ALLOW: "ovn-appctl", "--timeout=10", "ct-zone-list")).await;
        assert_eq!(zones, "join_dnat 3\n");
        assert!(notes.iter().any(|note| note.starts_with("it is not known whether `")), "{notes:?}");
    }
}

/// The real report has 943 outputs.
#[tokio::test]
async fn commands_are_found_in_a_real_report() {
    let bundle = Bundle::new(vec![testdata("capture/sosreport-ovn-worker-2026-11-22-olhriiu.tar.xz")]);
    let ask = |argv: Argv| {
        let bundle = &bundle;
        async move { bundle.command(&at("ovn-worker"), &argv).await }
    };
    let flows = ask(argv!(ALLOW: "ovs-ofctl", "dump-flows", "br-int")).await.unwrap();
    assert_eq!(flows.origin.what, "sos_commands/openvswitch/ovs-ofctl_dump-flows_br-int");
    assert!(flows.value.stdout.len() > 700_000);
    let bridges = ask(argv!(ALLOW: "ovs-vsctl", "list", "bridge")).await.unwrap();
    assert!(String::from_utf8(bridges.value.stdout).unwrap().contains("br-int"));
    let connection = ask(argv!(ALLOW: "ovn-appctl", "--timeout=10", "connection-status")).await.unwrap_err();
    assert!(connection.to_string().contains("sos ran it with an unexpanded `*`"), "{connection}");
    assert!(matches!(ask(argv!(ALLOW: "netstat", "-s")).await.unwrap_err(), ReadError::NoProgram { .. }));
}
