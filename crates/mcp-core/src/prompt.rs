//! Prompts: what an engineer picks from a menu instead of typing.

/// A prompt: a procedure of an experienced engineer, in the words of the tools.
pub struct Prompt {
    /// Its name: `triage_connectivity`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// When to use it.
    pub description: &'static str,
    /// What the engineer fills in.
    pub arguments: &'static [PromptArgument],
    /// The text, with `{argument}` for each.
    pub text: &'static str,
}

/// A blank in a prompt.
pub struct PromptArgument {
    /// Its name.
    pub name: &'static str,
    /// What belongs there.
    pub description: &'static str,
    /// Must it be filled in?
    pub required: bool,
}

/// A blank was left empty, or there is no such blank.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadArgument {
    /// A required argument is missing.
    #[error("argument `{0}` is missing: {1}")]
    Missing(&'static str, &'static str),
    /// There is no such argument.
    #[error("there is no argument `{0}`")]
    Unknown(String),
}

impl Prompt {
    /// Has it a blank of this name?
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument.name == name)
    }

    /// The text with the blanks filled in; one that may be empty reads `(not given)`.
    pub(crate) fn fill<'a>(
        &self,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<String, BadArgument> {
        if let Some((name, _)) =
            given.clone().find(|(name, _)| self.arguments.iter().all(|a| a.name != *name))
        {
            return Err(BadArgument::Unknown(name.into()));
        }
        self.arguments.iter().try_fold(self.text.to_owned(), |text, argument| {
            let value = given.clone().find(|(name, value)| *name == argument.name && !value.is_empty());
            match value {
                Some((_, value)) => {
                    Ok(text.replace(&format!("{{{}}}", argument.name), &crate::sanitize::clean(value)))
                }
                None if argument.required => Err(BadArgument::Missing(argument.name, argument.description)),
                None => Ok(text.replace(&format!("{{{}}}", argument.name), "(not given)")),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: Prompt = Prompt {
        name: "p",
        title: "P",
        description: "",
        arguments: &[
            PromptArgument { name: "source", description: "who", required: true },
            PromptArgument { name: "since", description: "when", required: false },
        ],
        text: "from {source} since {since}, {source}",
    };

    fn fill(given: &[(&str, &str)]) -> Result<String, String> {
        PROMPT.fill(given.iter().copied()).map_err(|e| e.to_string())
    }

    #[test]
    fn blanks_are_filled() {
        assert_eq!(fill(&[("source", "a/b"), ("since", "noon")]).unwrap(), "from a/b since noon, a/b");
        assert_eq!(fill(&[("source", "a"), ("since", "")]).unwrap(), "from a since (not given), a");
        assert_eq!(fill(&[]).unwrap_err(), "argument `source` is missing: who");
        assert_eq!(fill(&[("source", "a"), ("x", "y")]).unwrap_err(), "there is no argument `x`");
    }
}
