//! Names that are validated when they are parsed.

/// The error of a text that is not a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: it must match {pattern} and have at most {max} characters")]
pub struct BadName {
    /// The invalid text.
    pub text: String,
    /// The kind of name that was expected: `a node name`.
    pub kind: &'static str,
    /// The regular expression of valid names.
    pub pattern: &'static str,
    /// The maximum length of a name.
    pub max: usize,
}

/// Defines a type of names that match a regular expression, which is also used in schemas.
macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $pattern:literal, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl std::str::FromStr for $name {
            type Err = $crate::name::BadName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                static GRAMMAR: std::sync::LazyLock<regex::Regex> =
                    std::sync::LazyLock::new(|| regex::Regex::new($pattern).expect("a literal"));
                if text.len() <= $max && GRAMMAR.is_match(text) {
                    Ok(Self(text.into()))
                } else {
                    Err($crate::name::BadName { text: text.into(), kind: $kind, pattern: $pattern, max: $max })
                }
            }
        }

        impl $name {
            /// Returns the name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use name_type;
