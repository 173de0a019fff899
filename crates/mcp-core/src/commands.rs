//! The commands that core itself runs: asking a live database server, and which interface leads to which pod.

use crate::{
    Db, argv,
    argv::{Allow, Argv, OvsdbQuery, Part::Operand, Program, Verb},
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

/// What core may run.
pub const ALLOW: Allow = Allow(&[OVSDB_CLIENT, IP]);

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
