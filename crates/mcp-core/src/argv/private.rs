//! Command lines of programs that work on a private copy of a bundle's data.
//!
//! Their type differs from the type of commands for nodes, and so does the type of their tables: no backend runs them,
//! and a [`Workshop`](crate::Workshop) runs nothing else.

use super::{Allow, Argv, Word};
use std::{fmt, path::Path};

/// The programs that one layer may run in a private directory.
///
/// ```
/// use mcp_core::{private_argv, argv::{Allow, PrivateAllow, Program, Verb}};
///
/// const PRIVATE: PrivateAllow = PrivateAllow(Allow(&[Program { name: "ovn-trace", globals: &[], verbs: &[
///     Verb { words: &["--version"], options: &[], operands: &[], reads_only: "" }] }]));
/// assert_eq!(private_argv!(PRIVATE: "ovn-trace", "--version").to_string(), "ovn-trace --version");
/// ```
///
/// A table of commands for nodes cannot create a private command, and a table of private commands cannot create a
/// command for a node:
///
/// ```compile_fail
/// # use mcp_core::{private_argv, argv::{Allow, Program, Verb}};
/// # const ALLOW: Allow = Allow(&[Program { name: "ovn-trace", globals: &[], verbs: &[
/// #     Verb { words: &["--version"], options: &[], operands: &[], reads_only: "" }] }]);
/// private_argv!(ALLOW: "ovn-trace", "--version");
/// ```
///
/// ```compile_fail
/// # use mcp_core::{argv, argv::{Allow, PrivateAllow, Program, Verb}};
/// # const PRIVATE: PrivateAllow = PrivateAllow(Allow(&[Program { name: "ovn-trace", globals: &[], verbs: &[
/// #     Verb { words: &["--version"], options: &[], operands: &[], reads_only: "" }] }]));
/// argv!(PRIVATE: "ovn-trace", "--version");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PrivateAllow(pub Allow);

impl PrivateAllow {
    /// The table of layers that run no private programs.
    pub const NONE: Self = Self(Allow(&[]));

    /// Returns the table, for [`private_argv!`](crate::private_argv!).
    #[doc(hidden)]
    pub const fn table(self) -> Allow {
        self.0
    }

    /// Returns a command that was checked against this table.
    #[doc(hidden)]
    pub fn command(self, argv: Argv) -> PrivateArgv {
        PrivateArgv(argv)
    }
}

/// A complete command line for a [`Workshop`](crate::Workshop), created by [`private_argv!`](crate::private_argv!).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateArgv(Argv);

impl PrivateArgv {
    pub(crate) fn words(&self) -> &[String] {
        self.0.words()
    }

    /// Returns the name of the program.
    pub fn program(&self) -> &str {
        self.0.program()
    }
}

impl fmt::Display for PrivateArgv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Creates a [`PrivateArgv`](crate::argv::PrivateArgv), as [`argv!`](crate::argv!) creates an
/// [`Argv`](crate::argv::Argv).
#[macro_export]
macro_rules! private_argv {
    ($private:ident : $($word:tt),+ $(,)?) => {{
        const TABLE: $crate::argv::Allow = $crate::argv::PrivateAllow::table($private);
        $crate::argv::PrivateAllow::command($private, $crate::argv!(TABLE: $($word),+))
    }};
}

/// The path of a file or socket directly inside a private directory. Only a [`Workshop`](crate::Workshop) creates one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePath(Word);

/// The error of a text that is not a valid name of a private file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPrivatePath {
    /// The name contains other characters than letters, digits, `_`, `-` and `.`, or begins with `.` or `-`.
    #[error("a name may contain only letters, digits, `_`, `-` and `.`, and may not begin with `.` or `-`")]
    Name,
    /// The path is too long: the path of a socket has at most 107 bytes (unix(7)).
    #[error("with its directory, the name is longer than {} bytes", PrivatePath::MAX)]
    Long,
    /// The path of the temporary directory is not absolute or not valid UTF-8.
    #[error("the path of the temporary directory is not absolute or not valid UTF-8")]
    Directory,
}

impl PrivatePath {
    /// The maximum length of a path in bytes, which is what fits into the address of a Unix socket (unix(7)).
    pub const MAX: usize = 107;

    pub(crate) fn new(directory: &Path, name: &str) -> Result<Self, BadPrivatePath> {
        let known = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(known) {
            return Err(BadPrivatePath::Name);
        }
        let path = directory.join(name);
        let text = path.to_str().filter(|_| directory.is_absolute()).ok_or(BadPrivatePath::Directory)?;
        if text.len() > Self::MAX {
            return Err(BadPrivatePath::Long);
        }
        Word::parse(text).map(Self).map_err(|_| BadPrivatePath::Directory)
    }

    pub(super) fn word(&self) -> Word {
        self.0.clone()
    }

    /// Returns the path.
    pub fn as_path(&self) -> &Path {
        Path::new(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn invalid_names_are_rejected() {
        let directory = Path::new("/tmp/private");
        for name in ["", ".", "..", "../x", "a/b", "/etc/passwd", "-x", ".x", "a b", "a\n", "a:b", "a,b", "é"]
        {
            assert_eq!(PrivatePath::new(directory, name), Err(BadPrivatePath::Name), "{name:?}");
        }
        let long = "x".repeat(100);
        assert_eq!(PrivatePath::new(directory, &long), Err(BadPrivatePath::Long));
        assert_eq!(PrivatePath::new(Path::new("tmp"), "a"), Err(BadPrivatePath::Directory));
        assert_eq!(PrivatePath::new(Path::new("/tmp/a\nb"), "a"), Err(BadPrivatePath::Directory));
    }

    proptest! {
        #[test]
        fn a_path_stays_in_its_directory(name in ".*|[a-z./-]{1,12}|br-[a-z0-9]{1,8}\\.mgmt") {
            let directory = Path::new("/tmp/private");
            if let Ok(path) = PrivatePath::new(directory, &name) {
                prop_assert_eq!(path.as_path().parent(), Some(directory));
                prop_assert_eq!(path.as_path().file_name().and_then(|it| it.to_str()), Some(name.as_str()));
                prop_assert!(!path.word().as_str().contains([' ', ':', ',', ';', '=']));
            }
        }
    }
}
