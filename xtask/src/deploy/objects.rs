//! Compares the objects that two programs made.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::workspace::Result;

/// Objects by their names: `apps/v1 Deployment ovn-troubleshooter/mcp-ovn`.
pub(super) struct Objects(BTreeMap<String, Value>);

impl Objects {
    /// Reads the documents of a text in YAML. Fails if two objects have the same name.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut all = BTreeMap::new();
        for object in serde_saphyr::from_multiple::<Value>(text)? {
            // A template whose objects are all left out makes an empty document.
            if object.is_null() {
                continue;
            }
            let name = name(&object);
            if all.insert(name.clone(), object).is_some() {
                return Err(format!("two objects are {name}").into());
            }
        }
        Ok(Self(all))
    }

    /// Returns the number of objects.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the objects of a kind with their names.
    pub(super) fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.0
            .iter()
            .filter(move |(_, object)| at(object, "/kind") == kind)
            .map(|(name, it)| (name.as_str(), it))
    }

    /// Returns whether there is an object of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Returns one sentence per object of kustomize (these) that differs from that of the chart (the others).
    pub(super) fn differences(&self, chart: &Self) -> Vec<String> {
        let missing = chart.0.keys().filter(|name| !self.has(name));
        let mut all: Vec<String> = missing.map(|name| format!("{name}: only the chart has it")).collect();
        for (name, object) in &self.0 {
            match chart.0.get(name) {
                None => all.push(format!("{name}: only kustomize has it")),
                Some(other) => {
                    all.extend(difference(object, other, "").map(|said| format!("{name}: {said}")));
                }
            }
        }
        all
    }
}

/// Returns a text of an object, or an empty one.
pub(super) fn at<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn name(object: &Value) -> String {
    let (namespace, name) = (at(object, "/metadata/namespace"), at(object, "/metadata/name"));
    let slash = if namespace.is_empty() { "" } else { "/" };
    format!("{} {} {namespace}{slash}{name}", at(object, "/apiVersion"), at(object, "/kind"))
}

/// Returns the first difference of two values, with its path.
fn difference(kustomize: &Value, chart: &Value, path: &str) -> Option<String> {
    match (kustomize, chart) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            let part =
                |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or_default();
            let mut all =
                keys.map(|key| difference(&part(one, key), &part(other, key), &format!("{path}/{key}")));
            all.find_map(|said| said)
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(number, (one, other))| difference(one, other, &format!("{path}/{number}")))
        }
        (one, other) if one == other => None,
        (one, other) => Some(format!("{path} is {one} in kustomize and {other} in the chart")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POD: &str =
        "apiVersion: v1\nkind: Pod\nmetadata: { name: a, namespace: b }\nspec: { hosts: [one, two] }\n";

    fn differences(one: &str, other: &str) -> Vec<String> {
        Objects::parse(one).unwrap().differences(&Objects::parse(other).unwrap())
    }

    #[test]
    fn the_same_objects_in_another_order_are_equal() {
        let service = "apiVersion: v1\nkind: Service\nmetadata: { name: a }\n";
        let turned =
            "kind: Pod\nspec: { hosts: [one, two] }\napiVersion: v1\nmetadata: { namespace: b, name: a }\n";
        let (one, other) = (format!("{POD}---\n{service}"), format!("{service}---\n# Empty.\n---\n{turned}"));
        assert_eq!(differences(&one, &other), Vec::<String>::new());
    }

    #[test]
    fn a_difference_has_its_path() {
        let said = |other: &str| differences(POD, other);
        assert_eq!(
            said(&POD.replace("two", "three")),
            ["v1 Pod b/a: /spec/hosts/1 is \"two\" in kustomize and \"three\" in the chart"]
        );
        assert_eq!(
            said(&POD.replace("hosts: [one, two]", "more: 1, hosts: [one, two]")),
            ["v1 Pod b/a: /spec/more is null in kustomize and 1 in the chart"]
        );
        assert_eq!(
            said(&POD.replace("name: a", "name: c")),
            ["v1 Pod b/c: only the chart has it", "v1 Pod b/a: only kustomize has it"]
        );
    }

    #[test]
    fn an_object_that_is_there_twice_is_an_error() {
        assert_eq!(
            Objects::parse(&format!("{POD}---\n{POD}")).err().unwrap().to_string(),
            "two objects are v1 Pod b/a"
        );
    }
}
