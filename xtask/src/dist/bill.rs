//! The list of the crates in a program, as a bill of materials in CycloneDX 1.6 (ECMA-424).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::dependencies::{Dependencies, Package};
use crate::workspace::Result;

/// Returns the bill of a program. It has neither a time nor a random number, so that the same sources make the same
/// bill.
pub(super) fn of(all: &Dependencies, name: &str, used: &BTreeSet<String>) -> Result<Value> {
    let root = all.id(name)?;
    let components: Vec<Value> = used.iter().map(|id| component(&all.package(id), "library")).collect();
    let needs = |id: &String| {
        let needed: BTreeSet<String> = all.needs(id).map(|id| reference(&all.package(id))).collect();
        json!({ "ref": reference(&all.package(id)), "dependsOn": needed })
    };
    let needs: Vec<Value> = std::iter::once(&root).chain(used).map(needs).collect();
    Ok(json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": component(&all.package(&root), "application") },
        "components": components,
        "dependencies": needs,
    }))
}

/// Returns the identifier of a crate in the bill. The crates of this workspace are not in a registry, where other
/// projects own some of their names, so only the other crates have a package URL.
fn reference(package: &Package) -> String {
    let Package { name, version, ours, .. } = package;
    if *ours { format!("workspace:{name}@{version}") } else { format!("pkg:cargo/{name}@{version}") }
}

fn component(package: &Package, kind: &str) -> Value {
    let mut it = json!({
        "type": kind, "bom-ref": reference(package), "name": package.name, "version": package.version,
    });
    let mut set = |key: &str, value: Value| {
        if let Some(map) = it.as_object_mut() {
            map.insert(key.into(), value);
        }
    };
    if !package.ours {
        // The version of a crate may contain a `+`, which is a reserved character of a URL.
        set("purl", reference(package).replace('+', "%2B").into());
    }
    if let Some(checksum) = &package.checksum {
        set("hashes", json!([{ "alg": "SHA-256", "content": checksum }]));
    }
    if let Some(licence) = &package.licence {
        set("licenses", json!([{ "expression": licence }]));
    }
    if let Some(repository) = &package.repository {
        set("externalReferences", json!([{ "type": "vcs", "url": repository }]));
    }
    it
}

#[cfg(test)]
mod tests {
    use super::super::dependencies::tests::example;
    use super::*;

    #[test]
    fn a_bill_names_every_crate_and_what_it_needs() {
        let all = example();
        let bill = of(&all, "server", &all.of("server").unwrap()).unwrap();
        assert_eq!(bill.pointer("/metadata/component/bom-ref"), Some(&json!("workspace:server@1.0.0")));
        let serde = json!({
            "type": "library", "bom-ref": "pkg:cargo/serde@1.0.0", "name": "serde", "version": "1.0.0",
            "purl": "pkg:cargo/serde@1.0.0", "hashes": [{ "alg": "SHA-256", "content": "abc" }],
            "licenses": [{ "expression": "MIT OR Apache-2.0" }],
            "externalReferences": [{ "type": "vcs", "url": "https://code.example/it" }],
        });
        assert_eq!(bill.pointer("/components/1"), Some(&serde));
        assert_eq!(bill.pointer("/components/0/purl"), None, "the name of core is not that of a registry");
        assert_eq!(
            bill.pointer("/dependencies"),
            Some(&json!([
                { "ref": "workspace:server@1.0.0", "dependsOn": ["workspace:core@1.0.0"] },
                { "ref": "workspace:core@1.0.0", "dependsOn": ["pkg:cargo/serde@1.0.0"] },
                { "ref": "pkg:cargo/serde@1.0.0", "dependsOn": [] },
            ]))
        );
    }
}
