//! Reads OVSDB databases from files and from live servers, and prints them as the real clients do.
//!
//! A [`Select`] asks for the rows of one table. A [`Database`] (a northbound, southbound or `conf.db` file, standalone
//! or clustered) answers it, or a live server, with the text for `ovsdb-client query` ([`wire`]). Both return the same
//! [`Rows`], and [`mod@print`] prints them as `ovn-nbctl`, `ovn-sbctl` and `ovs-vsctl` do. The schema always comes with
//! the data, so columns of any version can be read. This crate cannot write to a database: [`NewFile`] only creates the
//! bytes of a new one.
//!
//! ```
//! use ovsdb::{Condition, Database, Op, Select, print};
//!
//! let database = Database::open(std::fs::read("../../testdata/ovsdb/example.db")?)?;
//! let table = database.schema().find_table("Logical_Switch")?;
//! let select = Select::from(table.name.as_str()).filter(Condition::parse(table, "name", Op::Eq, "join")?);
//! let rows = database.select(&select)?;
//! assert_eq!(rows.rows.first().and_then(|row| row.map_get("other_config", "subnet")), Some("100.64.0.0/16"));
//! assert_eq!(
//!     print::list(&rows, Some(&["name", "other_config"])),
//!     "name                : join\nother_config        : {subnet=\"100.64.0.0/16\"}\n",
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod condition;
mod datum;
mod decode;
mod file;
mod listing;
mod nearest;
mod row;
mod schema;
mod select;
mod text;
mod uuid;

pub mod print;
pub mod wire;

pub use condition::{Condition, ConditionError, Op, ParseOpError};
pub use datum::{Atom, AtomType, Datum};
pub use file::{
    ChangeKind, ChangedRow, Clustered, Damage, DamageReason, Database, FileFormat, NewFile, OpenError,
    RowChange, Transaction,
};
pub use listing::Listing;
pub use nearest::nearest_first;
pub use row::{Problem, Row, Rows};
pub use schema::{
    BaseType, ColumnSchema, ColumnType, RefType, Schema, SchemaError, TableSchema, UnknownColumn,
    UnknownTable,
};
pub use select::{Select, SelectError};
pub use uuid::{ParseUuidError, Uuid};
