//! The table of commands that this layer may run, and functions that build each command.

use mcp_core::{
    Argv, argv,
    argv::{
        AllowedPrograms, CaptureFilter, InterfaceName, Program, PwruFunctions, Verb,
        WordPart::{self, Operand, Text},
    },
};

/// The table of allowed commands.
pub(crate) const ALLOW: AllowedPrograms = AllowedPrograms(&[TCPDUMP, OVS_APPCTL, PWRU]);

/// Why tcpdump(8) only reads. It writes the packets to standard output, resolves no names, and leaves the interface as
/// it is (`-p`: not promiscuous). The options that write
/// or read a file, run a program or stop only at a size of a file (`-w FILE`, `-r`, `-F`, `-V`, `-z`, `-C`, `-G`, `-W`)
/// cannot be expressed. After `--` everything is the filter, which is one word.
const CAPTURES: &str = "tcpdump(8): `-w -` writes packets to standard output, -c ends after a number of packets; the filter \
                        follows `--` and is parsed before";

const INTERFACE: &[WordPart] = &[Text("--interface="), Operand("interface")];
const SNAP_LENGTH: &[WordPart] = &[Text("--snapshot-length="), Operand("number")];
const PACKETS: &[WordPart] = &[Text("-c"), Operand("number")];

const fn tcpdump(operands: &'static [&'static [WordPart]]) -> Verb {
    Verb {
        words: &["-n", "-p", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-w", "-"],
        options: &[],
        operands,
        reads_only: CAPTURES,
    }
}

const TCPDUMP: Program = Program {
    name: "tcpdump",
    globals: &[],
    verbs: &[
        tcpdump(&[INTERFACE, SNAP_LENGTH, PACKETS]),
        tcpdump(&[INTERFACE, SNAP_LENGTH, PACKETS, &[Text("--")], &[Operand("capture-filter")]]),
    ],
};

const OVS_APPCTL: Program = Program {
    name: "ovs-appctl",
    globals: &["--timeout=10"],
    verbs: &[Verb {
        words: &["dpctl/dump-conntrack"],
        options: &[],
        operands: &[],
        reads_only: "ovs-dpctl(8): prints the connections that are tracked",
    }],
};

/// Why pwru only reads. It attaches programs to functions of the kernel, which the kernel removes when pwru ends, and
/// prints events to standard output. The options that write a file (`--output-file`), read memory of the caller's
/// choice (`--filter-skb-expr`, `--output-skb-metadata`) or attach to modules of the caller's choice (`--kmods`)
/// cannot be expressed.
const PROBES: &str = "pwru: records calls of a fixed set of functions of the kernel and ends after a number of events; the filter \
                      follows `--` and is parsed before";

const PWRU: Program = Program {
    name: "pwru",
    globals: &[],
    verbs: &[Verb {
        words: &[
            "--output-json",
            "--output-tcp-flags",
            "--output-stack",
            "--output-caller",
            "--output-netns-names",
            "--timestamp=current",
        ],
        options: &[],
        operands: &[
            &[Text("--filter-func="), Operand("pwru-functions")],
            &[Text("--output-limit-lines="), Operand("number")],
            &[Text("--")],
            &[Operand("capture-filter")],
        ],
        reads_only: PROBES,
    }],
};

/// Records packets in the kernel, as one JSON object for each event.
pub(crate) fn pwru(functions: PwruFunctions, filter: &CaptureFilter, events: u32) -> Argv {
    argv!(ALLOW: "pwru", "--output-json", "--output-tcp-flags", "--output-stack", "--output-caller",
        "--output-netns-names", "--timestamp=current", {"--filter-func=", functions: PwruFunctions},
        {"--output-limit-lines=", events: u32}, "--", {filter: CaptureFilter})
}

/// Captures packets on an interface, in the format pcap on standard output.
pub(crate) fn tcpdump_on(
    interface: &InterfaceName,
    filter: Option<&CaptureFilter>,
    snap_length: u32,
    packets: u32,
) -> Argv {
    match filter {
        None => {
            argv!(ALLOW: "tcpdump", "-n", "-p", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-w", "-",
            {"--interface=", interface: InterfaceName}, {"--snapshot-length=", snap_length: u32}, {"-c", packets: u32})
        }
        Some(filter) => {
            argv!(ALLOW: "tcpdump", "-n", "-p", "-U", "--immediate-mode", "--time-stamp-precision=nano", "-w", "-",
            {"--interface=", interface: InterfaceName}, {"--snapshot-length=", snap_length: u32}, {"-c", packets: u32},
            "--", {filter: CaptureFilter})
        }
    }
}

/// Lists the connections of the datapath, which show how OVN translated addresses.
pub(crate) fn connections() -> Argv {
    argv!(ALLOW: "ovs-appctl", "--timeout=10", "dpctl/dump-conntrack")
}
