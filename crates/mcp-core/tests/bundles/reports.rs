//! Tests with sosreports of all versions: the paths of databases, the names of reports, and the paths of outputs.

use crate::{
    common::*,
    layouts::{coverage, opened},
};
use mcp_core::{
    AreaState, Backend, DataArea, Db, argv,
    argv::{AllowedPrograms, Program, Verb},
};

/// The paths are those of upstream, OpenShift, distributions and manual installations.
#[test]
fn databases_are_found_wherever_a_node_keeps_them() {
    let database = database();
    for (path, area) in [
        ("etc/openvswitch/conf.db", DataArea::OpenVSwitch),
        ("etc/origin/openvswitch/conf.db", DataArea::OpenVSwitch),
        ("usr/local/etc/openvswitch/conf.db", DataArea::OpenVSwitch),
        ("var/lib/openvswitch/conf.db", DataArea::OpenVSwitch),
        ("var/lib/openvswitch/ovnnb_db.db", DataArea::Northbound),
        ("var/lib/openvswitch/ovnsb_db.db", DataArea::Southbound),
        ("etc/ovn/ovnnb_db.db", DataArea::Northbound),
        ("var/lib/ovn/ovnnb_db.db", DataArea::Northbound),
        ("var/lib/ovn/etc/ovnsb_db.db", DataArea::Southbound),
        ("var/lib/ovn-ic/etc/ovnnb_db.db", DataArea::Northbound),
        ("var/lib/ovn-ic/etc/ovnsb_db.db", DataArea::Southbound),
    ] {
        let top = "sosreport-node-1-2026-01-01-abcdefg";
        let (_dir, bundle) = opened(&[
            (&format!("{top}/etc/hostname"), b"node-1\n"),
            (&format!("{top}/sos_commands/host/date"), b"x\n"),
            (&format!("{top}/{path}"), &database),
        ]);
        let said = coverage(&bundle);
        let held = said.of(&"node-1".parse().unwrap(), area).unwrap();
        assert_eq!(
            (held.state, held.details.as_slice()),
            (AreaState::Present, &[path.to_owned()][..]),
            "{said}"
        );
    }
}

/// The host's own files name the host first. The folder comes last, because its name differs between versions.
#[tokio::test]
async fn a_report_belongs_to_the_host_that_it_names() {
    let none: &[(&str, &str)] = &[];
    for (folder, files, node) in [
        ("sosreport-node-1-2026-01-01-abcdefg", none, "node-1"),
        ("sosreport-node-1-label-0123456-2026-01-01-abcdefg-obfuscated", none, "node-1-label-0123456"),
        ("sosreport-node-1-20210101120000", none, "node-1"),
        ("sosreport-node-1.example.com-2021-01-01-abcdefg", none, "node-1.example.com"),
        ("case/unpacked", &[("etc/hostname", "Node-1\n")], "node-1"),
        ("case/unpacked", &[("sos_commands/host/hostname", "node-1\n")], "node-1"),
        ("case/unpacked", &[("sos_commands/host/hostname_-f", "node-1.example.com\n")], "node-1.example.com"),
        (
            "case/unpacked",
            &[(
                "sos_commands/openvswitch/ovs-vsctl_-t_5_list_Open_vSwitch",
                "external_ids : {hostname=node-1, system-id=\"c\"}\n",
            )],
            "node-1",
        ),
    ] {
        let mut all = vec![(format!("{folder}/sos_commands/host/date"), b"x\n".as_slice())];
        all.extend(files.iter().map(|(name, text)| (format!("{folder}/{name}"), text.as_bytes())));
        let all: Vec<(&str, &[u8])> = all.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let (_dir, bundle) = opened(&all);
        let nodes = bundle.nodes().await.unwrap();
        assert_eq!(nodes.iter().map(|node| node.as_str()).collect::<Vec<_>>(), [node], "{folder}");
    }
}

const ALLOW: AllowedPrograms = AllowedPrograms(&[Program {
    name: "ovs-ofctl",
    globals: &[],
    verbs: &[Verb {
        words: &["dump-flows", "br-int"],
        options: &[],
        operands: &[],
        reads_only: "ovs-ofctl(8): prints flow entries",
    }],
}]);

/// An output above the size limit is in `sos_strings`, behind a link. A program from a snap has the name of the snap in
/// front. Outputs from a container do not belong to the host.
#[tokio::test]
async fn outputs_are_found_where_sos_puts_them() {
    let top = "sosreport-node-1-2026-01-01-abcdefg";
    let report = || Tar::empty().file(&format!("{top}/etc/hostname"), b"node-1\n");
    let flows = "cookie=0x0, table=0 actions=drop\n";
    let name = "ovs-ofctl_dump-flows_br-int";
    let tailed = format!("sos_strings/openvswitch/{name}.tailed");
    for (what, tar) in [
        (
            "tailed",
            report().file(&format!("{top}/{tailed}"), flows.as_bytes()).link(
                &format!("{top}/sos_commands/openvswitch/{name}"),
                tar::EntryType::Symlink,
                &format!("../../{tailed}"),
            ),
        ),
        (
            "in a snap",
            report().file(
                &format!("{top}/sos_commands/openvswitch/openstack-hypervisor.{name}"),
                flows.as_bytes(),
            ),
        ),
        (
            "next to the output of a container",
            report()
                .file(&format!("{top}/sos_containers/ovs/sos_commands/openvswitch/{name}"), b"another\n")
                .file(&format!("{top}/sos_commands/openvswitch/{name}"), flows.as_bytes()),
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("report.tar.xz");
        std::fs::write(&path, tar.xz()).unwrap();
        let bundle = mcp_core::Bundle::new(vec![path]);
        let asked = argv!(ALLOW: "ovs-ofctl", "dump-flows", "br-int");
        let read = bundle.command(&at("node-1", Db::OpenVSwitch), &asked).await;
        let text = read.map(|read| String::from_utf8(read.value.stdout).unwrap()).map_err(|e| chain(&e));
        assert_eq!(text.as_deref(), Ok(flows), "{what}");
    }
}
