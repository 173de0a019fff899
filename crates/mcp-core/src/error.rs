//! Errors that a model can act on.

use crate::{NodeName, PrivateError, ReadError, evidence::shortened};
use std::{borrow::Cow, error::Error, fmt::Write};

/// Why a tool gave no answer, and what to try next.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A name that nothing has.
    #[error("no {kind} is named `{name}`")]
    NotFound {
        /// What was looked for.
        kind: String,
        /// The name given.
        name: String,
        /// Names that exist, the nearest first.
        known: Vec<String>,
    },
    /// A parameter is missing, unknown, of the wrong type or out of range.
    #[error("{problem}")]
    BadParameter {
        /// What is wrong with which parameter.
        problem: String,
        /// What would be right.
        hint: String,
    },
    /// The source gave nothing.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A program that was to work on a copy of a bundle's data did not.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The server has too much to do.
    #[error("{0}")]
    Busy(String),
    /// No node could be asked.
    #[error("none of the {} nodes gave an answer", .0.len())]
    AllFailed(Vec<(NodeName, ToolError)>),
}

impl ToolError {
    /// A parameter is wrong.
    pub fn bad(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::BadParameter { problem: problem.into(), hint: hint.into() }
    }

    /// A name that nothing has. The known names are put into the order of their likeness to it.
    pub fn not_found(
        kind: impl Into<String>,
        name: impl Into<String>,
        known: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        // It is compared with each of the others, so it is cut first.
        let (kind, name) = (kind.into(), echo(&name.into()).into_owned());
        let mut known: Vec<String> = known.into_iter().map(Into::into).collect();
        known.sort();
        known.dedup();
        let known = ovsdb::nearest_first(&name, known.iter().map(String::as_str));
        Self::NotFound { kind, name, known }
    }

    /// What several nodes said, once if they all said the same.
    pub(crate) fn all_failed(mut errors: Vec<(NodeName, Self)>) -> Self {
        let same = errors.windows(2).all(|two| matches!(two, [(_, a), (_, b)] if a.report() == b.report()));
        match same.then(|| errors.swap_remove(0)) {
            Some((_, error)) => error,
            None => Self::AllFailed(errors),
        }
    }

    /// One sentence on what to do instead.
    pub fn hint(&self) -> String {
        /// More names help nobody.
        const NAMES: usize = 20;
        match self {
            Self::NotFound { known, .. } if known.is_empty() => "There is none at all.".into(),
            Self::NotFound { known, .. } => {
                let shown: Vec<_> = known.iter().take(NAMES).map(String::as_str).collect();
                let more = known.len().saturating_sub(NAMES);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("There are, the most alike first: {}{more}.", shown.join(", "))
            }
            Self::BadParameter { hint, .. } => hint.clone(),
            Self::Read(e) => e.hint(),
            Self::Private(e) => e.hint(),
            Self::Busy(_) => "Wait until other calls are answered, then ask again.".into(),
            Self::AllFailed(errors) => {
                errors.first().map_or_else(String::new, |(node, e)| format!("On {node}: {e}. {}", e.hint()))
            }
        }
    }

    /// The text that the model sees.
    pub fn report(&self) -> String {
        let mut text = format!("error: {}", chain(self));
        if let Self::AllFailed(errors) = self {
            for (node, error) in errors {
                _ = write!(text, "\n  {node}: {}", chain(error));
            }
        }
        text + "\nhint: " + &self.hint()
    }
}

impl ToolError {
    /// As [`Self::report`], in at most so many bytes: the beginning says what failed, and the hint what to do.
    pub(crate) fn report_within(&self, bytes: usize) -> String {
        let all = self.report();
        if all.len() <= bytes {
            return all;
        }
        let note = format!("\nnote: this error is cut: it has {} bytes\nhint: ", all.len());
        let hint = self.hint();
        let hint = shortened(&hint, bytes / 4);
        let room = bytes.saturating_sub(note.len() + hint.len());
        let problem = all.split_once("\nhint: ").map_or(all.as_str(), |(problem, _)| problem);
        shortened(problem, room) + &note + &hint
    }
}

/// What a caller gave, as an error quotes it: the beginning of a long text tells which it is.
pub(crate) fn echo(text: &str) -> Cow<'_, str> {
    /// In bytes.
    const ENOUGH: usize = 200;
    match text.len() > ENOUGH {
        true => Cow::Owned(format!("{} ({} bytes)", shortened(text, ENOUGH), text.len())),
        false => Cow::Borrowed(text),
    }
}

/// An error and its causes, in one line: `ovnnb_db.db could not be read: it is cut`.
///
/// The `Display` of an error names no cause, so a text made with `to_string` loses it.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_longer_than_an_answer() {
        let node: NodeName = "n".parse().unwrap();
        let failed = |said: String| {
            ToolError::from(ReadError::Failed {
                command: "nft list ruleset".into(),
                node: node.clone(),
                status: 1,
                stderr: said,
            })
        };
        let long = failed("é".repeat(1 << 20));
        for bytes in [1_000, 24_000] {
            let report = long.report_within(bytes);
            assert!(report.len() <= bytes, "{}", report.len());
            assert!(
                report.starts_with("error: `nft list ruleset` failed on n with exit status 1: é"),
                "{report:.99}"
            );
            assert!(report.ends_with(&format!("\nhint: {}", long.hint())), "{report}");
            assert!(report.contains(&format!("this error is cut: it has {} bytes", long.report().len())));
        }
        let all = ToolError::AllFailed((0..200).map(|_| (node.clone(), failed("x".repeat(1_000)))).collect());
        assert!(all.report_within(24_000).len() <= 24_000);
        let short = failed("no".into());
        assert_eq!(short.report_within(24_000), short.report());
    }

    #[test]
    fn what_was_given_is_quoted_and_not_repeated() {
        let given = "x".repeat(900_000);
        let report = ToolError::not_found("table", &given, ["ACL"]).report();
        assert!(report.len() < 400 && report.contains("(900000 bytes)"), "{report:.500}");
    }
}
