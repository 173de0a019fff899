//! Redaction of database rows, in which the name of a value is a column or the key of a map.

use super::{REDACTED, is_open, names, redact};
use ovsdb::{Atom, Condition, Datum, Rows, Select};
use std::borrow::Cow;

/// Returns the value of a column without its secrets, or `None` if it has none.
pub fn redact_datum(column: &str, datum: &Datum) -> Option<Datum> {
    let is_secret = is_secret(column);
    match datum {
        Datum::Map(pairs) => {
            let shown: Vec<_> = pairs.iter().map(|(key, value)| pair(is_secret, key, value)).collect();
            let changed = shown.iter().any(|(key, value)| key.is_some() || value.is_some());
            changed.then(|| {
                Datum::map(pairs.iter().zip(shown).map(|((key, value), (shown, instead))| {
                    (shown.unwrap_or_else(|| key.clone()), instead.unwrap_or_else(|| value.clone()))
                }))
            })
        }
        set => {
            let shown: Vec<_> = set.atoms().iter().map(|atom| self::atom(is_secret, atom)).collect();
            let changed = shown.iter().any(Option::is_some);
            let one = |(atom, shown): (&Atom, Option<Atom>)| shown.unwrap_or_else(|| atom.clone());
            changed.then(|| Datum::set(set.atoms().iter().zip(shown).map(one)))
        }
    }
}

/// Whether the column contains secrets. OVN's column `authorization` only says who is authorized.
fn is_secret(column: &str) -> bool {
    names::sort(column).is_some_and(|sort| sort != names::SecretKind::Authorization)
}

/// Returns the replacements of a key and of its value.
fn pair(is_secret: bool, key: &Atom, value: &Atom) -> (Option<Atom>, Option<Atom>) {
    let named = key.as_str().is_some_and(|key| names::sort(key).is_some());
    (atom(false, key), atom(is_secret || named, value))
}

fn atom(is_secret: bool, atom: &Atom) -> Option<Atom> {
    let text = atom.as_str()?;
    if is_secret && !is_open(text) {
        return Some(Atom::from(REDACTED));
    }
    match redact(text) {
        Cow::Borrowed(_) => None,
        Cow::Owned(shown) => Some(Atom::from(shown.as_str())),
    }
}

/// A database query whose conditions are tested on redacted values.
///
/// A condition on real values would reveal them: a client that may ask whether a password is less than some text finds
/// the password with a hundred queries. The database evaluates only conditions that redaction cannot affect; all
/// others are tested here on redacted rows.
pub(crate) struct RedactedQuery<'a> {
    asked: Cow<'a, [Select]>,
    /// The conditions that are tested here for each select, and the columns that only these conditions need.
    here: Vec<(Vec<Condition>, Vec<String>)>,
}

impl<'a> RedactedQuery<'a> {
    pub(crate) fn of(selects: &'a [Select]) -> Self {
        let mut here = Vec::with_capacity(selects.len());
        let mut asked = Cow::Borrowed(selects);
        for (at, select) in selects.iter().enumerate() {
            let (there, tested): (Vec<_>, Vec<_>) = select.conditions.iter().cloned().partition(is_the_same);
            let mut only = Vec::new();
            if !tested.is_empty()
                && let Some(select) = asked.to_mut().get_mut(at)
            {
                select.conditions = there;
                if let Some(columns) = &mut select.columns {
                    for column in tested.iter().map(|condition| condition.column().to_owned()) {
                        if !columns.contains(&column) {
                            only.push(column.clone());
                            columns.push(column);
                        }
                    }
                }
            }
            here.push((tested, only));
        }
        Self { asked, here }
    }

    /// Returns the selects for the database.
    pub(crate) fn asked(&self) -> &[Select] {
        &self.asked
    }

    /// Redacts the rows and removes those that the conditions exclude. It returns a note if a condition was tested on
    /// a redacted value.
    pub(crate) fn show(&self, read: &mut [Rows]) -> Option<String> {
        for (rows, (tested, only)) in read.iter_mut().zip(&self.here) {
            for row in &mut rows.rows {
                row.edit(|column, datum| redact_datum(&column.name, datum));
                for problem in &mut row.problems {
                    problem.found = super::redact_value(&problem.column, &problem.found).into_owned();
                }
            }
            rows.rows.retain(|row| tested.iter().all(|condition| condition.matches(row)));
            for row in &mut rows.rows {
                only.iter().for_each(|column| row.forget(column));
            }
            if let Some(columns) = &mut rows.columns {
                columns.retain(|column| !only.contains(column));
            }
        }
        let names: Vec<&str> =
            self.here.iter().flat_map(|(tested, _)| tested).map(Condition::column).collect();
        let first = names.first()?;
        let secret = self.here.iter().flat_map(|(tested, _)| tested).any(|it| !it.is_of_order());
        secret.then(|| {
            format!("`where` tests the text that is shown, so it cannot match a secret value of {first}, which is {REDACTED}")
        })
    }
}

/// Whether the condition has the same result for real and for redacted values.
fn is_the_same(condition: &Condition) -> bool {
    let operand = condition.operand();
    let has_text = operand.atoms().iter().any(|atom| atom.as_str().is_some())
        || operand.pairs().iter().any(|(_, value)| value.as_str().is_some());
    let is_marked = |text: &str| text.contains("[redacted");
    let is_marked = operand
        .atoms()
        .iter()
        .chain(operand.pairs().iter().flat_map(|(key, value)| [key, value]))
        .any(|atom| atom.as_str().is_some_and(is_marked));
    let is_other = is_marked || (condition.is_of_order() && has_text);
    !is_other
        && redact_datum(condition.column(), &operand).is_none()
        && operand.pairs().iter().all(|(key, _)| key.as_str().is_none_or(|key| names::sort(key).is_none()))
        && !is_secret(condition.column())
}
