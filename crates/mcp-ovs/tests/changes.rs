//! Any single change to a flow of an external bridge of one node is seen when all nodes are compared.
//!
//! The changes are random. `CHANGES_SEED=<seed>` repeats a run, and `CHANGES=<number>` makes it longer.

use mcp_core::{Budget, Bundle};
use mcp_testing::{Case, Failed, answer_within, unpack};
use serde_json::json;
use std::{fs, sync::Arc};

/// So many changes in a normal run.
const CHANGES: usize = 60;

const REPORTS: [&str; 3] = [
    "sosreport-ovn-control-plane-2026-11-22-wvkhveu",
    "sosreport-ovn-worker-2026-11-22-olhriiu",
    "sosreport-ovn-worker2-2026-11-22-xzpdlmo",
];

/// A character like this one, and not this one.
fn other(letter: char) -> char {
    match letter {
        digit @ '0'..='8' => char::from(digit as u8 + 1),
        '9' => '0',
        'x' => 'y',
        _ => 'x',
    }
}

/// The flow with one character of its cookie, match or actions changed, or without it.
fn changed(flow: &str, rng: &mut fastrand::Rng) -> Option<Option<String>> {
    if rng.u8(0..3) == 0 {
        return Some(None);
    }
    let cookie = flow.find("cookie=")? + "cookie=0x".len();
    let priority = flow.find("priority=")?;
    let end_of_cookie = cookie + flow.get(cookie..)?.find(',')?;
    let places: Vec<usize> = (cookie..end_of_cookie).chain(priority..flow.len()).collect();
    let at = rng.choice(places)?;
    let letter = flow.get(at..)?.chars().next().filter(char::is_ascii_alphanumeric)?;
    Some(Some(format!("{}{}{}", &flow[..at], other(letter), &flow[at + 1..])))
}

#[test]
fn any_change_of_a_flow_is_seen() -> Result<(), Failed> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seed = number("CHANGES_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("CHANGES_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let wanted = number("CHANGES").map_or(CHANGES, |n| n as usize);
    let dir = tempfile::tempdir()?;
    for report in REPORTS {
        unpack(&format!("capture/{report}.tar.xz"), dir.path())?;
    }
    let ask = || -> Result<String, Failed> {
        let params = json!({ "node_name": "all", "bridge": "br-ex" });
        let params = params.as_object().ok_or("an object")?.clone();
        let case = Case { scenario: String::new(), tool: "ovs_ofctl_dump_flows".into(), params };
        let backend = Bundle::new(REPORTS.map(|report| dir.path().join(report)).to_vec());
        // Nothing that is seen is cut.
        let budget = Budget { lines: 100_000, bytes: 10_000_000 };
        answer_within(mcp_ovs::layer(), Arc::new(backend), &case, budget)
    };
    let healthy = ask()?;
    let (mut done, mut missed) = (0, Vec::new());
    while done < wanted {
        let report = rng.choice(REPORTS).ok_or("no report")?;
        let file =
            dir.path().join(report).join("sos_commands/openvswitch/ovs-ofctl_-O_OpenFlow15_dump-flows_br-ex");
        let original = fs::read_to_string(&file)?;
        let lines: Vec<&str> = original.lines().collect();
        let at = rng.usize(0..lines.len());
        let Some(change) = lines[at].contains("actions=").then(|| changed(lines[at], &mut rng)).flatten()
        else {
            continue;
        };
        let all = lines.iter().enumerate().filter_map(|(n, line)| match n == at {
            true => change.clone(),
            false => Some((*line).to_owned()),
        });
        let text: String = all.map(|line| line + "\n").collect();
        fs::write(&file, text)?;
        let after = ask()?;
        fs::write(&file, &original)?;
        done += 1;
        let told = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
        if told(&healthy) == told(&after) || !after.contains("different: ") {
            missed.push(format!("{report}: {:?} became {change:?}\n{after}", lines[at]));
        }
    }
    assert!(missed.is_empty(), "{} of {wanted} changes are not seen:\n{}", missed.len(), missed.join("\n\n"));
    Ok(())
}
