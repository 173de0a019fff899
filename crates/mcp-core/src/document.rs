//! Reference tables that a model can look up.

/// A table of facts, served as a resource.
pub struct Document {
    /// The name of the document: `stages`.
    pub name: &'static str,
    /// The title for people.
    pub title: &'static str,
    /// The contents of the document.
    pub description: &'static str,
    /// Returns the text in Markdown, generated from the same data that the code uses.
    pub text: fn() -> String,
}

impl Document {
    /// Returns the address of the document for the clients of this server.
    pub(crate) fn uri(&self, server: &str) -> String {
        format!("{server}://{}", self.name)
    }
}
