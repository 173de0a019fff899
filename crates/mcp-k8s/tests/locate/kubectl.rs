//! Tests objects, events and logs of bundles that have less data than a cluster.

use crate::changed::Changed;
use mcp_core::Budget;
use mcp_testing::Failed;
use serde_json::{Value, json};

/// A pod with events.
const CRASHY: &str = "crashy-67b46f8869-p2vbt";
const EVENTS: &str = "namespaces/clients/core/events.yaml";

async fn ask(capture: &Changed, tool: &str, params: Value) -> Result<Result<String, String>, Failed> {
    let params = params.as_object().cloned().unwrap_or_default();
    capture.connection().await?.call(tool, &params).await
}

async fn answer(capture: &Changed, tool: &str, params: Value) -> Result<String, Failed> {
    Ok(ask(capture, tool, params).await?.unwrap_or_else(|error| error))
}

/// Asks a server whose answers have at most `bytes` bytes.
async fn answer_within(capture: &Changed, tool: &str, params: Value, bytes: usize) -> Result<String, Failed> {
    let params = params.as_object().cloned().unwrap_or_default();
    let connection = capture.connection_within(Budget { bytes, ..Budget::default() }).await?;
    Ok(connection.call(tool, &params).await?.unwrap_or_else(|error| error))
}

/// Returns the lines of an answer without its first line and its notes.
fn rows(answer: &str) -> Vec<&str> {
    answer.lines().skip(1).filter(|line| !line.starts_with("note: ")).collect()
}

#[tokio::test]
async fn an_object_may_be_behind_the_end_of_a_damaged_file() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let named = json!({ "kind": "services", "name": "web", "namespace": "shop" });
    assert!(answer(&capture, "kubectl_get", named.clone()).await?.contains("ClusterIP"));
    let path = capture.image().join("namespaces/shop/core/services.yaml");
    let text = std::fs::read_to_string(&path)?;
    // The list is cut in its first object.
    std::fs::write(&path, text.get(..text.find("spec:").ok_or("an object")?).unwrap_or_default())?;
    for (tool, params) in [("kubectl_get", named.clone()), ("kubectl_describe", named)] {
        let text = answer(&capture, tool, params).await?;
        assert!(
            text.contains("it is unknown whether the service in namespace shop `web` exists"),
            "{tool}: {text}"
        );
        assert!(text.contains("could not be read completely"), "{tool}: {text}");
    }
    let text = answer(&capture, "kubectl_get", json!({ "kind": "services", "namespace": "shop" })).await?;
    assert!(text.contains("the readable data has no services in namespace shop, but "), "{text}");
    Ok(())
}

#[tokio::test]
async fn unreadable_events_do_not_hide_a_pod() -> Result<(), Failed> {
    let capture = Changed::new()?;
    std::fs::write(capture.image().join(EVENTS), "Unable to connect to the server: EOF\n")?;
    let pod = json!({ "kind": "pod", "name": CRASHY, "namespace": "clients" });
    let text = answer(&capture, "kubectl_describe", pod).await?;
    assert!(text.contains("terminated: Error, exit code 1"), "{text}");
    assert!(text.contains("note: the events were not read: "), "{text}");
    Ok(())
}

#[tokio::test]
async fn events_of_both_api_groups_are_found() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = json!({ "object": format!("pod/clients/{CRASHY}"), "type": "Warning" });
    let before = answer(&capture, "kubectl_events", asked.clone()).await?;
    assert!(before.contains("BackOff"), "{before}");
    let mut list = Value::Null;
    capture.edit(EVENTS, |core| list = core.clone())?;
    for event in list["items"].as_array_mut().into_iter().flatten() {
        event["apiVersion"] = "events.k8s.io/v1".into();
        for (core, newer) in [
            ("involvedObject", "regarding"),
            ("message", "note"),
            ("count", "deprecatedCount"),
            ("firstTimestamp", "deprecatedFirstTimestamp"),
            ("lastTimestamp", "deprecatedLastTimestamp"),
        ] {
            event[newer] = event[core].take();
        }
    }
    list["apiVersion"] = "events.k8s.io/v1".into();
    for namespace in std::fs::read_dir(capture.image().join("namespaces"))? {
        let events = namespace?.path().join("core/events.yaml");
        if events.exists() {
            std::fs::remove_file(events)?;
        }
    }
    capture.add("namespaces/clients/events.k8s.io/events.yaml", &list)?;
    let after = answer(&capture, "kubectl_events", asked).await?;
    assert_eq!(rows(&before), rows(&after));
    let described =
        answer(&capture, "kubectl_describe", json!({ "kind": "pod", "name": format!("clients/{CRASHY}") }));
    assert!(described.await?.contains("BackOff"));
    Ok(())
}

#[tokio::test]
async fn events_of_an_earlier_pod_are_left_out() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = json!({ "kind": "pod", "name": format!("clients/{CRASHY}") });
    let described = answer(&capture, "kubectl_describe", asked.clone()).await?;
    assert!(!described.contains("of an earlier pod"), "{described}");
    capture.edit(EVENTS, |list| {
        let events = list["items"].as_array_mut().into_iter().flatten();
        for event in
            events.filter(|event| event["involvedObject"]["name"] == CRASHY && event["reason"] == "BackOff")
        {
            event["involvedObject"]["uid"] = "00000000-0000-4000-8000-000000000001".into();
        }
    })?;
    let described = answer(&capture, "kubectl_describe", asked).await?;
    assert!(described.contains("events of an earlier pod of this name are left out"), "{described}");
    assert!(!described.contains("Back-off restarting"), "{described}");
    let events = answer(&capture, "kubectl_events", json!({ "object": format!("pod/{CRASHY}") })).await?;
    assert!(events.contains("some of these events belong to an earlier object of this name"), "{events}");
    Ok(())
}

#[tokio::test]
async fn omitted_fields_have_their_defaults() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = |fields: &str| json!({ "kind": "pods", "fields": fields });
    let on_host = answer(&capture, "kubectl_get", asked("spec.hostNetwork=true")).await?;
    let others = answer(&capture, "kubectl_get", asked("spec.hostNetwork=false")).await?;
    assert!(on_host.contains("ovnkube-node-vwrjk") && !on_host.contains("web-"), "{on_host}");
    assert!(others.contains("web-7ddbb54ff6-l6vb8") && !others.contains("ovnkube"), "{others}");
    let none = ask(&capture, "kubectl_get", asked("spec.nodeName=nowhere")).await?;
    assert!(none.is_ok_and(|none| none.contains("there are no pods that match the selectors")));
    // A missing field has its default, so a misspelled path selects everything. The answer says so.
    for misspelled in ["spec.hostNetwrk=false", "status.phse!=Running"] {
        let all = answer(&capture, "kubectl_get", asked(misspelled)).await?;
        let path = misspelled.split(['=', '!']).next().unwrap_or_default();
        assert!(all.contains(&format!("note: none of the 19 pods has a field `{path}`")), "{all}");
    }
    assert!(!others.contains("has a field"), "{others}");
    let wrong = ask(&capture, "kubectl_get", asked("spec.nodename=ovn-worker")).await?;
    assert!(
        wrong.as_ref().is_err_and(|error| error.contains("pods has a field `spec.nodename`")),
        "{wrong:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_kind_that_was_not_collected_does_not_hide_other_kinds() -> Result<(), Failed> {
    let capture = Changed::new()?;
    for missing in ["leases", "nosuchkind"] {
        let several =
            answer(&capture, "kubectl_get", json!({ "kind": format!("{missing},svc"), "namespace": "shop" }));
        let several = several.await?;
        assert!(several.contains("web-nodeport"), "{several}");
        assert!(
            several.lines().any(|line| line.starts_with("note: ") && line.contains(missing)),
            "{several}"
        );
    }
    let none = ask(&capture, "kubectl_get", json!({ "kind": "leases,nosuchkind" })).await?;
    assert!(none.is_err(), "{none:?}");
    Ok(())
}

#[tokio::test]
async fn a_namespace_exists_if_anything_in_it_was_collected() -> Result<(), Failed> {
    let capture = Changed::new()?;
    capture.remove("namespaces/default/default.yaml")?;
    for (namespace, said) in [
        ("default", "no service in namespace default is named `web`"),
        ("nowhere", "nothing was collected from namespace nowhere"),
    ] {
        let asked = json!({ "kind": "Service", "name": "web", "namespace": namespace });
        let text = answer(&capture, "kubectl_get", asked).await?;
        assert!(text.contains(said), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn json_output_is_one_valid_document() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let document =
        |answer: &str| -> Result<Value, Failed> { Ok(serde_json::from_str(&rows(answer).join("\n"))?) };
    let text =
        answer(&capture, "kubectl_get", json!({ "kind": "svc", "namespace": "shop", "output": "json" }))
            .await?;
    let services = document(&text)?;
    assert_eq!(services["kind"], "List");
    assert_eq!(services["metadata"], json!({}));
    assert_eq!(services["items"].as_array().map(Vec::len), Some(5));
    let text = answer(&capture, "kubectl_get", json!({ "kind": "pods", "output": "json" })).await?;
    let pods = document(&text)?;
    let (shown, left) =
        (pods["items"].as_array().map_or(0, Vec::len), &pods["metadata"]["remainingItemCount"]);
    assert_eq!(Some(19 - shown as u64), left.as_u64(), "{shown} shown");
    // limit, offset and grep select objects, as in the other formats.
    let page = json!({ "kind": "pods", "output": "json", "limit": 2, "offset": 1 });
    let page = document(&answer(&capture, "kubectl_get", page).await?)?;
    let name = |pods: &Value, at: usize| pods["items"][at]["metadata"]["name"].clone();
    assert_eq!((name(&page, 0), name(&page, 1)), (name(&pods, 1), name(&pods, 2)));
    assert_eq!(
        (page["items"].as_array().map(Vec::len), &page["metadata"]["remainingItemCount"]),
        (Some(2), &json!(16))
    );
    let matching = json!({ "kind": "pods", "output": "json", "grep": "\"name\":\"web-7ddbb54ff6-l6vb8\"" });
    let matching = document(&answer(&capture, "kubectl_get", matching).await?)?;
    assert_eq!(matching["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(name(&matching, 0), "web-7ddbb54ff6-l6vb8");
    let none = json!({ "kind": "pods", "output": "json", "labels": "app=nothing" });
    let none = answer(&capture, "kubectl_get", none).await?;
    assert_eq!(document(&none)?["items"], json!([]));
    assert!(none.contains("note: there are no pods that match the selectors"), "{none}");
    // Objects that do not fit are left out as a whole. If not even one fits, the document is valid and empty.
    let tight = json!({ "kind": "nodes,pods", "output": "json" });
    for bytes in [1_500, 4_000, 9_000, 20_000] {
        let text = answer_within(&capture, "kubectl_get", tight.clone(), bytes).await?;
        assert!(text.len() <= bytes, "{bytes}: {}", text.len());
        let list = document(&text)?;
        let shown = list["items"].as_array().map_or(0, Vec::len);
        assert_eq!(list["metadata"]["remainingItemCount"], json!(22 - shown), "{bytes}: {text}");
        assert_eq!(
            text.contains("bytes and does not fit; offset=1 shows the next rows"),
            shown == 0,
            "{text}"
        );
    }
    let pod = json!({ "kind": "pod", "name": "shop/web-7ddbb54ff6-l6vb8", "output": "json" });
    assert_eq!(document(&answer(&capture, "kubectl_get", pod).await?)?["kind"], "Pod");
    Ok(())
}

#[tokio::test]
async fn a_kind_without_a_match_is_named() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = json!({ "kind": "pods,configmaps,svc", "grep": "web-" });
    let text = answer(&capture, "kubectl_get", asked).await?;
    assert!(text.contains("\nnote: grep=web- matches no row under configmaps\n"), "{text}");
    Ok(())
}

#[tokio::test]
async fn limit_counts_objects() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = json!({ "kind": "configmaps,pods", "output": "yaml", "limit": 3 });
    let text = answer(&capture, "kubectl_get", asked).await?;
    assert_eq!(text.lines().filter(|line| line.starts_with("# configmap/")).count(), 3, "{text}");
    assert!(text.contains("offset=3 shows the next rows"), "{text}");
    Ok(())
}

#[tokio::test]
async fn an_age_counts_back_from_the_end_of_the_log() -> Result<(), Failed> {
    let capture = Changed::new()?;
    let asked = json!({
        "pod": "ovn-kubernetes/ovnkube-node-pqrlf", "container": "ovnkube-controller", "run": "previous", "since": "1m"
    });
    let text = answer(&capture, "kubectl_logs", asked).await?;
    assert!(text.contains("the time of the log's last line"), "{text}");
    assert!(text.contains("failed to run ovnkube"), "{text}");
    Ok(())
}
