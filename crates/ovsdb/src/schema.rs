//! What a database holds: its tables, their columns and the types of these (RFC 7047 section 3.2).

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::nearest::nearest_first;
use crate::{Atom, AtomType, Datum};

/// A database's schema, as the first record of a file holds it or `ovsdb-client get-schema` prints it.
#[derive(Clone, Debug)]
pub struct Schema {
    /// `OVN_Northbound`, `OVN_Southbound`, `Open_vSwitch`.
    pub name: String,
    /// Its version, `7.18.0`; empty in schemas of before 2011.
    pub version: String,
    /// A checksum and a length, `1537030958 45190`, when the schema carries one.
    pub cksum: Option<String>,
    /// The tables, sorted by name.
    pub tables: Vec<Arc<TableSchema>>,
    /// What it was parsed from.
    pub json: Arc<str>,
}

/// The same schema may be written in more than one way.
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
    /// Its name, `Logical_Switch`.
    pub name: String,
    /// The columns, sorted by name; without the pseudo-columns `_uuid` and `_version`.
    pub columns: Vec<ColumnSchema>,
    /// Whether rows stay when nothing refers to them. (A schema without any root table keeps all rows.)
    pub is_root: bool,
    /// How many rows there may be; nothing: any number.
    pub max_rows: Option<u64>,
    /// Sets of columns whose values together are unique in the table.
    pub indexes: Vec<Vec<String>>,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnSchema {
    /// Its name, `external_ids`.
    pub name: String,
    /// What it holds.
    pub ty: ColumnType,
    /// Whether the server keeps it in memory only. Files never hold such a column (`ovsdb(5)`): read from a file
    /// it has its default, whatever the server had.
    pub ephemeral: bool,
    /// Whether it may change after the row was made.
    pub mutable: bool,
}

/// The type of a column: how many of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// The type of elements, or of a map's keys.
    pub key: BaseType,
    /// The type of a map's values; nothing for sets and scalars.
    pub value: Option<BaseType>,
    /// The fewest elements: 0 or 1.
    pub min: usize,
    /// The most elements; `usize::MAX` stands for `"unlimited"`.
    pub max: usize,
}

/// The type of an element, key or value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseType {
    /// Its atomic type.
    pub kind: AtomType,
    /// The only values allowed, sorted; empty when any is.
    pub allowed: Vec<Atom>,
    /// The table whose rows a UUID refers to.
    pub ref_table: Option<String>,
    /// What the reference means for the row that it points to.
    pub ref_type: RefType,
}

/// What a reference does (RFC 7047 section 3.2, `refType`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RefType {
    /// The row must exist, and stays while it is referred to.
    #[default]
    Strong,
    /// The reference goes when the row does.
    Weak,
}

/// The text is no schema.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is no JSON.
    #[error("the schema is not JSON")]
    Json(#[source] serde_json::Error),
    /// A member is missing or of the wrong type.
    #[error("the schema's {path} should be {expected}")]
    Member {
        /// Where, as `tables.ACL.columns.match.type`.
        path: String,
        /// What should be there.
        expected: &'static str,
    },
}

/// The schema has no such table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{database} has no table {name:?}; nearest first: {}", known.join(", "))]
pub struct UnknownTable {
    /// What was asked for.
    pub name: String,
    /// The schema's name.
    pub database: String,
    /// The tables that exist, nearest first.
    pub known: Vec<String>,
}

/// The table has no such column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table {table} has no column {name:?}; nearest first: {}", known.join(", "))]
pub struct UnknownColumn {
    /// What was asked for.
    pub name: String,
    /// The table.
    pub table: String,
    /// The columns that exist, nearest first.
    pub known: Vec<String>,
}

impl Schema {
    /// From its JSON text. Members that RFC 7047 does not name are passed over.
    ///
    /// # Errors
    /// When it is no JSON, or a member that is needed is missing or of another type.
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

    /// The table of exactly this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Arc<TableSchema>> {
        self.tables.get(self.table_index(name)?)
    }

    pub(crate) fn table_index(&self, name: &str) -> Option<usize> {
        self.tables.binary_search_by(|table| table.name.as_str().cmp(name)).ok()
    }

    /// The table of this name as a person writes it: case does not matter, and `-` is as good as `_`, as with the
    /// clients (`ovn-nbctl(8)`, "Identifying Tables, Records, and Columns").
    ///
    /// # Errors
    /// When there is none: with those that exist, nearest first.
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

    /// The column of exactly this name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&ColumnSchema> {
        self.columns.get(self.column_index(name)?)
    }

    pub(crate) fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.binary_search_by(|column| column.name.as_str().cmp(name)).ok()
    }

    /// The column of this name as a person writes it, as [`Schema::find_table`] finds tables.
    ///
    /// # Errors
    /// When there is none: with those that exist, nearest first.
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

    /// Whether it is a map.
    #[must_use]
    pub const fn is_map(&self) -> bool {
        self.value.is_some()
    }

    /// Whether it holds exactly one atom.
    #[must_use]
    pub const fn is_scalar(&self) -> bool {
        self.value.is_none() && self.min == 1 && self.max == 1
    }

    /// Whether it holds one atom or none.
    #[must_use]
    pub const fn is_optional(&self) -> bool {
        self.value.is_none() && self.min == 0 && self.max == 1
    }

    /// What a row holds here when nothing was ever written (RFC 7047 section 5.2.1): nothing if that is allowed,
    /// otherwise one zero, false or empty value.
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
