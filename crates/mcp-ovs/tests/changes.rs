//! A comparison of all nodes shows any single change of a flow on an external bridge of one node.
//!
//! The changes are random. `CHANGES_SEED=<seed>` selects other ones, and `CHANGES=<number>` more of them.

use mcp_testing::{Failed, RandomChanges, answer_uncut, other_letter, unpack, with_line};
use serde_json::json;
use std::fs;

const REPORTS: [&str; 3] = [
    "sosreport-ovn-control-plane-2026-11-22-wvkhveu",
    "sosreport-ovn-worker-2026-11-22-olhriiu",
    "sosreport-ovn-worker2-2026-11-22-xzpdlmo",
];

/// Returns the flow with one changed character in its cookie, match or actions, or no flow.
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
    Some(Some(format!("{}{}{}", &flow[..at], other_letter(letter), &flow[at + 1..])))
}

#[test]
fn any_change_of_a_flow_is_seen() -> Result<(), Failed> {
    let RandomChanges { mut rng, wanted } = RandomChanges::from_environment();
    let dir = tempfile::tempdir()?;
    for report in REPORTS {
        unpack(&format!("capture/{report}.tar.xz"), dir.path())?;
    }
    let ask = || -> Result<String, Failed> {
        let bundles = REPORTS.map(|report| dir.path().join(report)).to_vec();
        let params = json!({ "node_name": "all", "bridge": "br-ex" });
        answer_uncut(mcp_ovs::layer(), bundles, "ovs_ofctl_dump_flows", params)
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
        fs::write(&file, with_line(&lines, at, change.as_deref()))?;
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
