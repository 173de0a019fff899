//! Names that are checked at the door.

/// The text is no name of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {kind}: it does not match {pattern}, {max} characters at most")]
pub struct BadName {
    /// What was given.
    pub text: String,
    /// What it should have been.
    pub kind: &'static str,
    /// The grammar.
    pub pattern: &'static str,
    /// The longest such name.
    pub max: usize,
}

/// Makes a type of names with one grammar, which is also the schema's.
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
            /// The text.
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
