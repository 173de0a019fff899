//! Commands that this layer's table does not allow: every known way to change something with a listed program.

use std::panic;

fn is_allowed(command: &str) -> bool {
    mcp_core::argv::is_allowed(mcp_capture::layer().allow, command)
}

/// The words of a command are separated by `|`, and `{interface}` stands for an operand.
#[test]
fn no_command_that_changes_anything_is_allowed() {
    // The check panics for each refused command, as it does in the compiler. The hook suppresses these messages.
    panic::set_hook(Box::new(|_| {}));
    const CAPTURE: &str = "tcpdump|-n|-p|-U|--immediate-mode|--time-stamp-precision=nano|-w|-|--interface={interface}|\
                           --snapshot-length={number}|-c{number}";
    let capture = |more: &str| format!("{CAPTURE}{more}");
    let refused = [
        // tcpdump(8): options that write or read a file, run a program, change the user, or end at the size of a file.
        "tcpdump|-n|-p|-U|--immediate-mode|--time-stamp-precision=nano|-w|/tmp/x|--interface={interface}|\
         --snapshot-length={number}|-c{number}"
            .to_owned(),
        "tcpdump|-n|-w|/tmp/x".into(),
        "tcpdump|-i|eth0".into(),
        "tcpdump|-r|/etc/shadow".into(),
        "tcpdump|-F|/etc/shadow".into(),
        "tcpdump|-V|/etc/shadow".into(),
        "tcpdump|-n|-p|-U|--immediate-mode|--time-stamp-precision=nano|-w|-|--interface={interface}".into(),
        capture("|-z|/tmp/x"),
        capture("|-G|1"),
        capture("|-C|1"),
        capture("|-W|1"),
        capture("|-Z|root"),
        capture("|-F|/etc/shadow"),
        capture("|-r|/etc/shadow"),
        capture("|-I"),
        capture("|{capture-filter}"),
        capture("|--|{capture-filter}|{capture-filter}"),
        capture("|--|{interface}"),
        capture("|--|tcp"),
        capture("|--|{capture-filter}|-w|/tmp/x"),
        // ovs-appctl(8)
        "ovs-appctl|--timeout=10|dpctl/flush-conntrack".into(),
        "ovs-appctl|--timeout=10|dpctl/del-flows".into(),
        "ovs-appctl|exit".into(),
        "ovs-appctl|-t|/tmp/x.ctl|dpctl/dump-conntrack".into(),
        // pwru: options that write a file, read other memory, attach elsewhere, or have no limit.
        "pwru|--output-file|/tmp/x|--|{capture-filter}".into(),
        "pwru|--output-json|--|{capture-filter}".into(),
        "pwru|--all-kmods|--|{capture-filter}".into(),
        "pwru|--kmods=x|--|{capture-filter}".into(),
        "pwru|--output-json|--output-limit-lines={number}|--|{capture-filter}".into(),
        "pwru|--filter-skb-expr|skb->mark == 1".into(),
        "pwru|--kernel-btf|/etc/shadow".into(),
        // Programs that are not listed.
        "tshark|-w|/tmp/x".into(),
        "dumpcap|-i|eth0".into(),
        "ovs-tcpdump|-i|eth0".into(),
        "sh|-c|true".into(),
    ];
    for command in refused {
        assert!(!is_allowed(&command), "{command}");
    }
    for command in
        [capture(""), capture("|--|{capture-filter}"), "ovs-appctl|--timeout=10|dpctl/dump-conntrack".into()]
    {
        assert!(is_allowed(&command), "{command}");
    }
}
