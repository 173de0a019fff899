//! The schema of a database: its tables, their columns and the types of columns (RFC 7047 section 3.2).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::nearest::nearest_first;
use crate::{Atom, AtomType, Datum};

/// A database's schema, from the first record of a file or the output of `ovsdb-client get-schema`.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The name of the database: `OVN_Northbound`, `OVN_Southbound`, `Open_vSwitch`.
    pub name: String,
    /// The version of the schema: `7.18.0`. Empty in schemas from before 2011.
    pub version: String,
    /// The checksum and length, `1537030958 45190`, if the schema has them.
    pub cksum: Option<String>,
    /// The tables, sorted by name.
    pub tables: Vec<Arc<TableSchema>>,
    /// The JSON text from which the schema was parsed.
    pub json: Arc<str>,
}

/// Compares schemas by their contents, because the same schema can be written in several ways.
impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        let of = |schema: &Self| (schema.name.clone(), schema.version.clone());
        of(self) == of(other) && self.tables == other.tables
    }
}

impl Eq for Schema {}

/// One table of a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableSchema {
    /// The name of the table: `Logical_Switch`.
    pub name: String,
    /// The columns, sorted by name, without the pseudo-columns `_uuid` and `_version`.
    pub columns: Vec<ColumnSchema>,
    /// Whether rows exist without a reference to them. A schema without any root table keeps all rows.
    pub is_root: bool,
    /// The largest number of rows, or `None` for no limit.
    pub max_rows: Option<u64>,
    /// The sets of columns whose values together are unique in the table.
    pub indexes: Vec<Vec<String>>,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// The name of the column: `external_ids`.
    pub name: String,
    /// The type of the column.
    pub ty: ColumnType,
    /// Whether the server keeps the column in memory only. Files never contain such a column (`ovsdb(5)`), so it has
    /// its default value in rows from a file.
    pub ephemeral: bool,
    /// Whether the column may change after the row was inserted.
    pub mutable: bool,
}

/// The type of a column: the type and the number of its elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// The type of elements, or of a map's keys.
    pub key: BaseType,
    /// The type of a map's values, or `None` for sets and scalars.
    pub value: Option<BaseType>,
    /// The smallest number of elements: 0 or 1.
    pub min: usize,
    /// The largest number of elements. `usize::MAX` stands for `"unlimited"`.
    pub max: usize,
}

/// The type of an element, key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseType {
    /// The atomic type.
    pub kind: AtomType,
    /// The allowed values, sorted. Empty if all values are allowed.
    pub allowed: Vec<Atom>,
    /// The table whose rows a UUID refers to.
    pub ref_table: Option<String>,
    /// The kind of reference, strong or weak.
    pub ref_type: RefType,
}

/// The kind of a reference (RFC 7047 section 3.2, `refType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefType {
    /// The row must exist, and cannot be deleted while a strong reference to it exists.
    #[default]
    Strong,
    /// The reference is removed when the row is deleted.
    Weak,
}

/// The text is not a schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// The text is not JSON.
    #[error("the schema is not JSON")]
    Json(#[source] serde_json::Error),
    /// A member is missing or of the wrong type.
    #[error("{path} of the schema must be {expected}")]
    Member {
        /// The path of the member: `tables.ACL.columns.match.type`.
        path: String,
        /// The expected kind of value.
        expected: &'static str,
    },
}

/// The schema has no such table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{database} has no table {name:?}; tables, most similar first: {}", known.join(", "))]
pub struct UnknownTable {
    /// The requested table.
    pub name: String,
    /// The name of the database.
    pub database: String,
    /// The tables that exist, most similar first.
    pub known: Vec<String>,
}

/// The table has no such column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table {table} has no column {name:?}; columns, most similar first: {}", known.join(", "))]
pub struct UnknownColumn {
    /// The requested column.
    pub name: String,
    /// The table.
    pub table: String,
    /// The columns that exist, most similar first.
    pub known: Vec<String>,
}

impl Schema {
    /// Parses the JSON text of a schema. Members that RFC 7047 does not name are ignored.
    ///
    /// # Errors
    /// The text is not JSON, or a required member is missing or has another type.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let json: Value = serde_json::from_str(text).map_err(SchemaError::Json)?;
        let members = object(&json, "top")?;
        let text_of = |name: &str| members.get(name).and_then(Value::as_str).map(str::to_owned);
        let tables = members.get("tables").unwrap_or(&Value::Null);
        let mut tables = object(tables, "tables")?
            .iter()
            .map(|(name, json)| TableSchema::from_json(name, json).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        tables.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            name: text_of("name").ok_or_else(|| member("name", "a string"))?,
            version: text_of("version").unwrap_or_default(),
            cksum: text_of("cksum"),
            tables,
            json: text.into(),
        })
    }

    /// Returns the table with exactly this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<TableSchema>> {
        self.tables.get(self.table_index(name)?)
    }

    pub(crate) fn table_index(&self, name: &str) -> Option<usize> {
        self.tables.binary_search_by(|table| table.name.as_str().cmp(name)).ok()
    }

    /// Finds a table by its name as a person writes it. Like in the clients, case does not matter and `-` stands for
    /// `_` (`ovn-nbctl(8)`, "Identifying Tables, Records, and Columns").
    ///
    /// # Errors
    /// No such table exists. The error contains the existing tables, most similar first.
    pub fn find_table(&self, name: &str) -> Result<&Arc<TableSchema>, UnknownTable> {
        self.table(name)
            .or_else(|| self.tables.iter().find(|table| same_name(&table.name, name)))
            .ok_or_else(|| self.unknown_table(name))
    }

    pub(crate) fn unknown_table(&self, name: &str) -> UnknownTable {
        UnknownTable {
            name: name.to_owned(),
            database: self.name.clone(),
            known: nearest_first(name, self.tables.iter().map(|table| table.name.as_str())),
        }
    }
}

impl TableSchema {
    fn from_json(name: &str, json: &Value) -> Result<Self, SchemaError> {
        let path = format!("tables.{name}");
        let members = object(json, &path)?;
        let path = format!("{path}.columns");
        let columns = members.get("columns").ok_or_else(|| member(&path, "an object"))?;
        let mut columns = object(columns, &path)?
            .iter()
            .map(|(name, json)| ColumnSchema::from_json(name, json, &format!("{path}.{name}")))
            .collect::<Result<Vec<_>, _>>()?;
        columns.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let indexes = members.get("indexes").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            name: name.to_owned(),
            columns,
            is_root: flag(members, "isRoot", false),
            max_rows: members.get("maxRows").and_then(Value::as_u64),
            indexes: indexes
                .filter_map(Value::as_array)
                .map(|index| index.iter().filter_map(Value::as_str).map(str::to_owned).collect())
                .collect(),
        })
    }

    /// Returns the column with exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.get(self.column_index(name)?)
    }

    pub(crate) fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.binary_search_by(|column| column.name.as_str().cmp(name)).ok()
    }

    /// Finds a column by its name as a person writes it, like [`Schema::find_table`].
    ///
    /// # Errors
    /// No such column exists. The error contains the existing columns, most similar first.
    pub fn find_column(&self, name: &str) -> Result<&ColumnSchema, UnknownColumn> {
        self.column(name)
            .or_else(|| self.columns.iter().find(|column| same_name(&column.name, name)))
            .ok_or_else(|| self.unknown_column(name))
    }

    pub(crate) fn unknown_column(&self, name: &str) -> UnknownColumn {
        UnknownColumn {
            name: name.to_owned(),
            table: self.name.clone(),
            known: nearest_first(name, self.columns.iter().map(|column| column.name.as_str())),
        }
    }
}

impl ColumnSchema {
    fn from_json(name: &str, json: &Value, path: &str) -> Result<Self, SchemaError> {
        let members = object(json, path)?;
        let ty = members.get("type").unwrap_or(&Value::Null);
        Ok(Self {
            name: name.to_owned(),
            ty: ColumnType::from_json(ty, &format!("{path}.type"))?,
            ephemeral: flag(members, "ephemeral", false),
            mutable: flag(members, "mutable", true),
        })
    }
}

impl ColumnType {
    fn from_json(json: &Value, path: &str) -> Result<Self, SchemaError> {
        // `"type": "string"` is short for `"type": {"key": "string"}` (RFC 7047 section 3.2, `<type>`).
        let Value::Object(members) = json else {
            return Ok(Self { key: BaseType::from_json(json, path)?, value: None, min: 1, max: 1 });
        };
        let count = |value: &Value| value.as_u64().and_then(|count| usize::try_from(count).ok());
        Ok(Self {
            key: BaseType::from_json(members.get("key").unwrap_or(&Value::Null), &format!("{path}.key"))?,
            value: members
                .get("value")
                .map(|value| BaseType::from_json(value, &format!("{path}.value")))
                .transpose()?,
            min: members.get("min").and_then(count).unwrap_or(1),
            max: match members.get("max") {
                None => 1,
                Some(Value::String(word)) if word == "unlimited" => usize::MAX,
                Some(max) => {
                    count(max).ok_or_else(|| member(&format!("{path}.max"), "a count or \"unlimited\""))?
                }
            },
        })
    }

    /// Returns true for a map.
    #[must_use]
    pub const fn is_map(&self) -> bool {
        self.value.is_some()
    }

    /// Returns true if the column contains exactly one atom.
    #[must_use]
    pub const fn is_scalar(&self) -> bool {
        self.value.is_none() && self.min == 1 && self.max == 1
    }

    /// Returns true if the column contains one atom or none.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        self.value.is_none() && self.min == 0 && self.max == 1
    }

    /// Returns the default value of the column (RFC 7047 section 5.2.1): empty if that is allowed, otherwise one
    /// element that is zero, false or empty.
    #[must_use]
    pub fn default_datum(&self) -> Datum {
        let zero = || Atom::default_of(self.key.kind);
        match (&self.value, self.min) {
            (None, 0) => Datum::Set(Vec::new()),
            (None, _) => Datum::Set(vec![zero()]),
            (Some(_), 0) => Datum::Map(Vec::new()),
            (Some(value), _) => Datum::Map(vec![(zero(), Atom::default_of(value.kind))]),
        }
    }
}

impl BaseType {
    pub(crate) const fn plain(kind: AtomType) -> Self {
        Self { kind, allowed: Vec::new(), ref_table: None, ref_type: RefType::Strong }
    }

    fn from_json(json: &Value, path: &str) -> Result<Self, SchemaError> {
        // `"key": "string"` is short for `"key": {"type": "string"}` (RFC 7047 section 3.2, `<base-type>`).
        let (kind, members) = match json {
            Value::Object(members) => (members.get("type").unwrap_or(&Value::Null), Some(members)),
            other => (other, None),
        };
        let mut base = Self::plain(match kind.as_str() {
            Some("integer") => AtomType::Integer,
            Some("real") => AtomType::Real,
            Some("boolean") => AtomType::Boolean,
            Some("string") => AtomType::String,
            Some("uuid") => AtomType::Uuid,
            _ => return Err(member(path, "an atomic type")),
        });
        if let Some(members) = members {
            base.ref_table = members.get("refTable").and_then(Value::as_str).map(str::to_owned);
            if members.get("refType").and_then(Value::as_str) == Some("weak") {
                base.ref_type = RefType::Weak;
            }
            if let Some(allowed) = members.get("enum") {
                let ty = ColumnType { key: Self::plain(base.kind), value: None, min: 0, max: usize::MAX };
                base.allowed = match crate::decode::from_value(allowed.clone(), &ty) {
                    (Some(Datum::Set(atoms)), None) => atoms,
                    _ => return Err(member(&format!("{path}.enum"), "a set of values of its type")),
                };
            }
        }
        Ok(base)
    }
}

fn same_name(known: &str, written: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
    known.bytes().map(fold).eq(written.bytes().map(fold))
}

fn flag(members: &Map<String, Value>, name: &str, default: bool) -> bool {
    members.get(name).and_then(Value::as_bool).unwrap_or(default)
}

fn object<'a>(json: &'a Value, path: &str) -> Result<&'a Map<String, Value>, SchemaError> {
    json.as_object().ok_or_else(|| member(path, "an object"))
}

fn member(path: &str, expected: &'static str) -> SchemaError {
    SchemaError::Member { path: path.to_owned(), expected }
}
