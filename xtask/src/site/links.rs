//! The links of pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::workspace::Result;

/// Returns the targets of the links of a text in Markdown, without those in code.
pub(super) fn in_markdown(text: &str) -> Vec<&str> {
    let mut all = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second part is code.
        for part in line.split('`').step_by(2) {
            let targets = part.split("](").skip(1);
            all.extend(targets.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target));
        }
    }
    all
}

/// Returns a path without `.` and `..`.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = normal.pop(),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

/// Returns the number of links between the pages of a site, and those that lead to no file or no heading.
pub(super) fn check(site: &Path) -> Result<(usize, Vec<String>)> {
    let mut pages = BTreeMap::new();
    read(site, &mut pages)?;
    let mut count = 0;
    let mut problems = Vec::new();
    for (page, text) in &pages {
        // The page for a wrong address has links from the root of the host, and the page for printing has all texts.
        let name = page.strip_prefix(site)?.to_string_lossy();
        if matches!(name.as_ref(), "404.html" | "print.html") {
            continue;
        }
        for link in attributes(text, "href").into_iter().chain(attributes(text, "src")) {
            if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
                continue;
            }
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.parent().unwrap_or(site);
            let target = if path.is_empty() { page.clone() } else { normal(&folder.join(path)) };
            if !target.is_file() {
                problems.push(format!("{name}: the link {link} leads to no file"));
            } else if !anchor.is_empty()
                && !pages.get(&target).is_some_and(|text| attributes(text, "id").contains(anchor))
            {
                problems.push(format!("{name}: the link {link} leads to no heading"));
            }
        }
    }
    Ok((count, problems))
}

/// Reads every page below a folder.
fn read(folder: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path)?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Returns the values of an attribute in a text of HTML that mdBook wrote, which quotes every value.
fn attributes<'a>(text: &'a str, name: &str) -> BTreeSet<&'a str> {
    let begin = format!(" {name}=\"");
    text.split(begin.as_str())
        .skip(1)
        .filter_map(|rest| rest.split_once('"'))
        .map(|(value, _)| value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_code_are_left_out() {
        let text = "See [a](b.md) and `[c](d)`.\n```\n[e](f)\n```\n- [`g`](h#i)\n";
        assert_eq!(in_markdown(text), ["b.md", "h#i"]);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let site = std::env::temp_dir().join(format!("xtask-site-{}", std::process::id()));
        fs::create_dir_all(site.join("docs")).unwrap();
        fs::write(site.join("docs/a.html"), "<h1 id=\"top\"></h1> <a href=\"../b.html#one\"></a>").unwrap();
        fs::write(
            site.join("b.html"),
            "<h2 id=\"one\"></h2><a href=\"docs/a.html#top\"></a><a href=\"docs/a.html#two\"></a><a \
             href=\"https://example.com/x\"></a><img src=\"c.svg\"><a href=\"docs\"></a>",
        )
        .unwrap();
        let found = check(&site);
        fs::remove_dir_all(&site).unwrap();
        let (count, problems) = found.unwrap();
        assert_eq!(count, 5);
        assert_eq!(
            problems,
            [
                "b.html: the link docs leads to no file",
                "b.html: the link docs/a.html#two leads to no heading",
                "b.html: the link c.svg leads to no file",
            ]
        );
    }
}
