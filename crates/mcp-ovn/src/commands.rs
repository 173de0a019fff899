//! What this layer may run. Rows of databases are core's to read.

use mcp_core::{
    Argv, Db, argv,
    argv::{
        Allow, CtState, OvnExpression,
        Part::{self, Operand, Text},
        Program, TraceForm, Verb,
    },
};
use ovsdb::Uuid;

const fn verb(words: &'static [&'static str], reads_only: &'static str) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only }
}

/// The table.
pub(crate) const ALLOW: Allow = Allow(&[APPCTL, VSCTL, TRACE, LIMITED_TRACE]);

const APPCTL: Program = Program {
    name: "ovn-appctl",
    // A daemon that hangs would keep its client waiting for ever.
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

/// What ovn-trace is asked: how much it tells, what conntrack says at each of four steps (more than a packet takes on
/// its way through a zone), a datapath and a microflow.
const TRACED: &[&[Part]] = &[
    &[Text("--"), Operand("trace-form")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Text("--ct="), Operand("ct-state")],
    &[Operand("uuid")],
    &[Operand("ovn-expression")],
];

const READS: &str = "ovn-trace(8): simulates a packet on what it reads from the southbound database";

const TRACE: Program = Program {
    name: "ovn-trace",
    globals: &[],
    verbs: &[Verb { words: &["--no-leader-only"], options: &[], operands: TRACED, reads_only: READS }],
};

/// ovn-trace parses each flow of each datapath and needs tens of gigabytes for a large cluster's database.
const LIMITED_TRACE: Program = Program {
    name: "prlimit",
    globals: &["--as=6000000000"],
    verbs: &[Verb {
        words: &["ovn-trace", "--no-leader-only"],
        options: &[],
        operands: TRACED,
        reads_only: READS,
    }],
};

/// The conntrack zones that ovn-controller gave out.
pub(crate) fn ct_zone_list() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "ct-zone-list")
}

/// The bridges, whose external_ids keep the conntrack zones.
pub(crate) fn list_bridges() -> Argv {
    argv!(ALLOW: "ovs-vsctl", "--timeout=10", "list", "bridge")
}

/// Is ovn-controller connected to the southbound database?
pub(crate) fn controller_connection() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "connection-status")
}

/// Does ovn-controller run, or is it paused?
pub(crate) fn controller_state() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "debug/status")
}

/// Is ovn-northd active, on standby or paused?
pub(crate) fn northd_status() -> Argv {
    argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "status")
}

/// Is ovn-northd connected to a database?
pub(crate) fn northd_connection(db: Db) -> Argv {
    match db {
        Db::Sb => argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "sb-connection-status"),
        _ => argv!(ALLOW: "ovn-appctl", "--timeout=10", "--target=ovn-northd", "nb-connection-status"),
    }
}

/// The place of a clustered database's server in its cluster.
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

/// The way of a packet through a zone.
pub(crate) struct Trace<'a> {
    pub(crate) form: TraceForm,
    /// At each step through conntrack, in turn.
    pub(crate) ct: [CtState; 4],
    pub(crate) datapath: Uuid,
    pub(crate) microflow: &'a OvnExpression,
}

impl Trace<'_> {
    /// With a limit on its memory.
    pub(crate) fn limited(&self) -> Argv {
        let Self { form, ct: [first, second, third, fourth], datapath, microflow } = *self;
        argv!(ALLOW: "prlimit", "--as=6000000000", "ovn-trace", "--no-leader-only", {"--", form: TraceForm},
            {"--ct=", first: CtState}, {"--ct=", second: CtState}, {"--ct=", third: CtState},
            {"--ct=", fourth: CtState}, {datapath: Uuid}, {microflow: OvnExpression})
    }

    /// Without, for containers that lack prlimit(1).
    pub(crate) fn unlimited(&self) -> Argv {
        let Self { form, ct: [first, second, third, fourth], datapath, microflow } = *self;
        argv!(ALLOW: "ovn-trace", "--no-leader-only", {"--", form: TraceForm},
            {"--ct=", first: CtState}, {"--ct=", second: CtState}, {"--ct=", third: CtState},
            {"--ct=", fourth: CtState}, {datapath: Uuid}, {microflow: OvnExpression})
    }
}
