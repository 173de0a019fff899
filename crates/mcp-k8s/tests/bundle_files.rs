//! Tests bundle_files with the shipped bundles, with packed bundles, and with bundles that hold secrets.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use mcp_core::{Backend, Bundle};
use mcp_testing::{Case, Failed, answer, scenario};
use serde_json::{Value, json};
use std::{fs, sync::Arc};

fn ask(source: Arc<dyn Backend>, params: Value) -> Result<String, Failed> {
    let params = params.as_object().unwrap().clone();
    let case = Case { scenario: String::new(), tool: "bundle_files".into(), params };
    answer(mcp_k8s::layer(), source, &case)
}

/// The must-gather has a list of the Secrets of every namespace, and `oc adm inspect` does not remove their values.
#[test]
fn the_secrets_of_a_real_must_gather_are_left_out() -> Result<(), Failed> {
    let text = ask(scenario("capture"), json!({ "path": "core/secrets.yaml", "search": "." }))?;
    assert!(text.contains("kind: Secret") || text.contains("[redacted"), "{text}");
    let path = "namespaces/ovn-kubernetes/core/secrets.yaml";
    let text = ask(scenario("capture"), json!({ "path": path }))?;
    for line in text.lines().filter(|line| line.contains("tls.key") || line.contains("tls.crt")) {
        assert!(line.contains("[redacted"), "{line}");
    }
    Ok(())
}

#[test]
fn a_secret_is_redacted_for_any_file_name() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("must-gather.local.1/quay-io/notes");
    fs::create_dir_all(&folder)?;
    // Without an object, the folder would not be recognized as a must-gather.
    let pods = dir.path().join("must-gather.local.1/quay-io/namespaces/shop/core");
    fs::create_dir_all(&pods)?;
    fs::write(pods.join("pods.yaml"), "apiVersion: v1\nitems: []\nkind: PodList\n")?;
    let list =
        "apiVersion: v1\nitems:\n- data: {key: aHVudGVyMg==}\n  metadata: {name: s}\nkind: SecretList\n";
    let json =
        r#"{"kind":"Secret","apiVersion":"v1","stringData":{"key":"hunter2"},"metadata":{"name":"s"}}"#;
    let one = "data: {key: aHVudGVyMg==}\nkind: Secret\nmetadata: {name: s}\n";
    for (name, text) in [("a.txt", list), ("b.txt", json), ("c.txt", one)] {
        fs::write(folder.join(name), text)?;
        let source = || Arc::new(Bundle::new(vec![dir.path().join("must-gather.local.1")]));
        for params in [json!({ "path": name }), json!({ "path": name, "search": "key" })] {
            // A search matches redacted text, so it finds no key if all values are replaced together.
            let is_search = params.get("search").is_some();
            let text = ask(source(), params)?;
            assert!(is_search || text.contains("[redacted"), "{text}");
            assert!(!text.contains("hunter2") && !text.contains("aHVudGVyMg"), "{text}");
        }
    }
    Ok(())
}

/// A search matches redacted text, so it cannot confirm guesses at a secret. A long line is redacted before it is
/// truncated.
#[test]
fn a_search_does_not_find_secrets() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let pods = dir.path().join("must-gather.local.1/namespaces/shop/core");
    fs::create_dir_all(&pods)?;
    fs::write(pods.join("pods.yaml"), "apiVersion: v1\nitems: []\nkind: PodList\n")?;
    let line = format!("x=y password={}needle{}\n", "hunter2".repeat(100), " z".repeat(500));
    fs::write(dir.path().join("must-gather.local.1/notes"), line)?;
    let ask_for = |search: &str| {
        let source = Arc::new(Bundle::new(vec![dir.path().join("must-gather.local.1")]));
        ask(source, json!({ "path": "notes", "search": search }))
    };
    for guess in ["hunter2", "needle", "password=h"] {
        let text = ask_for(guess)?;
        assert!(text.contains("no line matches"), "{text}");
    }
    let text = ask_for("password=")?;
    assert!(text.contains("x=y password=[redacted]") && !text.contains("hunter2"), "{text}");
    Ok(())
}

/// The server unpacks only the files that other tools read from a compressed archive. It unpacks other files on demand.
#[test]
fn a_file_that_no_other_tool_reads_is_unpacked_on_demand() -> Result<(), Failed> {
    let path = "event-filter.html";
    let listed = ask(scenario("capture"), json!({ "path": "filter.h" }))?;
    assert!(listed.contains("<html"), "{listed}");
    let found = ask(scenario("capture"), json!({ "path": path, "search": "(?i)<title>" }))?;
    assert!(found.contains("1 of 1 files were searched"), "{found}");
    Ok(())
}

#[test]
fn a_database_is_refused_and_a_long_file_is_paged() -> Result<(), Failed> {
    let refused = ask(scenario("capture"), json!({ "path": "_nbdb", "search": "web" }))?;
    assert!(refused.contains("the file is a database; read the rows of its tables instead"), "{refused}");
    assert!(refused.contains("no line matches"), "{refused}");
    let sos = "sos_commands/networking/ip_route_show_table_all";
    let page = |offset: u32| {
        let params = json!({ "path": sos, "bundle": "sosreport-ovn-worker-", "limit": 2, "offset": offset });
        ask(scenario("bundles/joined"), params)
    };
    let (first, second) = (page(0)?, page(2)?);
    assert!(first.contains("offset=2"), "{first}");
    let row = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();
    assert_ne!(row(&first), row(&second));
    Ok(())
}
