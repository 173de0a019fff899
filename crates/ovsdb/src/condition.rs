//! Conditions on one column, as a person writes them and as a server evaluates them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::schema::UnknownColumn;
use crate::{Atom, AtomType, BaseType, ColumnType, Datum, Row, TableSchema, Uuid};

/// How a condition compares (RFC 7047 section 5.1, `<function>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The column is exactly this: for sets and maps, these elements and no others.
    Eq,
    /// The column is anything but exactly this.
    Ne,
    /// One number, less than this.
    Lt,
    /// One number, at most this.
    Le,
    /// One number, greater than this.
    Gt,
    /// One number, at least this.
    Ge,
    /// The column holds all of this, and perhaps more.
    Includes,
    /// The column holds none of this.
    Excludes,
}

impl Op {
    /// All, as they are written.
    pub const ALL: [(&'static str, Self); 8] = [
        ("==", Self::Eq),
        ("!=", Self::Ne),
        ("<", Self::Lt),
        ("<=", Self::Le),
        (">", Self::Gt),
        (">=", Self::Ge),
        ("includes", Self::Includes),
        ("excludes", Self::Excludes),
    ];

    /// As RFC 7047 writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("==", |(text, _)| text)
    }

    const fn orders(self) -> bool {
        matches!(self, Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }

    fn holds(self, ordering: std::cmp::Ordering) -> bool {
        match self {
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
            Self::Eq | Self::Includes => ordering.is_eq(),
            Self::Ne | Self::Excludes => ordering.is_ne(),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is no operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no operator {0:?}; there are == != < <= > >= includes excludes")]
pub struct ParseOpError(String);

impl FromStr for Op {
    type Err = ParseOpError;

    /// As RFC 7047 writes it; `=` is `==`, as with the clients.
    fn from_str(text: &str) -> Result<Self, ParseOpError> {
        let written = if text == "=" { "==" } else { text };
        Self::ALL
            .iter()
            .find(|(known, _)| *known == written)
            .map(|(_, op)| *op)
            .ok_or_else(|| ParseOpError(text.to_owned()))
    }
}

/// Why what was written is no condition on this table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// There is no such column.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// `column:key` of a column that has no keys.
    #[error("{column}:{key} asks for a key, but column {column} is not a map")]
    NoKeys {
        /// The column.
        column: String,
        /// What stands behind its colon.
        key: String,
    },
    /// `_version` is no part of the data.
    #[error("column _version changes with every restart and cannot be compared")]
    Version,
    /// An order was asked for where there is none (RFC 7047 section 5.1).
    #[error("{op} compares single numbers, and column {column} holds {holds}")]
    Order {
        /// The column.
        column: String,
        /// The operator.
        op: Op,
        /// What the column holds.
        holds: String,
    },
    /// The value cannot be one of this column.
    #[error("{text:?} is no value for column {column}: {reason}")]
    Value {
        /// The column.
        column: String,
        /// What was written.
        text: String,
        /// What it should have been.
        reason: String,
    },
}

/// A condition on one column of a table, or on the value under one key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    column: String,
    op: Op,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    /// The whole column against a value: RFC 7047 as it is.
    Column(Datum),
    /// The value under a key, which RFC 7047 can say only in part.
    Key(Atom, Atom),
}

impl Condition {
    /// A condition as a person writes it, checked against the table.
    ///
    /// `column` is a column or, for maps, `column:key`. `text` is one element as it is (`shop_web`, `172.18.0.3`,
    /// `true`, `17`, a whole UUID; `key=value` for a map); several in brackets, or for maps in braces, separated by
    /// commas, each in double quotes if it holds a comma or a space: `[a, "b c"]`, `{k=v, "k 2"=w}`. `[]` and `{}`
    /// are the empty ones.
    ///
    /// With `column:key`, `==` and `includes` ask for exactly this value under the key; `!=`, `<`, `<=`, `>` and
    /// `>=` leave out rows that lack the key, as `find` does (`ovn-nbctl(8)`, "Database Command Syntax"), and
    /// compare as numbers where both sides are numbers, otherwise byte by byte; `excludes` lets rows that lack the
    /// key pass.
    ///
    /// # Errors
    /// When the table has no such column, the column no keys, or the operator or the value does not suit it.
    pub fn parse(table: &TableSchema, column: &str, op: Op, text: &str) -> Result<Self, ConditionError> {
        if let Some((name, key)) = column.split_once(':') {
            return Self::parse_key(table, name, key, op, text);
        }
        let reference;
        let (name, ty) = match column {
            "_version" => return Err(ConditionError::Version),
            "_uuid" => {
                reference = ColumnType { key: BaseType::plain(AtomType::Uuid), value: None, min: 1, max: 1 };
                ("_uuid", &reference)
            }
            _ => table.find_column(column).map(|column| (column.name.as_str(), &column.ty))?,
        };
        if op.orders() {
            let number = matches!(ty.key.kind, AtomType::Integer | AtomType::Real);
            if !number || !(ty.is_scalar() || ty.is_optional()) {
                let holds = describe(ty);
                return Err(ConditionError::Order { column: name.to_owned(), op, holds });
            }
        }
        let refused =
            |reason| ConditionError::Value { column: name.to_owned(), text: text.to_owned(), reason };
        let datum = crate::text::datum(text, ty).map_err(refused)?;
        // What the server would refuse (RFC 7047 section 5.1: the value has the type of the column).
        let exact = matches!(op, Op::Eq | Op::Ne) || op.orders() || ty.is_scalar();
        let fewest = if exact { ty.min } else { 0 };
        let most = if matches!(op, Op::Excludes) && !ty.is_scalar() { usize::MAX } else { ty.max };
        if datum.len() < fewest || datum.len() > most || (op.orders() && datum.is_empty()) {
            return Err(refused(format!("the column holds {}", describe(ty))));
        }
        Ok(Self { column: name.to_owned(), op, test: Test::Column(datum) })
    }

    fn parse_key(
        table: &TableSchema,
        name: &str,
        key: &str,
        op: Op,
        text: &str,
    ) -> Result<Self, ConditionError> {
        let column = table.find_column(name)?;
        let Some(value_type) = &column.ty.value else {
            return Err(ConditionError::NoKeys { column: column.name.clone(), key: key.to_owned() });
        };
        let name = &column.name;
        let refused = |text: &str| {
            let text = text.to_owned();
            move |reason| ConditionError::Value { column: name.clone(), text, reason }
        };
        let key_atom = crate::text::atom(key, &column.ty.key).map_err(refused(key))?;
        let value = crate::text::atom(text, value_type).map_err(refused(text))?;
        Ok(Self { column: name.clone(), op, test: Test::Key(key_atom, value) })
    }

    /// A condition made of a value, for a column of exactly this name. A server refuses it when the value has not
    /// the column's type; a file then has no row for it.
    pub fn new(column: impl Into<String>, op: Op, value: Datum) -> Self {
        Self { column: column.into(), op, test: Test::Column(value) }
    }

    /// The column whose value is `value`: for columns of one element.
    pub fn is(column: impl Into<String>, value: impl Into<Atom>) -> Self {
        Self::new(column, Op::Eq, Datum::scalar(value))
    }

    /// The column that holds, perhaps among others, `value`.
    pub fn includes(column: impl Into<String>, value: impl Into<Atom>) -> Self {
        Self::new(column, Op::Includes, Datum::scalar(value))
    }

    /// The map that has `value` under `key`.
    pub fn map_has(column: impl Into<String>, key: impl Into<Atom>, value: impl Into<Atom>) -> Self {
        Self { column: column.into(), op: Op::Includes, test: Test::Key(key.into(), value.into()) }
    }

    /// The column that it looks at.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// What the column is compared with; of a condition on a key, the pair of it and its value.
    #[must_use]
    pub fn operand(&self) -> Cow<'_, Datum> {
        match &self.test {
            Test::Column(value) => Cow::Borrowed(value),
            Test::Key(key, value) => Cow::Owned(Datum::Map(vec![(key.clone(), value.clone())])),
        }
    }

    /// Whether it asks for an order (`<`), not only for what is equal.
    #[must_use]
    pub const fn is_of_order(&self) -> bool {
        self.op.orders()
    }

    /// Whether a row passes. A row whose column was not read does not.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        row.get(&self.column).is_some_and(|datum| self.holds(datum))
    }

    pub(crate) fn holds(&self, datum: &Datum) -> bool {
        match &self.test {
            Test::Column(value) => match self.op {
                Op::Eq => datum == value,
                Op::Ne => datum != value,
                Op::Includes => datum.includes(value),
                Op::Excludes => datum.excludes(value),
                Op::Lt | Op::Le | Op::Gt | Op::Ge => match (datum.single(), value.single()) {
                    (Some(left), Some(right)) => self.op.holds(left.cmp(right)),
                    _ => false,
                },
            },
            Test::Key(key, value) => match datum.value_of(key) {
                Some(found) if self.op.orders() => self.op.holds(by_number(found, value)),
                Some(found) => self.op.holds(found.cmp(value)),
                None => self.op == Op::Excludes,
            },
        }
    }

    /// The condition in the notation of RFC 7047, or as much of it as that can say: nothing for an order of values
    /// under a key.
    pub(crate) fn to_wire(&self) -> Option<Value> {
        match &self.test {
            Test::Column(value) => Some(json!([self.column, self.op.as_str(), value.to_json()])),
            Test::Key(key, value) => {
                let function = match self.op {
                    Op::Eq | Op::Includes => "includes",
                    Op::Ne | Op::Excludes => "excludes",
                    Op::Lt | Op::Le | Op::Gt | Op::Ge => return None,
                };
                let pair = Datum::Map(vec![(key.clone(), value.clone())]);
                Some(json!([self.column, function, pair.to_json()]))
            }
        }
    }

    /// Whether rows that a server found still have to be tested here.
    pub(crate) fn is_residual(&self) -> bool {
        matches!(self.test, Test::Key(..)) && (self.op.orders() || self.op == Op::Ne)
    }

    /// The only row that can pass, if the condition names it.
    pub(crate) fn exact_uuid(&self) -> Option<Uuid> {
        match &self.test {
            Test::Column(value) if self.column == "_uuid" && matches!(self.op, Op::Eq | Op::Includes) => {
                value.single()?.as_uuid()
            }
            _ => None,
        }
    }

    /// A text that the JSON of any row passing this condition must hold, provided that it spells no character as
    /// `\u` and no slash as `\/`: then JSON has one way to spell a string.
    ///
    /// Of several the longest, which is the rarest. A row may hold a default without spelling it, but no default
    /// has a text.
    pub(crate) fn needle(&self) -> Option<String> {
        let atoms: Vec<&Atom> = match (&self.test, self.op) {
            (Test::Column(Datum::Set(atoms)), Op::Eq | Op::Includes) => atoms.iter().collect(),
            (Test::Column(Datum::Map(pairs)), Op::Eq | Op::Includes) => {
                pairs.iter().flat_map(|(key, value)| [key, value]).collect()
            }
            (Test::Key(key, _), op) if op.orders() || op == Op::Ne => vec![key],
            (Test::Key(key, value), Op::Eq | Op::Includes) => vec![key, value],
            _ => Vec::new(),
        };
        let longest = atoms.into_iter().filter_map(Atom::as_str).max_by_key(|text| text.len())?;
        let spelled = Value::from(longest).to_string();
        spelled.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// The order of two values under a key: as numbers if both are, as their bytes if not.
fn by_number(left: &Atom, right: &Atom) -> std::cmp::Ordering {
    let number = |atom: &Atom| atom.as_str().and_then(|text| text.parse::<f64>().ok());
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => left.cmp(right),
    }
}

/// A column's type in words: `a set of string`, `0 or 1 integer`.
fn describe(ty: &ColumnType) -> String {
    let key = ty.key.kind;
    match &ty.value {
        Some(value) => format!("a map of {key} to {}", value.kind),
        None if ty.is_scalar() => format!("one {key}"),
        None if ty.is_optional() => format!("one {key} or none"),
        None => format!("a set of {key}"),
    }
}
