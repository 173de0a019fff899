//! Tests lists in pages, selectors that a server does not support, both forms of discovery, and secrets.

use crate::server::{Reply, Server};
use mcp_core::{Backend, ObjectKind, ObjectQuery, Table};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const SOON: Duration = Duration::from_secs(20);

fn kind(kind: &str, plural: &str) -> ObjectKind {
    ObjectKind {
        version: "v1".into(),
        kind: kind.into(),
        plural: plural.into(),
        namespaced: true,
        ..ObjectKind::default()
    }
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter_map(|object| object.pointer("/metadata/name")?.as_str()).collect()
}

fn list(names: &[&str], go_on: &str) -> Reply {
    let item =
        |name: &&str| json!({ "metadata": { "name": name, "namespace": "shop", "managedFields": [{}] } });
    let items: Vec<Value> = names.iter().map(item).collect();
    Reply::ok(json!({ "kind": "PodList", "metadata": { "continue": go_on }, "items": items }))
}

#[tokio::test]
async fn pages_are_one_list() {
    let server = Server::start(|uri, _| match uri.query().unwrap_or_default() {
        query if query.contains("continue=two") => list(&["a"], ""),
        query if query.contains("limit=500") => list(&["b", "c"], "two"),
        query => panic!("{query}"),
    })
    .await;
    let read = server.source().await.objects(&ObjectQuery::all(kind("Pod", "pods")), SOON).await.unwrap();
    assert_eq!(names(&read.value), ["a", "b", "c"]);
    // Fields that lists omit are filled in, and fields that only machines read are removed.
    assert_eq!(
        read.value[0],
        json!({ "metadata": { "name": "a", "namespace": "shop" }, "apiVersion": "v1", "kind": "Pod" })
    );
}

#[tokio::test]
async fn a_list_whose_pages_expired_is_read_again_in_one_page() {
    let server = Server::start(|uri, _| match uri.query().unwrap_or_default() {
        query if query.contains("continue=") => {
            Reply::status(410, "Expired", "The provided continue parameter is too old")
        }
        query if query.contains("limit=") => list(&["old", "a"], "two"),
        _ => list(&["a", "b"], ""),
    })
    .await;
    let read = server.source().await.objects(&ObjectQuery::all(kind("Pod", "pods")), SOON).await.unwrap();
    assert_eq!(names(&read.value), ["a", "b"]);
    assert_eq!(server.asked().len(), 3);
}

#[tokio::test]
async fn a_field_selector_that_the_server_does_not_support_is_evaluated_here() {
    let server = Server::start(|uri, _| {
        if uri.query().is_some_and(|query| query.contains("fieldSelector")) {
            return Reply::status(400, "BadRequest", "field label not supported: data.a");
        }
        let object = |name: &str, a: &str| json!({ "metadata": { "name": name }, "data": { "a": a } });
        Reply::ok(json!({ "kind": "ConfigMapList", "items": [object("x", "1"), object("y", "2")] }))
    })
    .await;
    let query = ObjectQuery {
        fields: "data.a=2".parse().unwrap(),
        ..ObjectQuery::all(kind("ConfigMap", "configmaps"))
    };
    let source = server.source().await;
    let read = source.objects(&query, SOON).await.unwrap();
    assert_eq!(names(&read.value), ["y"]);
    assert_eq!(read.value[0]["data"], json!({ "a": "2" }));
    // A field that is left out of the answer can still select objects.
    let without = source.objects(&ObjectQuery { without: &["data"], ..query.clone() }, SOON).await.unwrap();
    assert_eq!((names(&without.value), without.value[0].get("data")), (vec!["y"], None));
    assert!(read.notes[0].contains("cannot select by data.a=2"), "{:?}", read.notes);
    // A table of all objects would be a different answer.
    assert!(source.table(&query, SOON).await.unwrap().is_none());
}

#[tokio::test]
async fn a_missing_object_is_an_empty_answer_and_a_missing_kind_is_an_error() {
    let server = Server::start(|uri, _| match uri.path() {
        "/api/v1/namespaces/shop/pods/web" => Reply::status(404, "NotFound", "pods \"web\" not found"),
        _ => Reply::status(404, "NotFound", "the server could not find the requested resource"),
    })
    .await;
    let one = |kind| ObjectQuery {
        namespace: Some("shop".parse().unwrap()),
        name: Some("web".parse().unwrap()),
        ..ObjectQuery::all(kind)
    };
    let source = server.source().await;
    assert!(source.objects(&one(kind("Pod", "pods")), SOON).await.unwrap().value.is_empty());
    assert_eq!(source.table(&one(kind("Pod", "pods")), SOON).await.unwrap().unwrap().value, Table::default());
    assert!(source.objects(&one(kind("Gone", "gones")), SOON).await.is_err());
}

#[tokio::test]
async fn values_of_secrets_are_redacted() {
    let server = Server::start(|_, _| {
        let applied = json!({ "data": { "password": "aHVudGVyMjEy" } }).to_string();
        Reply::ok(json!({ "kind": "SecretList", "items": [{
            "metadata": { "name": "s", "annotations": { "kubectl.kubernetes.io/last-applied-configuration": applied } },
            "type": "Opaque", "data": { "password": "aHVudGVyMjEy" },
        }] }))
    })
    .await;
    let read =
        server.source().await.objects(&ObjectQuery::all(kind("Secret", "secrets")), SOON).await.unwrap();
    let text = json!(read.value).to_string();
    assert!(text.contains("password") && !text.contains("aHVudGVyMj"), "{text}");
    // A selector sees redacted values only, so it cannot confirm a guess.
    let guess = ObjectQuery {
        fields: "data.password=aHVudGVyMjEy".parse().unwrap(),
        ..ObjectQuery::all(kind("Secret", "secrets"))
    };
    assert!(server.source().await.objects(&guess, SOON).await.unwrap().value.is_empty());
}

#[tokio::test]
async fn a_table_comes_from_the_server_or_not_at_all() {
    let server = Server::start(|uri, headers| {
        let accept = headers["accept"].to_str().unwrap();
        assert!(accept.starts_with("application/json;as=Table;v=v1;g=meta.k8s.io"), "{accept}");
        if uri.path().ends_with("/nodes") {
            // A proxy that drops the header of the request returns a list instead of a table.
            return Reply::ok(json!({ "kind": "NodeList", "items": [] }));
        }
        let row = |name: &str| {
            let object = json!({ "metadata": { "name": name, "namespace": "shop" } });
            json!({ "cells": [name, 0, "10.0.0.1"], "object": object })
        };
        let columns = json!([{ "name": "Name", "priority": 0 }, { "name": "Restarts" }, { "name": "IP", "priority": 1 }]);
        Reply::ok(match uri.query().is_some_and(|query| query.contains("continue")) {
            false => json!({ "kind": "Table", "metadata": { "continue": "x" }, "columnDefinitions": columns, "rows": [row("b")] }),
            true => json!({ "kind": "Table", "rows": [row("a")] }),
        })
    })
    .await;
    let source = server.source().await;
    let table = source.table(&ObjectQuery::all(kind("Pod", "pods")), SOON).await.unwrap().unwrap().value;
    let columns: Vec<_> = table.columns.iter().map(|c| (c.name.as_str(), c.priority)).collect();
    assert_eq!(columns, [("Name", 0), ("Restarts", 0), ("IP", 1)]);
    let rows: Vec<_> = table.rows.iter().map(|row| (row.namespace.as_str(), &row.cells[0])).collect();
    assert_eq!(rows, [("shop", &json!("a")), ("shop", &json!("b"))]);
    assert!(source.table(&ObjectQuery::all(kind("Node", "nodes")), SOON).await.unwrap().is_none());
}

/// Deployments in both forms of discovery, and a group whose own server is down.
fn discovery(path: &str, aggregated: bool) -> Reply {
    let verbs = json!(["get", "list"]);
    Reply::ok(match (path, aggregated) {
        ("/api", true) => {
            json!({ "kind": "APIGroupDiscoveryList", "items": [{ "metadata": {}, "versions": [{ "version": "v1", "resources": [
            { "resource": "pods", "responseKind": { "kind": "Pod" }, "scope": "Namespaced", "singularResource": "pod", "verbs": verbs, "shortNames": ["po"] },
            { "resource": "bindings", "responseKind": { "kind": "Binding" }, "scope": "Namespaced", "verbs": ["create"] },
        ] }] }] })
        }
        ("/apis", true) => json!({ "kind": "APIGroupDiscoveryList", "items": [
            { "metadata": { "name": "apps" }, "versions": [{ "version": "v1", "freshness": "Current", "resources": [
                { "resource": "deployments", "responseKind": { "kind": "Deployment" }, "scope": "Namespaced", "singularResource": "deployment", "verbs": verbs, "shortNames": ["deploy"] },
            ] }, { "version": "v1beta1", "resources": [
                { "resource": "deployments", "responseKind": { "kind": "Deployment" }, "scope": "Namespaced", "verbs": verbs },
            ] }] },
            { "metadata": { "name": "metrics.k8s.io" }, "versions": [{ "version": "v1beta1", "freshness": "Stale", "resources": [] }] },
        ] }),
        ("/api", false) => json!({ "kind": "APIVersions", "versions": ["v1"] }),
        ("/apis", false) => {
            let group = |name: &str, versions: &[&str]| {
                let version = |v: &&str| json!({ "groupVersion": format!("{name}/{v}"), "version": v });
                let all: Vec<Value> = versions.iter().map(version).collect();
                json!({ "name": name, "versions": all, "preferredVersion": all.first() })
            };
            json!({ "kind": "APIGroupList", "groups": [group("apps", &["v1", "v1beta1"]), group("metrics.k8s.io", &["v1beta1"])] })
        }
        ("/api/v1", _) => json!({ "kind": "APIResourceList", "groupVersion": "v1", "resources": [
            { "name": "pods", "singularName": "pod", "kind": "Pod", "namespaced": true, "verbs": verbs, "shortNames": ["po"] },
            { "name": "pods/log", "singularName": "", "kind": "Pod", "namespaced": true, "verbs": verbs },
            { "name": "bindings", "singularName": "binding", "kind": "Binding", "namespaced": true, "verbs": ["create"] },
        ] }),
        ("/apis/apps/v1" | "/apis/apps/v1beta1", _) => {
            json!({ "kind": "APIResourceList", "groupVersion": "apps/v1", "resources": [
            { "name": "deployments", "singularName": "deployment", "kind": "Deployment", "namespaced": true, "verbs": verbs, "shortNames": ["deploy"] },
        ] })
        }
        _ => {
            return Reply::status(
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
            );
        }
    })
}

#[tokio::test]
async fn kinds_are_found_in_both_forms_of_discovery() {
    let mut found = Vec::new();
    for aggregated in [true, false] {
        let server = Server::start(move |uri, headers| {
            assert!(
                !uri.path().ends_with("api")
                    || headers["accept"].to_str().unwrap().contains("APIGroupDiscoveryList")
            );
            discovery(uri.path(), aggregated)
        })
        .await;
        let read = server.source().await.kinds(SOON).await.unwrap();
        // A note names the group that is missing.
        assert!(
            read.notes.len() == 1 && read.notes[0].contains("metrics.k8s.io/v1beta1"),
            "{:?}",
            read.notes
        );
        assert_eq!(read.value[1].api_version(), "apps/v1");
        assert!(read.value[1].is_called("deploy") && read.value[0].is_called("po"));
        found.push(read.value);
    }
    assert_eq!(found[0], found[1]);
    assert_eq!(found[0].len(), 2);
}

#[tokio::test]
async fn kinds_and_nodes_are_cached_between_calls() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|_, _| {
        ASKED.fetch_add(1, Ordering::SeqCst);
        Reply::ok(json!({ "kind": "PartialObjectMetadataList", "items": [{ "metadata": { "name": "n2" } }, { "metadata": { "name": "n1" } }] }))
    })
    .await;
    let source = server.source().await;
    for _ in 0..3 {
        let nodes = source.nodes().await.unwrap();
        assert_eq!(nodes.iter().map(|node| node.as_str()).collect::<Vec<_>>(), ["n1", "n2"]);
    }
    assert_eq!(ASKED.load(Ordering::SeqCst), 1);
}
