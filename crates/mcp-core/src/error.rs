//! The errors of tools, each with a hint for the model on what to do next.

use crate::{NodeName, ReadError, argv::BadFilter, evidence::shortened};
use std::{borrow::Cow, error::Error, fmt::Write};

/// The reason why a tool gave no answer, and what to try next.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// Nothing has the given name.
    #[error("no {kind} is named `{name}`")]
    NotFound {
        /// The kind of thing that was looked for: `table`.
        kind: String,
        /// The name that was given.
        name: String,
        /// The names that exist, the most similar name first.
        known: Vec<String>,
    },
    /// A parameter is missing, unknown, of the wrong type or out of range.
    #[error("{problem}")]
    BadParameter {
        /// The parameter and what is wrong with it.
        problem: String,
        /// What a valid value looks like, as one or more sentences.
        hint: String,
    },
    /// The source could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The server has too many calls already.
    #[error("{0}")]
    Busy(String),
    /// Every node failed; each has its own error.
    #[error("none of the {} nodes answered", .0.len())]
    AllFailed(Vec<(NodeName, ToolError)>),
}

impl From<BadFilter> for ToolError {
    fn from(error: BadFilter) -> Self {
        Self::bad(
            format!("parameter `filter` is not a filter: {error}"),
            "Pass an expression of pcap-filter(7), such as `host 10.244.1.5 and tcp port 80` or `udp port 6081`.",
        )
    }
}

impl ToolError {
    /// Returns the error of a parameter ([`Self::BadParameter`]).
    pub fn bad(problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::BadParameter { problem: problem.into(), hint: hint.into() }
    }

    /// Returns [`Self::NotFound`] with the known names sorted by their similarity to the given name.
    pub fn not_found(
        kind: impl Into<String>,
        name: impl Into<String>,
        known: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        // The similarity search compares the name with every known name, so a long name is cut first.
        let (kind, name) = (kind.into(), echo(&name.into()).into_owned());
        let mut known: Vec<String> = known.into_iter().map(Into::into).collect();
        known.sort();
        known.dedup();
        let known = ovsdb::nearest_first(&name, known.iter().map(String::as_str));
        Self::NotFound { kind, name, known }
    }

    /// Returns the errors of several nodes as one error, or the common error if all nodes report the same one.
    pub(crate) fn all_failed(mut errors: Vec<(NodeName, Self)>) -> Self {
        let same = errors.windows(2).all(|two| matches!(two, [(_, a), (_, b)] if a.report() == b.report()));
        match same.then(|| errors.swap_remove(0)) {
            Some((_, error)) => error,
            None => Self::AllFailed(errors),
        }
    }

    /// Returns one or more sentences on what to do instead.
    pub fn hint(&self) -> String {
        /// A longer list of names does not help.
        const NAMES: usize = 20;
        match self {
            Self::NotFound { known, .. } if known.is_empty() => "Nothing of this kind exists here.".into(),
            Self::NotFound { known, .. } => {
                let shown: Vec<_> = known.iter().take(NAMES).map(String::as_str).collect();
                let more = known.len().saturating_sub(NAMES);
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("Did you mean: {}{more}?", shown.join(", "))
            }
            Self::BadParameter { hint, .. } => hint.clone(),
            Self::Read(e) => e.hint(),
            Self::Busy(_) => "Wait until other calls end, then call again.".into(),
            Self::AllFailed(errors) => {
                errors.first().map_or_else(String::new, |(node, e)| format!("On {node}: {e}. {}", e.hint()))
            }
        }
    }

    /// Returns the text that the model sees: the error with its causes, and the hint.
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
    /// Returns [`Self::report`], cut to at most `bytes` bytes. The cut text keeps the beginning, which says what
    /// failed, and the hint.
    pub(crate) fn report_within(&self, bytes: usize) -> String {
        let all = self.report();
        if all.len() <= bytes {
            return all;
        }
        let note = format!("\nnote: this error was cut; the full text has {} bytes\nhint: ", all.len());
        let hint = self.hint();
        let hint = shortened(&hint, bytes / 4);
        let room = bytes.saturating_sub(note.len() + hint.len());
        let problem = all.split_once("\nhint: ").map_or(all.as_str(), |(problem, _)| problem);
        shortened(problem, room) + &note + &hint
    }
}

/// Quotes a caller's text in an error. A text of more than 200 bytes is cut, because its beginning is enough to
/// recognize it.
pub(crate) fn echo(text: &str) -> Cow<'_, str> {
    /// The length of a quote in bytes.
    const ENOUGH: usize = 200;
    match text.len() > ENOUGH {
        true => Cow::Owned(format!("{} ({} bytes)", shortened(text, ENOUGH), text.len())),
        false => Cow::Borrowed(text),
    }
}

/// Returns an error and its causes in one line: `ovnnb_db.db could not be read: it is cut`.
///
/// The `Display` of an error does not include its causes, so `to_string` alone would lose them.
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
    fn a_long_error_is_cut_to_the_length_of_an_answer() {
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
            assert!(
                report.contains(&format!(
                    "this error was cut; the full text has {} bytes",
                    long.report().len()
                ))
            );
        }
        let all = ToolError::AllFailed((0..200).map(|_| (node.clone(), failed("x".repeat(1_000)))).collect());
        assert!(all.report_within(24_000).len() <= 24_000);
        let short = failed("no".into());
        assert_eq!(short.report_within(24_000), short.report());
    }

    #[test]
    fn a_long_argument_is_cut_in_an_error() {
        let given = "x".repeat(900_000);
        let report = ToolError::not_found("table", &given, ["ACL"]).report();
        assert!(report.len() < 400 && report.contains("(900000 bytes)"), "{report:.500}");
    }
}
