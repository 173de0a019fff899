//! The texts of the licences of the crates in a program.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::dependencies::Package;
use crate::workspace::Result;

/// The beginnings of the names of files with a licence.
const NAMES: &[&str] = &["COPYING", "COPYRIGHT", "LICENCE", "LICENSE", "NOTICE", "UNLICENSE"];

/// Returns a table of the crates, and every text of a licence once, with the crates that have it.
pub(super) fn text(packages: &[Package]) -> Result<String> {
    let mut table = String::from("This program contains these crates of other projects:\n\n");
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.licence.as_deref().unwrap_or("in its own text");
        let found = files(&package.folder)?;
        let note = if found.is_empty() { ", whose package has no text of it" } else { "" };
        writeln!(table, "- {name}: {licence}{note}")?;
        for text in found {
            let users = texts.entry(text).or_default();
            if users.last() != Some(&name) {
                users.push(name.clone());
            }
        }
    }
    for (text, users) in texts {
        writeln!(table, "\n{}\n{}\n\n{text}", "=".repeat(80), users.join(", "))?;
    }
    Ok(table)
}

/// Returns the texts of the licences in a folder, in the order of the names of their files, with the same white space.
fn files(folder: &Path) -> Result<Vec<String>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        if NAMES.iter().any(|begin| name.starts_with(begin)) && entry.file_type()?.is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    let mut texts = Vec::new();
    for path in paths {
        let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        texts.push(lines.join("\n").trim_matches('\n').to_owned());
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_several_crates_have_is_printed_once() {
        let folder = std::env::temp_dir().join(format!("xtask-licences-{}", std::process::id()));
        let crates = [
            ("a", "LICENSE-MIT", "Permission\r\n"),
            ("b", "licence", "\nPermission  \n"),
            ("c", "README", "x"),
        ];
        let packages = crates.map(|(name, file, text)| {
            let own = folder.join(name);
            fs::create_dir_all(&own).unwrap();
            fs::write(own.join(file), text).unwrap();
            let licence = Some("MIT".to_owned());
            Package { name: name.into(), version: "1.0.0".into(), licence, folder: own, ..Package::default() }
        });
        let printed = text(&packages);
        fs::remove_dir_all(&folder).unwrap();
        let printed = printed.unwrap();
        assert_eq!(printed.matches("Permission").count(), 1, "{printed}");
        assert!(printed.contains("\na 1.0.0, b 1.0.0\n\nPermission\n"), "{printed}");
        assert!(printed.contains("- c 1.0.0: MIT, whose package has no text of it\n"), "{printed}");
    }
}
