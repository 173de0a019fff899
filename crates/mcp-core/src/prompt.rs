//! Prompts, which an engineer picks from a menu, and which a model finds as skills.

/// A procedure of an experienced engineer, which names the tools to call.
///
/// An engineer picks it as a prompt and fills in the arguments. A model finds it by its description as a skill (Skills
/// extension of MCP, SEP-2640) and fills in the arguments itself.
pub struct Prompt {
    /// The name of the prompt: `triage_connectivity`.
    pub name: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// When to use the prompt.
    pub description: &'static str,
    /// The arguments that the engineer fills in.
    pub arguments: &'static [PromptArgument],
    /// The text in Markdown, with a placeholder `{argument}` for each argument.
    pub text: &'static str,
}

/// An argument of a prompt.
pub struct PromptArgument {
    /// The name of the argument.
    pub name: &'static str,
    /// The meaning of the argument.
    pub description: &'static str,
    /// Whether the argument is required.
    pub required: bool,
}

impl PromptArgument {
    /// Returns a required argument.
    pub const fn needed(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: true }
    }

    /// Returns an optional argument.
    pub const fn optional(name: &'static str, description: &'static str) -> Self {
        Self { name, description, required: false }
    }
}

/// The arguments of a prompt are incomplete or unknown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadArgument {
    /// A required argument is missing.
    #[error("argument `{0}` is missing: {1}")]
    Missing(&'static str, &'static str),
    /// The prompt has no argument of this name.
    #[error("the prompt has no argument `{0}`")]
    Unknown(String),
}

/// The last line of every prompt. A procedure uses tools of several servers, and a client may have only some of them.
const OTHER_SERVERS: &str = "\nIf you do not have the server of a tool that this text names, skip the step, and list the \
                             skipped steps at the end.\n";

/// Removes the lines `What it is: {blank}` and the clauses `(since {blank})` from a text.
fn without(text: &str, blank: &str) -> String {
    let introduces = |line: &&str| {
        let label = line.trim_end().strip_suffix(blank).and_then(|line| line.strip_suffix(": "));
        label.is_some_and(|label| !label.contains(['.', '{']))
    };
    let mut text: String = text.split_inclusive('\n').filter(|line| !introduces(line)).collect();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| rest.find(blank)).map(|at| from + at) {
        from = at + blank.len();
        let (before, after) = (text.get(..at).unwrap_or_default(), text.get(from..).unwrap_or_default());
        let open = before
            .rfind(" (")
            .filter(|open| !before.get(open + 2..).unwrap_or_default().contains(['(', ')', '\n']));
        if let (Some(open), Some(0)) = (open, after.find(')')) {
            text.replace_range(open..=from, "");
            from = open;
        }
    }
    text
}

impl Prompt {
    /// Whether the prompt has an argument of this name.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.arguments.iter().any(|argument| argument.name == name)
    }

    /// Returns the name of the skill, which has hyphens in place of underscores.
    pub(crate) fn skill_name(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Returns the address of the skill for the clients of this server.
    pub(crate) fn uri(&self, server: &str) -> String {
        format!("skill://{server}/{}/SKILL.md", self.skill_name())
    }

    /// Returns the `SKILL.md` of the prompt.
    pub(crate) fn skill(&self) -> String {
        let blank = |text: String, a: &PromptArgument| {
            text.replace(&format!("{{{}}}", a.name), &format!("<{}>", a.name))
        };
        let text = self.arguments.iter().fold(self.text.to_owned(), blank) + OTHER_SERVERS;
        let needed = self.arguments.iter().map(|argument| {
            let if_known = if argument.required { "" } else { " (if known)" };
            format!("- `<{}>`{if_known}: {}\n", argument.name, argument.description)
        });
        // Every JSON string is a valid YAML string.
        let description = serde_json::Value::from(self.description);
        format!(
            "---\nname: {}\ndescription: {description}\n---\n\n# {}\n\n{}\n{text}",
            self.skill_name(),
            self.title,
            needed.collect::<String>()
        )
    }

    /// Fills in the placeholders of the text. If an argument has no value, the lines and the clauses in parentheses
    /// that only introduce it are removed. Elsewhere its placeholder becomes `<argument>`, as in the skill, and the
    /// reader fills it in later.
    pub(crate) fn fill<'a>(
        &self,
        given: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Result<String, BadArgument> {
        if let Some((name, _)) =
            given.clone().find(|(name, _)| self.arguments.iter().all(|a| a.name != *name))
        {
            return Err(BadArgument::Unknown(name.into()));
        }
        let filled = self.arguments.iter().try_fold(self.text.to_owned(), |text, argument| {
            let blank = format!("{{{}}}", argument.name);
            let value = given.clone().find(|(name, value)| *name == argument.name && !value.is_empty());
            match value {
                Some((_, value)) => Ok(text.replace(&blank, &crate::sanitize::clean(value))),
                None if argument.required => Err(BadArgument::Missing(argument.name, argument.description)),
                None => Ok(without(&text, &blank).replace(&blank, &format!("<{}>", argument.name))),
            }
        });
        Ok(filled? + OTHER_SERVERS)
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
        text: "from {source} (since {since}), {source}\nSince: {since}\nsince={since}\n",
    };

    fn fill(given: &[(&str, &str)]) -> Result<String, String> {
        PROMPT.fill(given.iter().copied()).map_err(|e| e.to_string())
    }

    #[test]
    fn blanks_are_filled() {
        let filled = |given: &[(&str, &str)]| {
            let text = fill(given).unwrap();
            text.strip_suffix(OTHER_SERVERS).unwrap().to_owned()
        };
        assert_eq!(
            filled(&[("source", "a/b"), ("since", "noon")]),
            "from a/b (since noon), a/b\nSince: noon\nsince=noon\n"
        );
        assert_eq!(filled(&[("source", "a"), ("since", "")]), "from a, a\nsince=<since>\n");
        assert_eq!(fill(&[]).unwrap_err(), "argument `source` is missing: who");
        assert_eq!(fill(&[("source", "a"), ("x", "y")]).unwrap_err(), "the prompt has no argument `x`");
    }

    #[test]
    fn a_model_fills_them_itself() {
        let skill = Prompt { description: "When: \"now\".", name: "a_b", ..PROMPT };
        assert_eq!(skill.uri("mcp-test"), "skill://mcp-test/a-b/SKILL.md");
        let text = "---\nname: a-b\ndescription: \"When: \\\"now\\\".\"\n---\n\n# P\n\n- `<source>`: who\n- `<since>` (if known): when\n\n\
                    from <source> (since <since>), <source>\nSince: <since>\nsince=<since>\n";
        assert_eq!(skill.skill(), format!("{text}{OTHER_SERVERS}"));
    }
}
