//! The commands that core itself runs: asking a live database server, and which interface leads to which pod.

use crate::{
    Db, argv,
    argv::{
        Allow, Argv, CallMark, OvsdbQuery,
        Part::{Operand, Text},
        PodUid, Program, Verb,
    },
};

const QUERY: &str = "ovsdb-client(1): `query` appends an abort to the transaction, so nothing in it can last; \
                     and the operand can hold `select` only";
const SCHEMA: &str = "ovsdb-client(1): `get-schema` prints the schema";

const fn query(socket_and_db: &'static [&'static str]) -> Verb {
    Verb { words: socket_and_db, options: &[], operands: &[&[Operand("ovsdb-query")]], reads_only: QUERY }
}

const fn schema(words: &'static [&'static str]) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only: SCHEMA }
}

const END: &str = "ends this server's own command: no other process has its mark on the command line";
const CAT: &str = "cat(1): prints a file";
const FIND: &str = "find(1), grep(1): print which files hold a text";

const fn cat(file: &'static [&'static str]) -> Verb {
    Verb { words: file, options: &[], operands: &[], reads_only: CAT }
}

/// What core may run.
pub const ALLOW: Allow = Allow(&[OVSDB_CLIENT, IP, PKILL, CAT_FILE, FIND_PROCESSES]);

const IP: Program = Program {
    name: "ip",
    globals: &["-s", "-d"],
    verbs: &[Verb {
        words: &["link"],
        options: &[],
        operands: &[],
        reads_only: "ip-link(8): without a command it shows all devices",
    }],
};

/// By which a command that was cancelled is ended in its container.
const PKILL: Program = Program {
    name: "pkill",
    globals: &[],
    verbs: &[Verb {
        words: &["-TERM", "-f"],
        options: &[],
        operands: &[&[Operand("call-mark")]],
        reads_only: END,
    }],
};

const CAT_FILE: Program = Program {
    name: "cat",
    globals: &[],
    verbs: &[
        cat(&["/etc/ovn/ovnnb_db.db"]),
        cat(&["/var/lib/ovn/ovnnb_db.db"]),
        cat(&["/var/lib/openvswitch/ovnnb_db.db"]),
        cat(&["/etc/ovn/ovnsb_db.db"]),
        cat(&["/var/lib/ovn/ovnsb_db.db"]),
        cat(&["/var/lib/openvswitch/ovnsb_db.db"]),
        cat(&["/etc/openvswitch/conf.db"]),
        cat(&["/var/lib/openvswitch/conf.db"]),
    ],
};

/// The processes of a pod, by their control groups.
const FIND_PROCESSES: Program = Program {
    name: "find",
    globals: &[],
    verbs: &[Verb {
        words: &[
            "/proc",
            "-mindepth",
            "2",
            "-maxdepth",
            "2",
            "-name",
            "cgroup",
            "-exec",
            "grep",
            "-l",
            "-s",
            "-e",
        ],
        options: &[],
        operands: &[&[Operand("pod-uid")], &[Text("{}")], &[Text("+")]],
        reads_only: FIND,
    }],
};

const OVSDB_CLIENT: Program = Program {
    name: "ovsdb-client",
    globals: &[],
    verbs: &[
        query(&["query", "unix:/var/run/ovn/ovnnb_db.sock"]),
        query(&["query", "unix:/var/run/ovn/ovnsb_db.sock"]),
        query(&["query", "unix:/var/run/openvswitch/db.sock"]),
        schema(&["get-schema", "unix:/var/run/ovn/ovnnb_db.sock", "OVN_Northbound"]),
        schema(&["get-schema", "unix:/var/run/ovn/ovnsb_db.sock", "OVN_Southbound"]),
        schema(&["get-schema", "unix:/var/run/openvswitch/db.sock", "Open_vSwitch"]),
    ],
};

/// The network interfaces, each with the namespace at its other end.
pub(crate) fn links() -> Argv {
    argv!(ALLOW: "ip", "-s", "-d", "link")
}

/// Ends a command that nobody waits for any more.
pub(crate) fn end_call(mark: &CallMark) -> Argv {
    argv!(ALLOW: "pkill", "-TERM", "-f", {mark: CallMark})
}

/// The processes of a pod on a node, as files below /proc.
pub(crate) fn processes_of_pod(uid: &PodUid) -> Argv {
    argv!(ALLOW: "find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cgroup", "-exec", "grep", "-l", "-s",
        "-e", {uid: PodUid}, "{}", "+")
}

/// Where the servers of the known packagings keep the files of a database.
pub(crate) fn database_files(db: Db) -> &'static [&'static str] {
    match db {
        Db::Nb => &["/etc/ovn/ovnnb_db.db", "/var/lib/ovn/ovnnb_db.db", "/var/lib/openvswitch/ovnnb_db.db"],
        Db::Sb => &["/etc/ovn/ovnsb_db.db", "/var/lib/ovn/ovnsb_db.db", "/var/lib/openvswitch/ovnsb_db.db"],
        Db::OpenVSwitch => &["/etc/openvswitch/conf.db", "/var/lib/openvswitch/conf.db"],
    }
}

/// The file of a database, wherever it may be.
pub(crate) fn print_database(db: Db) -> Vec<Argv> {
    match db {
        Db::Nb => vec![
            argv!(ALLOW: "cat", "/etc/ovn/ovnnb_db.db"),
            argv!(ALLOW: "cat", "/var/lib/ovn/ovnnb_db.db"),
            argv!(ALLOW: "cat", "/var/lib/openvswitch/ovnnb_db.db"),
        ],
        Db::Sb => vec![
            argv!(ALLOW: "cat", "/etc/ovn/ovnsb_db.db"),
            argv!(ALLOW: "cat", "/var/lib/ovn/ovnsb_db.db"),
            argv!(ALLOW: "cat", "/var/lib/openvswitch/ovnsb_db.db"),
        ],
        Db::OpenVSwitch => vec![
            argv!(ALLOW: "cat", "/etc/openvswitch/conf.db"),
            argv!(ALLOW: "cat", "/var/lib/openvswitch/conf.db"),
        ],
    }
}

/// Rows of a database, as its server has them.
pub(crate) fn query_rows(db: Db, query: &OvsdbQuery) -> Argv {
    match db {
        Db::Nb => {
            argv!(ALLOW: "ovsdb-client", "query", "unix:/var/run/ovn/ovnnb_db.sock", {query: OvsdbQuery})
        }
        Db::Sb => {
            argv!(ALLOW: "ovsdb-client", "query", "unix:/var/run/ovn/ovnsb_db.sock", {query: OvsdbQuery})
        }
        Db::OpenVSwitch => {
            argv!(ALLOW: "ovsdb-client", "query", "unix:/var/run/openvswitch/db.sock", {query: OvsdbQuery})
        }
    }
}

/// The schema that a server uses: a client's own may be older and would hide columns.
pub(crate) fn get_schema(db: Db) -> Argv {
    match db {
        Db::Nb => {
            argv!(ALLOW: "ovsdb-client", "get-schema", "unix:/var/run/ovn/ovnnb_db.sock", "OVN_Northbound")
        }
        Db::Sb => {
            argv!(ALLOW: "ovsdb-client", "get-schema", "unix:/var/run/ovn/ovnsb_db.sock", "OVN_Southbound")
        }
        Db::OpenVSwitch => {
            argv!(ALLOW: "ovsdb-client", "get-schema", "unix:/var/run/openvswitch/db.sock", "Open_vSwitch")
        }
    }
}
