//! Prints autoscalers (as in `pkg/printers/internalversion/printers.go` of Kubernetes 1.36).

use super::{
    Cells, TableContext,
    object::{NONE, Object},
    text::plain,
};

/// The maximum number of metrics that are shown.
const SHOWN: usize = 2;

pub(super) fn autoscaler(object: Object<'_>, context: &TableContext) -> Cells {
    let target = object.at("/spec/scaleTargetRef");
    let least = object.at("/spec/minReplicas").0.as_i64();
    vec![
        object.text("/metadata/name").into(),
        format!("{}/{}", target.text("/kind"), target.text("/name")).into(),
        metrics(object).into(),
        least.map_or_else(|| "<unset>".into(), |least| least.to_string()).into(),
        object.int("/spec/maxReplicas").into(),
        object.int("/status/currentReplicas").into(),
        context.age(object),
    ]
}

/// Formats the current value and the target of each metric: `cpu: 12%/80%, 3/10 (avg) + 1 more...`.
fn metrics(autoscaler: Object<'_>) -> String {
    // Objects of autoscaling/v1 have one metric, which has its own fields.
    if autoscaler.text("/apiVersion") == "autoscaling/v1" {
        return match autoscaler.at("/spec/targetCPUUtilizationPercentage").0.as_i64() {
            Some(target) => {
                let now = autoscaler.at("/status/currentCPUUtilizationPercentage").0.as_i64();
                format!("cpu: {}/{target}%", now.map_or_else(unknown, |now| format!("{now}%")))
            }
            None => NONE.into(),
        };
    }
    let current: Vec<Object<'_>> = autoscaler.list("/status/currentMetrics").collect();
    let of = |(i, spec): (usize, Object<'_>)| metric(spec, current.get(i).copied());
    let all: Vec<String> = autoscaler.list("/spec/metrics").enumerate().map(of).collect();
    let shown = all.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match all.len() {
        0 => NONE.into(),
        n if n > SHOWN => format!("{shown} + {} more...", n - SHOWN),
        _ => shown,
    }
}

fn unknown() -> String {
    "<unknown>".into()
}

/// Formats a metric. `status` is the entry at the same position in the status. It belongs to another metric if its type
/// differs.
fn metric(spec: Object<'_>, status: Option<Object<'_>>) -> String {
    let (field, named) = match spec.text("/type") {
        "External" => ("external", false),
        "Pods" => ("pods", false),
        "Object" => ("object", false),
        "Resource" => ("resource", true),
        "ContainerResource" => ("containerResource", true),
        _ => return "<unknown type>".into(),
    };
    let spec = spec.at(&format!("/{field}"));
    let target = |of: &str| spec.at(&format!("/target/{of}")).0;
    let current = |of: &str| match status.map(|status| status.at(&format!("/{field}/current/{of}")).0) {
        None | Some(serde_json::Value::Null) => unknown(),
        Some(value) => plain(value),
    };
    let average = !target("averageValue").is_null();
    if named {
        let name = spec.text("/name");
        if average {
            return format!("{name}: {}/{}", current("averageValue"), plain(target("averageValue")));
        }
        let percent = |text: String| if text.starts_with('<') { text } else { format!("{text}%") };
        let wanted = match target("averageUtilization") {
            serde_json::Value::Null => "<auto>".into(),
            value => format!("{}%", plain(value)),
        };
        return format!("{name}: {}/{wanted}", percent(current("averageUtilization")));
    }
    match (average, field) {
        (true, "pods") => format!("{}/{}", current("averageValue"), plain(target("averageValue"))),
        (true, _) => format!("{}/{} (avg)", current("averageValue"), plain(target("averageValue"))),
        (false, _) => format!("{}/{}", current("value"), plain(target("value"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn shown(metrics: Value, current: Value) -> String {
        let object = json!({ "apiVersion": "autoscaling/v2", "spec": { "metrics": metrics }, "status": { "currentMetrics": current } });
        super::metrics(Object(&object))
    }

    /// Uses the cases of the API server's test `TestPrintHPA` in `printers_test.go`.
    #[test]
    fn metrics_are_formatted_as_by_the_api_server() {
        let of = |kind: &str, field: &str, more: Value, target: Value| {
            let mut one = json!({ "type": kind, field: more });
            one[field]["target"] = target;
            one
        };
        let now = |kind: &str, field: &str, current: Value| json!([{ "type": kind, field: { "current": current } }]);
        let metric = || json!({ "metric": { "name": "some-metric" } });
        let cpu = || json!({ "name": "cpu" });
        for (kind, field, more, wanted, current, without, with) in [
            (
                "External",
                "external",
                metric(),
                json!({ "averageValue": "100m" }),
                json!({ "averageValue": "50m" }),
                "<unknown>/100m (avg)",
                "50m/100m (avg)",
            ),
            (
                "External",
                "external",
                metric(),
                json!({ "value": "100m" }),
                json!({ "value": "50m" }),
                "<unknown>/100m",
                "50m/100m",
            ),
            (
                "Pods",
                "pods",
                metric(),
                json!({ "averageValue": "100m" }),
                json!({ "averageValue": "50m" }),
                "<unknown>/100m",
                "50m/100m",
            ),
            (
                "Object",
                "object",
                metric(),
                json!({ "value": "100m" }),
                json!({ "value": "50m" }),
                "<unknown>/100m",
                "50m/100m",
            ),
            (
                "Object",
                "object",
                metric(),
                json!({ "averageValue": "100m" }),
                json!({ "averageValue": "50m" }),
                "<unknown>/100m (avg)",
                "50m/100m (avg)",
            ),
            (
                "Resource",
                "resource",
                cpu(),
                json!({ "averageValue": "100m" }),
                json!({ "averageValue": "50m" }),
                "cpu: <unknown>/100m",
                "cpu: 50m/100m",
            ),
            (
                "Resource",
                "resource",
                cpu(),
                json!({ "averageUtilization": 80 }),
                json!({ "averageUtilization": 50, "averageValue": "40m" }),
                "cpu: <unknown>/80%",
                "cpu: 50%/80%",
            ),
            (
                "ContainerResource",
                "containerResource",
                cpu(),
                json!({ "averageUtilization": 80 }),
                json!({ "averageUtilization": 50 }),
                "cpu: <unknown>/80%",
                "cpu: 50%/80%",
            ),
        ] {
            let spec = json!([of(kind, field, more, wanted)]);
            assert_eq!(shown(spec.clone(), Value::Null), without, "{kind}");
            assert_eq!(shown(spec, now(kind, field, current)), with, "{kind}");
        }
    }

    #[test]
    fn two_metrics_are_shown_and_the_others_are_counted() {
        let cpu = json!({ "type": "Resource", "resource": { "name": "cpu", "target": { "averageUtilization": 80 } } });
        let other = json!({ "type": "Pods", "pods": { "target": { "averageValue": "100m" } } });
        assert_eq!(shown(json!([]), Value::Null), "<none>");
        assert_eq!(shown(json!([other, cpu]), Value::Null), "<unknown>/100m, cpu: <unknown>/80%");
        let current = json!([{ "pods": { "current": { "averageValue": "50m" } } }]);
        assert_eq!(
            shown(json!([other, cpu, other, cpu]), current),
            "50m/100m, cpu: <unknown>/80% + 2 more..."
        );
        assert_eq!(shown(json!([{ "type": "New" }]), Value::Null), "<unknown type>");
    }

    #[test]
    fn objects_of_autoscaling_v1_and_v2_are_printed() {
        let mut object = json!({
            "apiVersion": "autoscaling/v1",
            "metadata": { "name": "web" },
            "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "web" }, "maxReplicas": 10, "targetCPUUtilizationPercentage": 80 },
            "status": { "currentReplicas": 4 },
        });
        let row = |object: &Value| autoscaler(Object(object), &TableContext { as_of: None });
        let wanted = json!(["web", "Deployment/web", "cpu: <unknown>/80%", "<unset>", 10, 4, "<unknown>"]);
        assert_eq!(Value::from(row(&object)), wanted);
        object["spec"]["minReplicas"] = 2.into();
        object["status"]["currentCPUUtilizationPercentage"] = 12.into();
        let wanted = json!(["web", "Deployment/web", "cpu: 12%/80%", "2", 10, 4, "<unknown>"]);
        assert_eq!(Value::from(row(&object)), wanted);
    }
}
