//! The commands that this layer may run. mcp-core reads the databases without commands of this layer.

use mcp_core::{
    Argv, Db, argv,
    argv::{
        AllowedPrograms, CtState, OvnExpression, Program, TraceForm, Verb,
        WordPart::{self, Operand, Text},
    },
};
use ovsdb::Uuid;

const fn verb(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only }
}

/// The commands that are allowed.
pub(crate) const ALLOW: AllowedPrograms = AllowedPrograms(&[APPCTL, VSCTL, TRACE, LIMITED_TRACE]);

const APPCTL: Program = Program {
    name: "ovn-appctl",
    // Without a time limit, ovn-appctl waits forever for a daemon that hangs.
    globals: &["--timeout=10"],
    verbs: &[
        verb(&["ct-zone-list"], "ovn-controller(8): lists each local logical entity and its zone"),
        verb(&["connection-status"], "ovn-controller(8): shows the state of the connection"),
        verb(&["debug/status"], "prints `running` or `paused`"),
        verb(&["--target=ovn-northd", "status"], "ovn-northd(8): prints active, standby or paused"),
        verb(
            &["--target=ovn-northd", "nb-connection-status"],
            "ovn-northd(8): shows the state of the connection",
        ),
        verb(
            &["--target=ovn-northd", "sb-connection-status"],
            "ovn-northd(8): shows the state of the connection",
        ),
        verb(
            &["--target=/var/run/ovn/ovnnb_db.ctl", "cluster/status", "OVN_Northbound"],
            "ovsdb-server(1): prints the server's status within the cluster",
        ),
        verb(
            &["--target=/var/run/ovn/ovnsb_db.ctl", "cluster/status", "OVN_Southbound"],
            "ovsdb-server(1): prints the server's status within the cluster",
        ),
    ],
};

const VSCTL: Program = Program {
    name: "ovs-vsctl",
    globals: &["--timeout=10"],
    verbs: &[verb(&["list", "bridge"], "ovs-vsctl(8): lists the data of each record")],
};

/// The arguments of ovn-trace: the output format, the conntrack state at each of four steps (more than a packet needs
/// in one zone), a datapath and a microflow.
const TRACE_OPERANDS: &[&[WordPart]] = &[
    &[Text("--"), Operand("trace-form")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Operand("uuid")],
    &[Operand("ovn-expression")],
];

const READS: &str = "ovn-trace(8): simulates a packet with the content of the southbound database";

const TRACE: Program = Program {
    name: "ovn-trace",
    globals: &[],
    verbs: &[Verb {
        words: &["--no-leader-only"],
        options: &[],
        operands: TRACE_OPERANDS,
        reads_only: READS,
    }],
};

/// Runs ovn-trace with a memory limit, because it needs tens of gigabytes for the database of a large cluster.
const LIMITED_TRACE: Program = Program {
    name: "prlimit",
    globals: &["--as=6000000000"],
    verbs: &[Verb {
        words: &["ovn-trace", "--no-leader-only"],
        options: &[],
        operands: TRACE_OPERANDS,
        reads_only: READS,
    }],
};

/// Lists the conntrack zones that ovn-controller assigned.
pub(crate) fn ct_zone_list() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "ct-zone-list")
}

/// Lists the bridges, whose `external_ids` hold the conntrack zones.
pub(crate) fn list_bridges() -> Argv {
    argv!(ALLOW: "ovs-vsctl", "--timeout=10", "list", "bridge")
}

/// Shows whether ovn-controller is connected to the southbound database.
pub(crate) fn controller_connection() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "connection-status")
}

/// Shows whether ovn-controller is running or paused.
pub(crate) fn controller_state() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "debug/status")
}

/// Shows whether ovn-northd is active, standby or paused.
pub(crate) fn northd_status() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "status")
}

/// Shows whether ovn-northd is connected to a database.
pub(crate) fn northd_connection(db: Db) -> Argv {
    match db {
        Db::Sb => argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "sb-connection-status"),
        _ => argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "nb-connection-status"),
    }
}

/// Shows the status of a clustered database's server within its cluster.
pub(crate) fn cluster_status(db: Db) -> Argv {
    match db {
        Db::Sb => {
            argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=/var/run/ovn/ovnsb_db.ctl", "cluster/status", "OVN_Southbound")
        }
        _ => {
            argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=/var/run/ovn/ovnnb_db.ctl", "cluster/status", "OVN_Northbound")
        }
    }
}

/// A run of ovn-trace.
pub(crate) struct Trace<'a> {
    pub(crate) form: TraceForm,
    /// The state at each conntrack step, in order.
    pub(crate) ct: [CtState; 4],
    pub(crate) datapath: Uuid,
    pub(crate) microflow: &'a OvnExpression,
}

impl Trace<'_> {
    /// Returns the command with a memory limit.
    pub(crate) fn limited(&self) -> Argv {
        let Self { form, ct: [first, second, third, fourth], datapath, microflow } = *self;
        argv!(ALLOW: "prlimit", "--as=6000000000", "ovn-trace", "--no-leader-only", {"--", form: TraceForm},
            {"--ct=", first: CtState}, {"--ct=", second: CtState}, {"--ct=", third: CtState},
            {"--ct=", fourth: CtState}, {datapath: Uuid}, {microflow: OvnExpression})
    }

    /// Returns the command without a memory limit, for containers that lack prlimit(1).
    pub(crate) fn unlimited(&self) -> Argv {
        let Self { form, ct: [first, second, third, fourth], datapath, microflow } = *self;
        argv!(ALLOW: "ovn-trace", "--no-leader-only", {"--", form: TraceForm},
            {"--ct=", first: CtState}, {"--ct=", second: CtState}, {"--ct=", third: CtState},
            {"--ct=", fourth: CtState}, {datapath: Uuid}, {microflow: OvnExpression})
    }
}
