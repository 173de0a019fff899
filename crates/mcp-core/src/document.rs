//! Documents: reference tables that a model looks something up in.

/// A table of facts, served as a resource.
pub struct Document {
    /// Its name: `stages`.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// What one finds in it.
    pub description: &'static str,
    /// Makes its text, in Markdown, of what the code itself goes by.
    pub text: fn() -> String,
}

impl Document {
    /// Where clients of this server find it.
    pub(crate) fn uri(&self, server: &str) -> String {
        format!("{server}://{}", self.name)
    }
}
