//! Where links lead: inside the bundle, or nowhere.

use super::index::{Content, Entry, Index};

/// Why there is no file at the end of a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Gone {
    #[error("it is not in the bundle")]
    Missing,
    #[error("it is a link to {0}, which is not in the bundle")]
    Dangling(String),
    #[error("it is a link that leads out of the bundle, to {0}")]
    LeadsOut(String),
    #[error("it is a link that leads in a circle")]
    Circle,
}

/// As many as Linux follows (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Follows links in any part of a path, over the list of files: the file system is not asked.
pub(super) fn resolve<'a>(index: &'a Index, path: &str) -> Result<(String, &'a Entry), Gone> {
    // As it nearly always is.
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
                return Err(Gone::LeadsOut(last.unwrap_or_else(|| path.into())));
            };
            done = up;
            continue;
        }
        let here = if done.is_empty() { part } else { format!("{done}/{part}") };
        match index.get(&here).map(|entry| &entry.content) {
            Some(Content::Link(to)) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(Gone::Circle);
                }
                if to.starts_with('/') {
                    return Err(Gone::LeadsOut(to.clone()));
                }
                last = Some(to.clone());
                ahead.extend(parts(to));
            }
            _ => done = here,
        }
    }
    match (index.get(&done), last) {
        (Some(entry), _) => Ok((done, entry)),
        (None, Some(_)) => Err(Gone::Dangling(done)),
        (None, None) => Err(Gone::Missing),
    }
}

/// The parts of a path, the first at the end.
fn parts(path: &str) -> Vec<String> {
    path.split('/').rev().filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect()
}

/// The directory above; none above the bundle.
fn parent(path: &str) -> Option<String> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('/').map_or("", |(parent, _)| parent).to_owned())
}
