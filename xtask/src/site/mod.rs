//! `cargo xtask site`: the documentation as a site, with every link checked.
//!
//! The pages are the files of the repository, in the same folders, so that a link works in both places. mdBook makes
//! the site. It does not check links, so this task does.

mod links;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use xshell::cmd;

use crate::installed;
use crate::workspace::{Result, Workspace};

/// The folder of the configuration and the contents.
const FOLDER: &str = "docs/site";

/// Folders below `docs` and `deploy` have pages that must be in the contents, so that no page is forgotten.
const PAGES: [&str; 2] = ["docs/", "deploy/"];

/// The folder of the pages that the servers print, whose texts may contain `<node>`.
const PRINTED: &str = "docs/reference/";

/// Builds the site and checks its links.
pub(crate) fn run() -> Result {
    let workspace = Workspace::open()?;
    let sh = &workspace.sh;
    let mdbook = installed::of_python(&workspace, "mdbook")?.join("mdbook");
    let folder = workspace.cache("site")?;
    sh.remove_path(&folder)?;
    let source = folder.join("src");
    sh.create_dir(&source)?;
    let tracked = cmd!(sh, "git ls-files -z --cached --others --exclude-standard").quiet().read()?;
    let tracked: BTreeSet<&str> = tracked.split_terminator('\0').collect();
    let summary = sh.read_file(workspace.root.join(FOLDER).join("SUMMARY.md"))?;
    let pages: BTreeSet<&str> = links::in_markdown(&summary).into_iter().collect();
    let forgotten: Vec<&&str> =
        tracked.iter().filter(|path| is_page(path) && !pages.contains(**path)).collect();
    if !forgotten.is_empty() {
        return Err(format!("{FOLDER}/SUMMARY.md lacks {forgotten:?}").into());
    }
    let mut outside = Vec::new();
    for page in &pages {
        let text = adapt(&workspace, page, &pages, &tracked, &mut outside)?;
        sh.write_file(source.join(page), text)?;
    }
    for file in outside {
        let target = source.join(&file);
        sh.create_dir(target.parent().unwrap_or(&source))?;
        sh.copy_file(workspace.root.join(&file), target)?;
    }
    sh.write_file(source.join("SUMMARY.md"), &summary)?;
    sh.copy_file(workspace.root.join(FOLDER).join("book.toml"), &folder)?;
    let output = cmd!(sh, "{mdbook} build {folder}").quiet().ignore_status().output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || said.contains("WARN") || said.contains("ERROR") {
        return Err(format!("mdbook: {said}").into());
    }
    let html = folder.join("html");
    let (count, problems) = links::check(&html)?;
    println!("{} pages, {count} links within the site: {}", pages.len(), html.display());
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n").into()) }
}

/// Returns whether a file of the repository must be in the contents.
fn is_page(path: &str) -> bool {
    PAGES.iter().any(|folder| path.starts_with(folder)) && path.ends_with(".md") && !path.starts_with(FOLDER)
}

/// Returns the text of a page, in which a link to a folder leads to the page of the folder. A link to a file that is
/// not a page is kept if the file is a text, which is then a part of the site; the link's text replaces any other link,
/// such as a link to the folder of a crate.
fn adapt(
    workspace: &Workspace,
    page: &str,
    pages: &BTreeSet<&str>,
    tracked: &BTreeSet<&str>,
    outside: &mut Vec<String>,
) -> Result<String> {
    let mut text = fs::read_to_string(workspace.root.join(page))?;
    let folder = Path::new(page).parent().unwrap_or(Path::new(""));
    for link in links::in_markdown(&text.clone()) {
        let path = link.split('#').next().unwrap_or_default();
        if path.is_empty() || link.contains("://") {
            continue;
        }
        let file = links::normal(&folder.join(path));
        let name = file.to_string_lossy().into_owned();
        let index = links::normal(&file.join("README.md")).to_string_lossy().into_owned();
        let (from, to) = (format!("]({link})"), |path: &str| format!("]({path})"));
        if pages.contains(name.as_str()) {
        } else if pages.contains(index.as_str()) {
            text = text.replace(&from, &to(&format!("{}/README.md", path.trim_end_matches('/'))));
        } else if tracked.contains(name.as_str()) && !name.ends_with(".md") {
            outside.push(name);
        } else if workspace.root.join(&name).exists() {
            text = without_link(&text, &from);
        } else {
            return Err(format!("{page}: the link {link} leads nowhere").into());
        }
    }
    Ok(if page.starts_with(PRINTED) { escape(&text) } else { text })
}

/// Returns a text in which `<` outside of code begins no element of HTML.
fn escape(text: &str) -> String {
    let line = |line: &str| {
        let parts = line.split('`').enumerate();
        // Every second part is code.
        let parts =
            parts.map(|(at, part)| if at % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() });
        parts.collect::<Vec<String>>().join("`") + "\n"
    };
    text.lines().map(line).collect()
}

/// Replaces links with this target by their texts.
fn without_link(text: &str, target: &str) -> String {
    let mut rest = text.to_owned();
    while let Some(end) = rest.find(target) {
        let Some(start) = rest.get(..end).and_then(|before| before.rfind('[')) else { break };
        rest.replace_range(end..end + target.len(), "");
        rest.replace_range(start..=start, "");
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_a_folder_without_a_page_becomes_text() {
        assert_eq!(
            without_link("See [a](b) and [ovsdb](../ovsdb), [ovsdb](../ovsdb).", "](../ovsdb)"),
            "See [a](b) and ovsdb, ovsdb."
        );
    }

    #[test]
    fn a_name_in_angle_brackets_is_not_html() {
        assert_eq!(escape("GR_<node> `<node>` <b>\n"), "GR_&lt;node> `<node>` &lt;b>\n");
    }

    #[test]
    fn every_document_is_a_page() {
        assert!(
            is_page("docs/live.md")
                && is_page("deploy/rbac/README.md")
                && is_page("docs/reference/ovn-tools.md")
        );
        assert!(
            !is_page("docs/site/SUMMARY.md") && !is_page("crates/ovsdb/README.md") && !is_page("docs/a.svg")
        );
    }
}
