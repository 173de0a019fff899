//! `cargo xtask demo`: shows a troubleshooting session on the shipped must-gather, as a model sees it.
//!
//! The calls and the answers are real, over MCP and pipes. The conclusion is computed from the answers, so different
//! answers would give a different conclusion.

use serde_json::{Value, json};

use crate::mcp::{Era, Session};
use crate::workspace::{Result, Workspace};

const POD: &str = "clients/client-v58hz";
const SERVICE: &str = "shop/no-backends";

/// The maximum number of lines of an answer that the demo prints; a model gets the whole answer.
const LINES: usize = 16;
const COLUMNS: usize = 150;

/// One call, and the reason why a model makes it.
struct Step {
    why: &'static str,
    tool: &'static str,
    arguments: Value,
}

/// Runs the session and prints the questions and the answers.
pub(crate) fn run() -> Result {
    let workspace = Workspace::open()?;
    let layer = workspace.layer("mcp-ovn")?;
    workspace.build_layer(layer)?;
    let sources = workspace.sources("capture");
    println!("Question: pod {POD} cannot reach service {SERVICE}: \"connection refused\". Why?\n");
    println!(
        "The model uses mcp-ovn with {}",
        sources.join(" ").replace(&format!("{}/", workspace.root.display()), "")
    );

    let mut session = Session::start(&workspace.sh, &workspace.binary(layer), &sources, Era::Initialize)?;
    session.open()?;
    let mut answers = Vec::new();
    for (number, step) in steps().iter().enumerate() {
        println!("\n--- {}. {}", number + 1, step.why);
        println!("> {} {}", step.tool, step.arguments);
        let answer = session.call(step.tool, &step.arguments)?;
        let answer = answer.map_err(|error| format!("{} failed: {error}", step.tool))?;
        show(&answer);
        answers.push(answer);
    }
    session.close()?;
    println!("\nConclusion: {}", conclusion(&answers)?);
    Ok(())
}

fn steps() -> [Step; 6] {
    [
        Step {
            why: "Is the requested configuration in force on the pod's node? The server finds the node itself.",
            tool: "ovn_db_status",
            arguments: json!({ "pod": POD }),
        },
        Step {
            why: "Does OVN know the source pod, and is its port up?",
            tool: "ovn_nbctl_list",
            arguments: json!({ "pod": POD, "table": "Logical_Switch_Port", "record": POD, "columns": ["name", "addresses", "up"] }),
        },
        Step {
            why: "Which endpoints does the service have on the pod's node?",
            tool: "ovn_nbctl_list",
            arguments: json!({ "pod": POD, "table": "Load_Balancer", "grep": SERVICE, "columns": ["name", "vips", "options"] }),
        },
        Step {
            why: "Is the load balancer the same on every node, or did this node miss an update?",
            tool: "ovn_nbctl_list",
            arguments: json!({ "node_name": "all", "table": "Load_Balancer", "grep": SERVICE }),
        },
        Step {
            why: "What do the other services of the namespace look like?",
            tool: "ovn_nbctl_list",
            arguments: json!({
                "pod": POD, "table": "Load_Balancer", "grep": "shop/(db|web)_", "columns": ["name", "vips"], "limit": 3,
            }),
        },
        Step {
            why: "Did the service ever have an endpoint? What changed, and when?",
            tool: "ovn_db_status",
            arguments: json!({ "pod": POD, "history": "nb", "grep": SERVICE }),
        },
    ]
}

fn show(answer: &str) {
    for line in answer.lines().take(LINES) {
        let short: String = line.chars().take(COLUMNS).collect();
        println!("  {short}{}", if short.len() < line.len() { "…" } else { "" });
    }
    if let more @ 1.. = answer.lines().count().saturating_sub(LINES) {
        println!("  … and {more} more lines");
    }
}

/// Returns the conclusion that follows from the answers.
fn conclusion(answers: &[String]) -> Result<String> {
    let [status, port, service, compared, _, history] = answers else {
        return Err("an answer is missing".into());
    };
    let (vip, endpoints) = virtual_ip(service).ok_or("the service's row shows no virtual IP")?;
    let everywhere = compared.lines().any(|line| line.starts_with("compared and equal: "));
    let zones = if everywhere { "and all nodes agree" } else { "but the nodes differ: compare them" };
    let cause = if !endpoints.is_empty() {
        format!("{vip} has the endpoints {endpoints}, {zones}. The load balancer is not the cause.")
    } else if service.contains("reject=\"true\"") {
        format!(
            "{vip} has no endpoint, {zones}. OVN answers for such a service with a reset, so the client sees \
             \"connection refused\" at once. Look at the service's selector and its pods, not at the network."
        )
    } else {
        format!("{vip} has no endpoint, {zones}. OVN drops the packets, so the client times out.")
    };
    let up = if field(port, "up") == Some("true") { "is up" } else { "is not up" };
    let in_force = field(status, "configuration").is_some_and(|value| value.starts_with("in force"));
    let in_force = if in_force { "is in force" } else { "is not in force" };
    let changes: Vec<&str> =
        history.lines().filter(|line| line.contains(" Load_Balancer ")).map(str::trim).collect();
    Ok(format!(
        "{cause}\n  The pod's port {up}; the configuration {in_force}.\n  The log of the database shows {}.",
        if changes.is_empty() { "no change of the load balancer".into() } else { changes.join("; ") }
    ))
}

/// Returns the value of a column in a list of rows.
fn field<'a>(rows: &'a str, column: &str) -> Option<&'a str> {
    let (_, value) =
        rows.lines().filter_map(|line| line.split_once(" : ")).find(|(name, _)| name.trim() == column)?;
    Some(value.trim())
}

/// Returns the first virtual IP and its endpoints: `{"10.96.0.10:80"="10.244.1.5:80,10.244.2.7:80"}`.
fn virtual_ip(rows: &str) -> Option<(&str, &str)> {
    let mut quoted = field(rows, "vips")?.split('"').skip(1).step_by(2);
    Some((quoted.next()?, quoted.next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conclude(vips: &str, reject: bool, compared: &str) -> String {
        let service =
            format!("name : x\nvips                : {{{vips}}}\noptions : {{reject=\"{reject}\"}}\n");
        let answers = ["configuration : in force: nb_cfg 2\n", "up   : true\n", &service, compared, "", ""]
            .map(str::to_owned);
        conclusion(&answers).unwrap()
    }

    #[test]
    fn the_conclusion_follows_the_evidence() {
        let reset = conclude("\"10.96.0.1:80\"=\"\"", true, "compared and equal: 1 row\n");
        assert!(
            reset.starts_with("10.96.0.1:80 has no endpoint, and all nodes agree. OVN answers"),
            "{reset}"
        );
        let dropped = conclude("\"10.96.0.1:80\"=\"\"", false, "compared and equal: 1 row\n");
        assert!(dropped.contains("times out"), "{dropped}");
        let fine = conclude("\"10.96.0.1:80\"=\"10.244.0.3:80\"", true, "");
        assert!(
            fine.starts_with("10.96.0.1:80 has the endpoints 10.244.0.3:80, but the nodes differ"),
            "{fine}"
        );
    }

    #[test]
    fn without_the_row_there_is_no_conclusion() {
        assert!(conclusion(&vec![String::new(); 6]).is_err());
    }
}
