//! What a replayed trace prints otherwise than the node itself would.

use regex::{Captures, Regex};
use std::sync::LazyLock;

/// The trace with the names of ports in place of the datapath's numbers, which the private switch gave out anew.
pub(super) fn with_port_names(trace: &str, ports: &[(u32, String)]) -> String {
    // A number that stands for itself is a port to send to; and the ports of a tunnel.
    static OUTPUT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(^|[,(]|tnl_port\(|out_port\()(\d+)\b").expect("a constant expression")
    });
    static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(meter|l4|l4_sym|recirc|ct_clear|hash)\($").expect("a constant expression")
    });
    let mut text = String::with_capacity(trace.len());
    for line in trace.lines() {
        match line.split_once("Datapath actions: ") {
            Some(("", actions)) => {
                let named = OUTPUT.replace_all(actions, |found: &Captures<'_>| {
                    let whole = found.get(0);
                    let (start, end) = whole.map_or((0, 0), |it| (it.start(), it.end()));
                    let before = found.get(1).map_or("", |it| it.as_str());
                    let number = found.get(2).map_or("", |it| it.as_str());
                    let upto = actions.get(..start + before.len()).unwrap_or_default();
                    let alone =
                        actions.get(end..).is_none_or(|rest| rest.is_empty() || rest.starts_with([',', ')']));
                    let port = ports.iter().find(|(known, _)| number.parse() == Ok(*known));
                    match port {
                        Some((_, name)) if alone && !NUMBERED.is_match(upto) => format!("{before}{name}"),
                        _ => format!("{before}{number}"),
                    }
                });
                text += "Datapath actions: ";
                text += &named;
            }
            _ => text += line,
        }
        text.push('\n');
    }
    text
}

/// Where the kernel tunnels, a private switch would do it itself, and has nothing to do it with: what it says of that is left
/// out. Was there any?
pub(super) fn through_kernel_tunnels(trace: &mut String) -> bool {
    let native = "-> output to native tunnel";
    if !trace.contains(native) {
        return false;
    }
    let own = [
        "-> tunneling to ",
        "-> tunneling from ",
        "-> neighbor cache miss ",
        ">> native tunnel routing failed",
    ];
    let lines = trace.lines().filter(|line| !own.iter().any(|words| line.trim_start().starts_with(words)));
    *trace = lines.map(|line| line.replace(native, "-> output to kernel tunnel") + "\n").collect();
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_ports_become_names_and_no_others() {
        let ports =
            [(1, "eth0".into()), (7, "be8591970f3d04e".into()), (100, "br-ex".into()), (3, "x".into())];
        for (printed, named) in [
            ("Datapath actions: 7", "Datapath actions: be8591970f3d04e"),
            (
                "Datapath actions: ct(commit,zone=3,mark=0/0x1,nat(src)),recirc(0x1)",
                "Datapath actions: ct(commit,zone=3,mark=0/0x1,nat(src)),recirc(0x1)",
            ),
            ("Datapath actions: 1,100", "Datapath actions: eth0,br-ex"),
            (
                "Datapath actions: sample(sample=100.0%,actions(meter(3),userspace(pid=0))),drop",
                "Datapath actions: sample(sample=100.0%,actions(meter(3),userspace(pid=0))),drop",
            ),
            ("Datapath actions: hash(l4(1)),recirc(1)", "Datapath actions: hash(l4(1)),recirc(1)"),
            (
                "Datapath actions: clone(tnl_push(tnl_port(7),header(size=58,type=5),out_port(100)),1)",
                "Datapath actions: clone(tnl_push(tnl_port(be8591970f3d04e),header(size=58,type=5),out_port(br-ex)),eth0)",
            ),
            ("    output:7", "    output:7"),
            ("Datapath actions: 42", "Datapath actions: 42"),
        ] {
            assert_eq!(with_port_names(printed, &ports), format!("{named}\n"));
        }
    }

    #[test]
    fn the_kernels_tunnels() {
        let mut trace =
            "output:1\n -> output to native tunnel\n>> native tunnel routing failed\nFinal flow: x\n"
                .to_owned();
        assert!(through_kernel_tunnels(&mut trace));
        assert_eq!(trace, "output:1\n -> output to kernel tunnel\nFinal flow: x\n");
        assert!(!through_kernel_tunnels(&mut "drop\n".to_owned()));
    }
}
