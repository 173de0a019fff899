//! Conditions on one column: how people write them and how a server evaluates them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::schema::UnknownColumn;
use crate::{Atom, AtomType, BaseType, ColumnType, Datum, Row, TableSchema, Uuid};

/// The operator of a condition (RFC 7047 section 5.1, `<function>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// The column equals the value. Sets and maps have exactly these elements.
    Eq,
    /// The column does not equal the value.
    Ne,
    /// The column is one number that is less than the value.
    Lt,
    /// The column is one number that is at most the value.
    Le,
    /// The column is one number that is greater than the value.
    Gt,
    /// The column is one number that is at least the value.
    Ge,
    /// The column contains all elements of the value, and possibly more.
    Includes,
    /// The column contains no element of the value.
    Excludes,
}

impl Op {
    /// All operators with their spelling.
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

    /// Returns the spelling of RFC 7047.
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

/// The word is not an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no operator {0:?}; the operators are == != < <= > >= includes excludes")]
pub struct ParseOpError(String);

impl FromStr for Op {
    type Err = ParseOpError;

    /// Parses the spelling of RFC 7047. `=` means `==`, as in the clients.
    fn from_str(text: &str) -> Result<Self, ParseOpError> {
        let written = if text == "=" { "==" } else { text };
        Self::ALL
            .iter()
            .find(|(known, _)| *known == written)
            .map(|(_, op)| *op)
            .ok_or_else(|| ParseOpError(text.to_owned()))
    }
}

/// The reason why a condition is not valid for a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// The table has no such column.
    #[error(transparent)]
    Column(#[from] UnknownColumn),
    /// The condition is on `column:key`, but the column has no keys.
    #[error("{column}:{key} asks for a key, but column {column} is not a map")]
    NoKeys {
        /// The column.
        column: String,
        /// The key after the colon.
        key: String,
    },
    /// The condition is on `_version`, which is not part of the data.
    #[error("column _version changes with every restart and cannot be compared")]
    Version,
    /// The operator needs an order, which the column's type does not have (RFC 7047 section 5.1).
    #[error("{op} compares single numbers, but column {column} contains {holds}")]
    Order {
        /// The column.
        column: String,
        /// The operator.
        op: Op,
        /// The type of the column in words.
        holds: String,
    },
    /// The value does not fit the column.
    #[error("{text:?} is not a value of column {column}: {reason}")]
    Value {
        /// The column.
        column: String,
        /// The text of the value.
        text: String,
        /// The value that the column expects.
        reason: String,
    },
}

/// A condition on one column of a table, or on the value under one key of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    column: String,
    op: Op,
    test: ConditionTest,
}

#[derive(Clone, Debug, PartialEq)]
enum ConditionTest {
    /// Compares the whole column with a value, as in RFC 7047.
    Column(Datum),
    /// Compares the value under a key. RFC 7047 can express this only in part.
    Key(Atom, Atom),
}

impl Condition {
    /// Parses a condition as a person writes it, and checks it against the table.
    ///
    /// `column` is a column or, for maps, `column:key`. `text` is one element without quotes (`shop_web`, `172.18.0.3`,
    /// `true`, `17`, a complete UUID, or `key=value` for a map). Several elements are in brackets, or in braces for
    /// maps, and are separated by commas. An element with a comma or a space needs double quotes: `[a, "b c"]`, `{k=v,
    /// "k 2"=w}`. `[]` and `{}` are the empty set and the empty map.
    ///
    /// With `column:key`, `==` and `includes` match exactly this value under the key. `!=`, `<`, `<=`, `>` and `>=` do
    /// not match rows without the key, like `find` (`ovn-nbctl(8)`, "Database Command Syntax"). They compare as numbers
    /// if both sides are numbers, and otherwise byte by byte. `excludes` also matches rows without the key.
    ///
    /// # Errors
    /// The table has no such column, the column has no keys, or the operator or the value does not fit the column.
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
        // The server would reject this (RFC 7047 section 5.1: the value has the type of the column).
        let exact = matches!(op, Op::Eq | Op::Ne) || op.orders() || ty.is_scalar();
        let fewest = if exact { ty.min } else { 0 };
        let most = if matches!(op, Op::Excludes) && !ty.is_scalar() { usize::MAX } else { ty.max };
        if datum.len() < fewest || datum.len() > most || (op.orders() && datum.is_empty()) {
            return Err(refused(format!("the column contains {}", describe(ty))));
        }
        Ok(Self { column: name.to_owned(), op, test: ConditionTest::Column(datum) })
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
        Ok(Self { column: name.clone(), op, test: ConditionTest::Key(key_atom, value) })
    }

    /// Creates a condition on a column with exactly this name. If the value does not have the column's type, a server
    /// rejects the condition, and in a file no row matches it.
    pub fn new(column: impl Into<String>, op: Op, value: Datum) -> Self {
        Self { column: column.into(), op, test: ConditionTest::Column(value) }
    }

    /// Creates the condition that a column with one element equals `value`.
    pub fn is(column: impl Into<String>, value: impl Into<Atom>) -> Self {
        Self::new(column, Op::Eq, Datum::scalar(value))
    }

    /// Creates the condition that a column contains `value`.
    pub fn includes(column: impl Into<String>, value: impl Into<Atom>) -> Self {
        Self::new(column, Op::Includes, Datum::scalar(value))
    }

    /// Creates the condition that a map has `value` under `key`.
    pub fn map_has(column: impl Into<String>, key: impl Into<Atom>, value: impl Into<Atom>) -> Self {
        Self { column: column.into(), op: Op::Includes, test: ConditionTest::Key(key.into(), value.into()) }
    }

    /// Returns the column that the condition tests.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Returns the value with which the column is compared. For a condition on a key, this is a map with the key and
    /// its value.
    #[must_use]
    pub fn operand(&self) -> Cow<'_, Datum> {
        match &self.test {
            ConditionTest::Column(value) => Cow::Borrowed(value),
            ConditionTest::Key(key, value) => Cow::Owned(Datum::Map(vec![(key.clone(), value.clone())])),
        }
    }

    /// Returns true if the operator needs an order (`<`, `<=`, `>` or `>=`).
    #[must_use]
    pub const fn is_of_order(&self) -> bool {
        self.op.orders()
    }

    /// Returns true if a row matches. A row whose column was not read does not match.
    #[must_use]
    pub fn matches(&self, row: &Row) -> bool {
        row.get(&self.column).is_some_and(|datum| self.holds(datum))
    }

    pub(crate) fn holds(&self, datum: &Datum) -> bool {
        match &self.test {
            ConditionTest::Column(value) => match self.op {
                Op::Eq => datum == value,
                Op::Ne => datum != value,
                Op::Includes => datum.includes(value),
                Op::Excludes => datum.excludes(value),
                Op::Lt | Op::Le | Op::Gt | Op::Ge => match (datum.single(), value.single()) {
                    (Some(left), Some(right)) => self.op.holds(left.cmp(right)),
                    _ => false,
                },
            },
            ConditionTest::Key(key, value) => match datum.value_of(key) {
                Some(found) if self.op.orders() => self.op.holds(by_number(found, value)),
                Some(found) => self.op.holds(found.cmp(value)),
                None => self.op == Op::Excludes,
            },
        }
    }

    /// Returns the condition in the notation of RFC 7047, or the part of it that RFC 7047 can express. Returns `None`
    /// for an order of values under a key.
    pub(crate) fn to_wire(&self) -> Option<Value> {
        match &self.test {
            ConditionTest::Column(value) => Some(json!([self.column, self.op.as_str(), value.to_json()])),
            ConditionTest::Key(key, value) => {
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

    /// Returns true if rows that a server found must be tested again, because RFC 7047 cannot express the whole
    /// condition.
    pub(crate) fn is_residual(&self) -> bool {
        matches!(self.test, ConditionTest::Key(..)) && (self.op.orders() || self.op == Op::Ne)
    }

    /// Returns the only row that can match, if the condition names its UUID.
    pub(crate) fn exact_uuid(&self) -> Option<Uuid> {
        match &self.test {
            ConditionTest::Column(value)
                if self.column == "_uuid" && matches!(self.op, Op::Eq | Op::Includes) =>
            {
                value.single()?.as_uuid()
            }
            _ => None,
        }
    }

    /// Returns a text that the JSON of every matching row contains, if the JSON has no `\u` escapes and no `\/`, so
    /// that it spells each string in one way only.
    ///
    /// If there are several such texts, it returns the longest, which is probably the rarest. A row may omit a default
    /// value, but no default value contains a text.
    pub(crate) fn needle(&self) -> Option<String> {
        let atoms: Vec<&Atom> = match (&self.test, self.op) {
            (ConditionTest::Column(Datum::Set(atoms)), Op::Eq | Op::Includes) => atoms.iter().collect(),
            (ConditionTest::Column(Datum::Map(pairs)), Op::Eq | Op::Includes) => {
                pairs.iter().flat_map(|(key, value)| [key, value]).collect()
            }
            (ConditionTest::Key(key, _), op) if op.orders() || op == Op::Ne => vec![key],
            (ConditionTest::Key(key, value), Op::Eq | Op::Includes) => vec![key, value],
            _ => Vec::new(),
        };
        let longest = atoms.into_iter().filter_map(Atom::as_str).max_by_key(|text| text.len())?;
        let spelled = Value::from(longest).to_string();
        spelled.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

/// Compares two values under a key: as numbers if both are numbers, and otherwise byte by byte.
fn by_number(left: &Atom, right: &Atom) -> std::cmp::Ordering {
    let number = |atom: &Atom| atom.as_str().and_then(|text| text.parse::<f64>().ok());
    match (number(left), number(right)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => left.cmp(right),
    }
}

/// Returns a column's type in words: `a set of string`, `one integer or none`.
fn describe(ty: &ColumnType) -> String {
    let key = ty.key.kind;
    match &ty.value {
        Some(value) => format!("a map of {key} to {}", value.kind),
        None if ty.is_scalar() => format!("one {key}"),
        None if ty.is_optional() => format!("one {key} or none"),
        None => format!("a set of {key}"),
    }
}
