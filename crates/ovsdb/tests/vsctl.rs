//! Compares what this crate prints for a switch configuration with the output of the real `ovs-vsctl`, which also
//! writes it.

mod common;

use std::fs;

use common::{Server, stdout};
use ovsdb::{Database, Listing, Rows, Select, print};

#[test]
fn a_switch_configuration_is_printed_like_ovs_vsctl() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("conf.db");
    stdout("ovsdb-tool", &["create", file.to_str().unwrap(), "/usr/share/openvswitch/vswitch.ovsschema"]);
    let server = Server::start(dir.path(), &file);
    let socket = server.socket();
    let vsctl = |words: &str| {
        let words: Vec<&str> = ["--no-wait", "--db", &socket].into_iter().chain(words.split(' ')).collect();
        stdout("ovs-vsctl", &words)
    };
    vsctl("init");
    vsctl("set Open_vSwitch . ovs_version=3.1.0 external_ids:hostname=node-1");
    vsctl("add-br br-int -- set bridge br-int fail_mode=secure datapath_type=netdev");
    vsctl("add-br br-ex -- add-port br-ex eth0 -- set port eth0 tag=7 trunks=[1,2]");
    vsctl(
        "add-port br-int ovn-1 -- set interface ovn-1 type=geneve options:remote_ip=192.0.2.1 options:key=flow",
    );
    vsctl("add-bond br-ex bond0 eth1 eth2");
    vsctl("set-controller br-int unix:/x tcp:127.0.0.1");
    vsctl("set-manager ptcp:6640");
    let database = Database::open(fs::read(&file).unwrap()).unwrap();
    let rows: Vec<Rows> =
        print::show_selects(print::OVS_SHOW).iter().map(|select| database.select(select).unwrap()).collect();
    assert_eq!(print::show(print::OVS_SHOW, &rows), vsctl("show"));
    for table in &database.schema().tables {
        let rows = database.select(&Select::from(table.name.as_str())).unwrap();
        let (ours, theirs) = (print::list(&rows, None), vsctl(&format!("list {}", table.name)));
        let records = |list: &str| {
            let mut records: Vec<String> = list.trim_end().split("\n\n").map(str::to_owned).collect();
            records.sort();
            records
        };
        assert_eq!(records(&ours), records(&theirs), "{}", table.name);
        let listing = Listing::parse("Open_vSwitch", &table.name, &theirs);
        assert_eq!(listing.other, Vec::<String>::new());
        assert_eq!(
            records(&print::list(&listing.rows, None)),
            records(&theirs),
            "{} after parsing the printed list",
            table.name
        );
    }
}
