//! Label selectors of objects (`metav1.LabelSelector`), with `matchLabels` and `matchExpressions`.

use serde_json::{Map, Value};

/// Returns whether a selector selects an object with these labels. An empty selector selects every object. Returns
/// `None` if the selector has an operator that the API does not define.
pub(crate) fn selects(selector: &Value, labels: &Map<String, Value>) -> Option<bool> {
    let equal = |(key, value): (&String, &Value)| labels.get(key) == Some(value);
    let wanted = selector.get("matchLabels").and_then(Value::as_object);
    let mut all = wanted.into_iter().flatten().all(equal);
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    for expression in expressions.into_iter().flatten() {
        let label = labels.get(expression.get("key")?.as_str()?);
        let values = expression.get("values").and_then(Value::as_array);
        let is_one = |label: &Value| values.is_some_and(|values| values.contains(label));
        all &= match expression.get("operator")?.as_str()? {
            "In" => label.is_some_and(is_one),
            // An object without the label is selected as well.
            "NotIn" => !label.is_some_and(is_one),
            "Exists" => label.is_some(),
            "DoesNotExist" => label.is_none(),
            _ => return None,
        };
    }
    Some(all)
}

/// Returns the labels of an object.
pub(crate) fn labels(object: &Value) -> Map<String, Value> {
    object.pointer("/metadata/labels").and_then(Value::as_object).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_operator_selects_as_the_api_says() {
        let labels = json!({ "app": "web", "tier": "front" });
        let is = |selector: Value| selects(&selector, labels.as_object().unwrap());
        let expression = |key: &str, operator: &str, values: &[&str]| {
            is(json!({ "matchExpressions": [{ "key": key, "operator": operator, "values": values }] }))
        };
        assert_eq!(is(json!({})), Some(true));
        assert_eq!(is(json!({ "matchLabels": { "app": "web" } })), Some(true));
        assert_eq!(is(json!({ "matchLabels": { "app": "web", "tier": "back" } })), Some(false));
        assert_eq!(expression("app", "In", &["db", "web"]), Some(true));
        assert_eq!(expression("zone", "In", &["db", "web"]), Some(false));
        assert_eq!(expression("app", "NotIn", &["web"]), Some(false));
        assert_eq!(expression("zone", "NotIn", &["web"]), Some(true));
        assert_eq!(expression("app", "Exists", &[]), Some(true));
        assert_eq!(expression("app", "DoesNotExist", &[]), Some(false));
        assert_eq!(expression("app", "Like", &["w*"]), None);
    }
}
