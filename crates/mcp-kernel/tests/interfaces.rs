//! No program gets the name of an interface that does not exist, because the kernel would load a module of that name.

use async_trait::async_trait;
use mcp_core::{Argv, Backend, CommandTarget, Coverage, Db, NodeName, Origin, Output, ReadError, ReadValue};
use mcp_testing::{Case, Failed, answer};
use ovsdb::{Database, Rows, Schema, Select};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};

const LINKS: &[u8] = b"1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN mode DEFAULT group default\n\
    2: eth0@if7: <BROADCAST,UP> mtu 1500 qdisc noqueue state UP mode DEFAULT group default\n    altname enp1s0\n";

/// A live node with the interfaces above, which records every command.
#[derive(Default)]
struct OneNode(Mutex<Vec<String>>);

impl OneNode {
    fn absent<T>(&self, what: &str, node: &NodeName) -> Result<T, ReadError> {
        let (source_name, why, instead) = (self.name().into(), None, Vec::new());
        Err(ReadError::NotCollected { what: what.into(), node: node.clone(), source_name, why, instead })
    }
}

#[async_trait]
impl Backend for OneNode {
    fn name(&self) -> &str {
        "one node"
    }

    fn is_live(&self) -> bool {
        true
    }

    async fn nodes(&self) -> Result<Vec<NodeName>, ReadError> {
        "node-1".parse().map(|node| vec![node]).map_err(|e| ReadError::unreadable("the nodes", e))
    }

    async fn coverage(&self) -> Result<Coverage, ReadError> {
        Ok(Coverage::live(self.name(), self.nodes().await?, &[]))
    }

    async fn command(&self, _: &CommandTarget, argv: &Argv) -> Result<ReadValue<Output>, ReadError> {
        let command = argv.to_string();
        let stdout = if command == "ip -s -d link" { LINKS.to_vec() } else { b"name: 7\n".to_vec() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(command.clone());
        let value = Output { stdout, stderr: Vec::new(), status: Some(0) };
        Ok(ReadValue { value, origin: Origin::new(command, None), notes: Vec::new() })
    }

    async fn schema(&self, at: &CommandTarget, _: Db) -> Result<Arc<Schema>, ReadError> {
        self.absent("the schema", &at.node)
    }

    async fn rows(&self, at: &CommandTarget, _: Db, _: &[Select]) -> Result<ReadValue<Vec<Rows>>, ReadError> {
        self.absent("the database", &at.node)
    }

    async fn database(&self, at: &CommandTarget, _: Db) -> Result<ReadValue<Arc<Database>>, ReadError> {
        self.absent("the database", &at.node)
    }
}

/// Returns an answer and the commands of the call.
fn asked(tool: &str, params: &Value) -> Result<(String, Vec<String>), Failed> {
    let node = Arc::new(OneNode::default());
    let params = params.as_object().cloned().unwrap_or_default();
    let case = Case { scenario: String::new(), tool: tool.into(), params };
    let text = answer(mcp_kernel::layer(), node.clone(), &case)?;
    let commands = node.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Ok((text, commands))
}

#[test]
fn a_program_is_asked_only_about_interfaces_that_exist() -> Result<(), Failed> {
    let calls = |interface: &str| {
        [
            ("host_counters", json!({ "what": "ethtool", "interface": interface })),
            ("host_counters", json!({ "what": "features", "interface": interface })),
            ("ip_route_show", json!({ "get": "10.0.0.1", "vrf": interface })),
        ]
    };
    for (tool, params) in calls("sctp") {
        let (text, commands) = asked(tool, &params)?;
        assert!(text.starts_with("error: ") && text.contains("sctp"), "{text}");
        assert!(
            !commands.is_empty() && !commands.iter().any(|command| command.contains("sctp")),
            "{commands:?}"
        );
    }
    for interface in ["eth0", "enp1s0"] {
        for (tool, params) in calls(interface) {
            let (text, commands) = asked(tool, &params)?;
            assert!(
                commands.iter().any(|command| command.contains(interface)),
                "{tool}: {text}\n{commands:?}"
            );
        }
    }
    Ok(())
}
