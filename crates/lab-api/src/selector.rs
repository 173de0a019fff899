//! Parses the label and field selectors of queries.

use serde_json::Value;

use super::status::Status;

/// The selectors of a request.
#[derive(Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Label>,
    fields: Vec<Field>,
}

#[derive(Debug, PartialEq, Eq)]
struct Label {
    key: String,
    test: LabelTest,
}

#[derive(Debug, PartialEq, Eq)]
enum LabelTest {
    Exists,
    Absent,
    In(Vec<String>),
    NotIn(Vec<String>),
}

#[derive(Debug, PartialEq, Eq)]
struct Field {
    path: String,
    value: String,
    equal: bool,
}

/// Returns the fields that the API server supports in selectors, besides name and namespace.
fn fields_of(plural: &str) -> &'static [&'static str] {
    match plural {
        "pods" => &[
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        ],
        "events" => &[
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "source",
            "type",
        ],
        "nodes" => &["spec.unschedulable"],
        "namespaces" => &["status.phase"],
        _ => &[],
    }
}

impl Selector {
    /// Parses both selectors.
    pub(super) fn parse(plural: &str, labels: &str, fields: &str) -> Result<Self, Status> {
        let labels = parts(labels).into_iter().map(label).collect::<Result<_, _>>()?;
        let fields =
            fields.split(',').filter(|part| !part.is_empty()).map(field).collect::<Result<Vec<_>, _>>()?;
        let known = |path: &str| {
            matches!(path, "metadata.name" | "metadata.namespace") || fields_of(plural).contains(&path)
        };
        match fields.iter().find(|field| !known(&field.path)) {
            Some(field) => Err(Status::bad_request(format!("field label not supported: {}", field.path))),
            None => Ok(Self { labels, fields }),
        }
    }

    /// Checks whether the selectors match all objects.
    pub(super) fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    /// Checks whether the selectors match an object.
    pub(super) fn selects(&self, object: &Value) -> bool {
        self.labels.iter().all(|label| label.fits(object))
            && self.fields.iter().all(|field| field.fits(object))
    }
}

impl Label {
    fn fits(&self, object: &Value) -> bool {
        let value = object.pointer("/metadata/labels").and_then(|labels| labels.get(&self.key)?.as_str());
        let among = |values: &[String]| value.is_some_and(|value| values.iter().any(|each| each == value));
        match &self.test {
            LabelTest::Exists => value.is_some(),
            LabelTest::Absent => value.is_none(),
            LabelTest::In(values) => among(values),
            LabelTest::NotIn(values) => !among(values),
        }
    }
}

impl Field {
    fn fits(&self, object: &Value) -> bool {
        let path = match self.path.as_str() {
            "source" => "/source/component".into(),
            path => format!("/{}", path.replace('.', "/")),
        };
        let value = match object.pointer(&path) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => String::new(),
            Some(other) => other.to_string(),
        };
        (value == self.value) == self.equal
    }
}

/// Splits a selector at the commas outside parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let split = text.split(move |c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        c == ',' && depth == 0
    });
    split.map(str::trim).filter(|part| !part.is_empty()).collect()
}

fn label(text: &str) -> Result<Label, Status> {
    let values = |list: &str| -> Result<Vec<String>, Status> {
        let list = list.trim().strip_prefix('(').and_then(|list| list.strip_suffix(')'));
        let list = list.ok_or_else(|| Status::bad_request(format!("unable to parse requirement: {text}")))?;
        Ok(list.split(',').map(|value| value.trim().to_owned()).collect())
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    let (key, test) = if let Some(key) = text.strip_prefix('!') {
        (key, LabelTest::Absent)
    } else if let Some((key, list)) = text.split_once(" notin ") {
        (key, LabelTest::NotIn(values(list)?))
    } else if let Some((key, list)) = text.split_once(" in ") {
        (key, LabelTest::In(values(list)?))
    } else if let Some((key, value)) = text.split_once("!=") {
        (key, LabelTest::NotIn(one(value)))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key, LabelTest::In(one(value)))
    } else {
        (text, LabelTest::Exists)
    };
    Ok(Label { key: key.trim().into(), test })
}

fn field(text: &str) -> Result<Field, Status> {
    let of = |(path, value): (&str, &str), equal| Field { path: path.into(), value: value.into(), equal };
    let unequal = text.split_once("!=").map(|pair| of(pair, false));
    let equal = || text.split_once("==").or_else(|| text.split_once('=')).map(|pair| of(pair, true));
    unequal
        .or_else(equal)
        .ok_or_else(|| Status::bad_request(format!("invalid selector: '{text}'; can't understand '{text}'")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn all_forms_of_label_selectors_are_supported() {
        let web = json!({ "metadata": { "name": "web-1", "labels": { "app": "web", "tier": "front" } } });
        let cases = [
            ("app=web", true),
            ("app==web,tier=front", true),
            ("app!=web", false),
            ("other!=web", true),
            ("app in (db, web)", true),
            ("app notin (db,web),tier", false),
            ("app in (db, web),tier notin (back)", true),
            ("tier", true),
            ("!tier", false),
            ("other", false),
        ];
        for (text, expected) in cases {
            let selector = Selector::parse("pods", text, "").unwrap();
            assert_eq!(selector.selects(&web), expected, "{text}");
        }
        assert!(Selector::parse("pods", "app in db", "").is_err());
    }

    #[test]
    fn field_selectors_depend_on_the_kind() {
        let pod = json!({ "metadata": { "name": "a" }, "spec": { "nodeName": "n1" }, "status": { "phase": "Running" } });
        for (text, expected) in [
            ("spec.nodeName=n1", true),
            ("spec.nodeName=n1,status.phase!=Running", false),
            ("metadata.name=a", true),
            ("status.podIP=", true),
        ] {
            assert_eq!(Selector::parse("pods", "", text).unwrap().selects(&pod), expected, "{text}");
        }
        assert!(Selector::parse("pods", "", "spec.image=a").is_err());
        assert!(Selector::parse("services", "", "spec.nodeName=a").is_err());
        assert!(Selector::parse("pods", "", "spec.nodeName").is_err());
    }
}
