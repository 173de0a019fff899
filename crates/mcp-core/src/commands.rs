//! The commands that core itself runs: reading a live database server, journals and files, and finding the processes
//! of a pod.

use crate::{
    Db, argv,
    argv::{
        AllowedPrograms, Argv, CallMark, OvsdbQuery, PodUid, Program, SystemdUnit, Verb,
        WordPart::{self, Operand, Text},
    },
};

const QUERY: &str = "ovsdb-client(1): `query` appends an abort to the transaction, so it changes nothing; \
                     the operand can contain only `select`";
const SCHEMA: &str = "ovsdb-client(1): `get-schema` prints the schema";

const fn query(socket_and_db: &'static [&'static str]) -> Verb {
    Verb { words: socket_and_db, options: &[], operands: &[&[Operand("ovsdb-query")]], reads_only: QUERY }
}

const fn schema(words: &'static [&'static str]) -> Verb {
    Verb { words, options: &[], operands: &[], reads_only: SCHEMA }
}

const END: &str = "ends only this server's own command: no other process has its mark on the command line";
const CAT: &str = "cat(1): prints a file";
const FIND: &str = "find(1), grep(1): print which files contain a text";

const fn cat(file: &'static [&'static str]) -> Verb {
    Verb { words: file, options: &[], operands: &[], reads_only: CAT }
}

/// The commands that core may run.
pub const ALLOW: AllowedPrograms =
    AllowedPrograms(&[OVSDB_CLIENT, IP, PKILL, CAT_FILE, FIND_PROCESSES, JOURNALCTL]);

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

/// The program that ends a cancelled command in its container.
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

/// Finds the processes of a pod by their control groups.
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

const JOURNAL: &str = "journalctl(1): prints entries, unless an option such as --rotate, --vacuum-*, --flush or --sync asks for \
                       something else";

const fn journal(operands: &'static [&'static [WordPart]]) -> Verb {
    Verb {
        words: &["--no-pager", "--utc", "--output=short-iso-precise"],
        options: &[],
        operands,
        reads_only: JOURNAL,
    }
}

const SINCE: &[WordPart] = &[Text("--since=@"), Operand("number")];
const LINES: &[WordPart] = &[Text("--lines="), Operand("number")];
const UNIT: &[WordPart] = &[Text("--unit="), Operand("systemd-unit")];
const OF_KERNEL: &[WordPart] = &[Text("_TRANSPORT=kernel")];

/// Reads the host's journal of one unit or of the kernel.
const JOURNALCTL: Program = Program {
    name: "journalctl",
    globals: &[],
    verbs: &[
        journal(&[UNIT]),
        journal(&[SINCE, UNIT]),
        journal(&[LINES, UNIT]),
        journal(&[OF_KERNEL]),
        journal(&[SINCE, OF_KERNEL]),
        journal(&[LINES, OF_KERNEL]),
    ],
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

/// Lists the network interfaces, each with the namespace of its peer.
pub(crate) fn links() -> Argv {
    argv!(ALLOW: "ip", "-s", "-d", "link")
}

/// Ends a cancelled command.
pub(crate) fn end_call(mark: &CallMark) -> Argv {
    argv!(ALLOW: "pkill", "-TERM", "-f", {mark: CallMark})
}

/// Lists the processes of a pod on a node, as files below /proc.
pub(crate) fn processes_of_pod(uid: &PodUid) -> Argv {
    argv!(ALLOW: "find", "/proc", "-mindepth", "2", "-maxdepth", "2", "-name", "cgroup", "-exec", "grep", "-l", "-s",
        "-e", {uid: PodUid}, "{}", "+")
}

/// The part of a journal to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JournalPart {
    /// The whole journal.
    All,
    /// The entries from a second of the epoch on.
    Since(u32),
    /// The last lines, by their number. Together with `--since`, journalctl would print the first lines.
    Last(u32),
}

/// Reads the journal of a unit, or of the kernel if `unit` is `None`. Times are in UTC and have years.
pub(crate) fn journal_of(unit: Option<SystemdUnit>, part: JournalPart) -> Argv {
    match (unit, part) {
        (Some(unit), JournalPart::All) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise",
                {"--unit=", unit: SystemdUnit})
        }
        (Some(unit), JournalPart::Since(since)) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise", {"--since=@", since: u32},
                {"--unit=", unit: SystemdUnit})
        }
        (Some(unit), JournalPart::Last(lines)) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise", {"--lines=", lines: u32},
                {"--unit=", unit: SystemdUnit})
        }
        (None, JournalPart::All) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise", "_TRANSPORT=kernel")
        }
        (None, JournalPart::Since(since)) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise", {"--since=@", since: u32},
                "_TRANSPORT=kernel")
        }
        (None, JournalPart::Last(lines)) => {
            argv!(ALLOW: "journalctl", "--no-pager", "--utc", "--output=short-iso-precise", {"--lines=", lines: u32},
                "_TRANSPORT=kernel")
        }
    }
}

/// Returns the paths where the known packages keep the files of a database.
pub(crate) fn database_files(db: Db) -> &'static [&'static str] {
    match db {
        Db::Nb => &["/etc/ovn/ovnnb_db.db", "/var/lib/ovn/ovnnb_db.db", "/var/lib/openvswitch/ovnnb_db.db"],
        Db::Sb => &["/etc/ovn/ovnsb_db.db", "/var/lib/ovn/ovnsb_db.db", "/var/lib/openvswitch/ovnsb_db.db"],
        Db::OpenVSwitch => &["/etc/openvswitch/conf.db", "/var/lib/openvswitch/conf.db"],
    }
}

/// Returns the commands that print the file of a database, one for each possible path.
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

/// Reads rows from a live database server.
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

/// Reads the schema from a live database server. The schema of a client may be older and would hide columns.
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
