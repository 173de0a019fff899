//! Resolves links, which must lead to files inside the bundle.

use super::index::{Content, Entry, FileIndex};

/// Why there is no file at a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("the file is not in the bundle")]
    Missing,
    #[error("the path is a link to {0}, which is not in the bundle")]
    Dangling(String),
    #[error("the path is a link that leads out of the bundle, to {0}")]
    LeadsOut(String),
    #[error("the path is a symbolic link that leads back to itself")]
    Circle,
}

/// The number of links that Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Follows links in any component of a path, using only the list of files and not the file system.
pub(super) fn resolve<'a>(index: &'a FileIndex, path: &str) -> Result<(String, &'a Entry), LinkError> {
    // Most paths contain no link.
    if let Some(entry) = index.get(path)
        && !matches!(entry.content, Content::Link(_))
    {
        return Ok((path.to_owned(), entry));
    }
    let (mut done, mut links, mut last) = (String::new(), 0, None);
    let mut ahead: Vec<String> = parts(path);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            let Some(up) = parent(&done) else {
                return Err(LinkError::LeadsOut(last.unwrap_or_else(|| path.into())));
            };
            done = up;
            continue;
        }
        let here = if done.is_empty() { part } else { format!("{done}/{part}") };
        match index.get(&here).map(|entry| &entry.content) {
            Some(Content::Link(to)) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(LinkError::Circle);
                }
                if to.starts_with('/') {
                    return Err(LinkError::LeadsOut(to.clone()));
                }
                last = Some(to.clone());
                ahead.extend(parts(to));
            }
            _ => done = here,
        }
    }
    match (index.get(&done), last) {
        (Some(entry), _) => Ok((done, entry)),
        (None, Some(_)) => Err(LinkError::Dangling(done)),
        (None, None) => Err(LinkError::Missing),
    }
}

/// The components of a path in reverse order.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// The parent directory, or `None` for the bundle's top directory.
fn parent(path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned())
}
