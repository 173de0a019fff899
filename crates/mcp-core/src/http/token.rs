//! The bearer token that clients of a server on a network must send.

use axum::http::{HeaderMap, header::AUTHORIZATION};
use std::{
    fmt,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};
use subtle::ConstantTimeEq;

/// The environment variable that may hold the token.
const VARIABLE: &str = "MCP_HTTP_TOKEN";

/// The valid length of a token: too long to guess, and short enough for the head of a request.
const LENGTH: std::ops::RangeInclusive<usize> = 16..=4096;

/// A bearer token, which is compared but never shown.
pub(super) struct Token(Vec<u8>);

/// The reason why there is no token. No error shows what was read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BadToken {
    /// The file cannot be read.
    #[error("the token file {0} cannot be read")]
    Unreadable(PathBuf, #[source] io::Error),
    /// Other users could write their own token to the file.
    #[error(
        "the token file {0} is writable by users other than its owner (mode {1:04o})\nhint: Remove the permission with `chmod \
         go-w`, and check that nobody changed the file."
    )]
    Writable(PathBuf, u32),
    /// The token is empty, too short to be safe, or cannot be sent in a header.
    #[error(
        "the token in {0} cannot be used: it must be 16 to 4096 visible ASCII characters\nhint: Create a token with \
         `openssl rand -hex 32`."
    )]
    Unusable(String),
}

impl Token {
    /// Returns the token from the file, or else from the environment, if there is one.
    pub(super) fn find(file: Option<&Path>) -> Result<Option<Self>, BadToken> {
        if let Some(path) = file {
            let unreadable = |e| BadToken::Unreadable(path.into(), e);
            let mut file = std::fs::File::open(path).map_err(unreadable)?;
            let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
            if mode & 0o022 != 0 {
                return Err(BadToken::Writable(path.into(), mode));
            }
            let mut text = Vec::new();
            (&mut file).take(*LENGTH.end() as u64 * 2).read_to_end(&mut text).map_err(unreadable)?;
            return Self::new(&text).map(Some).ok_or_else(|| BadToken::Unusable(path.display().to_string()));
        }
        match std::env::var_os(VARIABLE) {
            Some(text) => match Self::new(text.as_encoded_bytes()) {
                Some(token) => Ok(Some(token)),
                None => Err(BadToken::Unusable(VARIABLE.into())),
            },
            None => Ok(None),
        }
    }

    /// Returns the token in `text`, without the white space that editors add around it.
    pub(super) fn new(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let fine = LENGTH.contains(&text.len()) && text.iter().all(u8::is_ascii_graphic);
        fine.then(|| Self(text.to_vec()))
    }

    /// Whether a request carries this token. The time of the comparison does not reveal how much of a wrong token is
    /// right.
    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (all.next(), all.next()) else { return false };
        let Some((scheme, given)) = value.as_bytes().split_at_checked("Bearer ".len()) else { return false };
        scheme.eq_ignore_ascii_case(b"Bearer ") && bool::from(given.trim_ascii().ct_eq(&self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn admits(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        Token::new(GOOD.as_bytes()).unwrap().is_in(&headers)
    }

    #[test]
    fn a_token_has_at_least_16_visible_ascii_characters() {
        for good in [GOOD, "0123456789abcdef\n", "  0123456789abcdef\r\n"] {
            assert_eq!(Token::new(good.as_bytes()).unwrap().0, GOOD.as_bytes());
        }
        let long = "x".repeat(4097);
        for bad in ["", "\n", "0123456789abcde", "0123456789 abcdef", "0123456789abcdéf", long.as_str()] {
            assert!(Token::new(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_complete_token_in_one_header_is_accepted() {
        for good in ["Bearer 0123456789abcdef", "bearer 0123456789abcdef", "BEARER  0123456789abcdef"] {
            assert!(admits(&[good]), "{good}");
        }
        for bad in ["", "Bearer", "Bearer ", "Bearer 0123456789abcdeX", "Bearer 0123456789abcde", GOOD] {
            assert!(!admits(&[bad]), "{bad}");
        }
        assert!(!admits(&["Bearer 0123456789abcdef0"]));
        assert!(!admits(&["Basic 0123456789abcdef"]));
        assert!(!admits(&["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"]));
        assert!(!admits(&[]));
    }

    #[test]
    fn a_token_file_that_others_may_write_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), GOOD).unwrap();
        let found = |mode| {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            Token::find(Some(file.path()))
        };
        for mode in [0o600, 0o400, 0o644, 0o440] {
            assert!(found(mode).unwrap().is_some(), "{mode:o}");
        }
        for mode in [0o602, 0o620, 0o666] {
            let problem = found(mode).unwrap_err().to_string();
            assert!(
                problem.contains(&format!("by users other than its owner (mode {mode:04o})")),
                "{problem}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        assert_eq!(format!("{:?}", Token::new(GOOD.as_bytes())), "Some([redacted])");
        let missing = Token::find(Some(Path::new("/does/not/exist"))).unwrap_err();
        assert_eq!(missing.to_string(), "the token file /does/not/exist cannot be read");
    }
}
