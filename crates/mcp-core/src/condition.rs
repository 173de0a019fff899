//! Conditions on the columns of a database, as tools take them.

use crate::{ToolError, sanitize};
use schemars::JsonSchema;
use serde::Deserialize;

/// A condition on a column.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// Or `column:key` of a map.
    pub column: String,
    /// Default ==.
    #[serde(default)]
    pub op: Operator,
    /// As `list` shows it.
    pub value: String,
}

/// The functions of RFC 7047 section 5.1.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the schema would have a description for each of them")]
pub enum Operator {
    #[default]
    #[serde(rename = "==")]
    Eq,
    #[serde(rename = "!=")]
    Ne,
    #[serde(rename = "<")]
    Lt,
    #[serde(rename = "<=")]
    Le,
    #[serde(rename = ">")]
    Gt,
    #[serde(rename = ">=")]
    Ge,
    #[serde(rename = "includes")]
    Includes,
    #[serde(rename = "excludes")]
    Excludes,
}

impl From<Operator> for ovsdb::Op {
    fn from(op: Operator) -> Self {
        match op {
            Operator::Eq => Self::Eq,
            Operator::Ne => Self::Ne,
            Operator::Lt => Self::Lt,
            Operator::Le => Self::Le,
            Operator::Gt => Self::Gt,
            Operator::Ge => Self::Ge,
            Operator::Includes => Self::Includes,
            Operator::Excludes => Self::Excludes,
        }
    }
}

impl Where {
    /// Its column, operator and value.
    ///
    /// # Errors
    /// If it is about what no answer shows: who may guess a secret value by value finds it.
    pub fn parts(&self) -> Result<(String, ovsdb::Op, String), ToolError> {
        let Self { column, op, value } = self;
        let shown = format!("{column}={value}");
        if sanitize::redact(&shown) != shown {
            return Err(ToolError::bad(
                format!("parameter `where`: {column} holds a secret, which no condition can look at"),
                "Ask by another column; whether the secret is there, the row shows.",
            ));
        }
        Ok((column.clone(), (*op).into(), value.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_guessed() {
        let parts = |column: &str, value: &str| {
            Where { column: column.into(), op: Operator::Eq, value: value.into() }.parts()
        };
        for (column, value) in [("options:psk", "a"), ("options", "{ipsec_psk=guess}"), ("private_key", "x")]
        {
            let error = parts(column, value).unwrap_err().report();
            assert!(error.contains("holds a secret"), "{column} {value}: {error}");
        }
        for (column, value) in [("name", "token-reader"), ("external_ids:owner", "a"), ("options:key", "7")] {
            assert!(parts(column, value).is_ok(), "{column} {value}");
        }
    }
}
