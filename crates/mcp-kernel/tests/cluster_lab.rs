//! The lab behind an API server: what is asked of a pod is run in a container of that pod, and says what the namespace itself
//! says.

use mcp_core::{
    Backend, LiveCluster,
    testing::{Case, Failed, LabApi, answer, lab, testdata},
};
use serde_json::{Value, json};
use std::sync::Arc;

fn source(api: &LabApi) -> Result<Arc<dyn Backend>, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    // Under its own role alone, which lets it make no pod.
    Ok(Arc::new(runtime.block_on(LiveCluster::open(&api.kubeconfig(), Some("mcp-kernel"), false))?))
}

/// Without where it was read, which differs and is meant to.
fn ask(source: Arc<dyn Backend>, tool: &str, params: &Value) -> Result<String, Failed> {
    let params = params.as_object().cloned().ok_or("an object")?;
    let text =
        answer(mcp_kernel::layer(), source, &Case { scenario: String::new(), tool: tool.into(), params })?;
    Ok(text.lines().filter(|line| !line.starts_with("# ")).map(|line| format!("{line}\n")).collect())
}

#[test]
#[ignore = "needs the lab: cargo xtask test"]
fn a_pod_is_asked_in_a_container_of_its_own() -> Result<(), Failed> {
    let api = LabApi::start("upstream", &[testdata().join("../deploy/rbac/mcp-kernel.yaml")])?;
    for (tool, params) in [
        ("ip_addr_show", json!({ "pod": "default/web-1" })),
        ("ip_route_show", json!({ "pod": "default/web-1", "get": "10.96.0.10" })),
        ("ip_rule_show", json!({ "pod": "default/client" })),
        ("ss_show", json!({ "pod": "default/web-1", "state": "LISTEN" })),
        ("ip_rule_show", json!({ "node_name": "all" })),
        ("nft_list_ruleset", json!({ "node_name": "ovn-worker", "table": "inet ovn-kubernetes" })),
    ] {
        let through = ask(source(&api)?, tool, &params)?;
        assert!(!through.contains("error: "), "{tool} {params}: {through}");
        assert_eq!(through, ask(lab()?, tool, &params)?, "{tool} {params}");
    }
    Ok(())
}
