//! What a command asks, apart from how it is written.
//!
//! The same question is written in several ways: `ovn-appctl --timeout=10 ct-zone-list` is what a tool would run,
//! `ovs-appctl -t /var/run/ovn-ic/ovn-controller.1234.ctl ct-zone-list` is what sos ran, and
//! `ovs-appctl_-t_.var.run.ovn-ic.ovn-controller.1234.ctl_ct-zone-list` is the file that holds the answer.

use regex::Regex;
use std::sync::LazyLock;

/// A question: its program, the daemon that is asked, and its words; how long to wait and the like left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Essence {
    program: String,
    daemon: Option<String>,
    words: Vec<String>,
}

/// Options that change nothing about the answer, and whether a number follows.
const NEUTRAL: [(&str, bool); 5] =
    [("--timeout", true), ("-t", true), ("-T", true), ("--no-leader-only", false), ("--no-pager", false)];

impl Essence {
    /// Of a command, as it is run.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mangled =
            words.into_iter().map(|word| mangle(word.rsplit_once("bin/").map_or(word, |(_, name)| name)));
        Self::of_file(&mangled.collect::<Vec<_>>().join("_"))
    }

    /// Of a recorded output, by the name that sos gave its file.
    pub(crate) fn of_file(name: &str) -> Self {
        let mut parts = name.split('_').filter(|part| !part.is_empty()).peekable();
        // A snap's programs have its name before theirs: `openstack-hypervisor.ovs-ofctl`.
        let program = parts.next().unwrap_or_default();
        let program = program.rsplit_once('.').map_or(program, |(_, own)| own);
        let is_appctl = program.ends_with("-appctl");
        let (mut daemon, mut options, mut words) = (None, Vec::new(), Vec::new());
        while let Some(part) = parts.next() {
            let number = parts.peek().is_some_and(|next| next.bytes().all(|b| b.is_ascii_digit()));
            match NEUTRAL.iter().find(|(option, _)| *option == part) {
                Some((_, true)) if number => _ = parts.next(),
                Some((_, false)) => {}
                _ if is_appctl && (part == "-t" || part == "--target") => {
                    let mut target = parts.next().unwrap_or_default().to_owned();
                    // A path; what was not a letter in it has been taken for an end: `ovnnb_db.ctl`.
                    while target.starts_with('.') && !target.ends_with(".ctl") {
                        let Some(more) = parts.next() else { break };
                        target = format!("{target}_{more}");
                    }
                    daemon = Some(daemon_of(&target));
                }
                _ if part.starts_with('-') => options.push(part.to_owned()),
                _ => words.push(part.to_owned()),
            }
        }
        let by_default = match program {
            "ovn-appctl" => Some("ovn-controller".to_owned()),
            "ovs-appctl" => Some("ovs-vswitchd".to_owned()),
            _ => None,
        };
        options.sort();
        options.append(&mut words);
        Self {
            program: if is_appctl { "appctl".into() } else { program.to_owned() },
            daemon: daemon.or(by_default),
            words: options,
        }
    }
}

/// As sos makes a file's name of a command (`_mangle_command`): `/` to `.`, all else that is odd to `_`.
fn mangle(word: &str) -> String {
    static ODD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[^\w\-./]+").expect("a constant expression"));
    ODD.replace_all(word, "_").replace('/', ".")
}

/// `.var.run.ovn.ovn-controller.1234.ctl`, `ovn-controller` -> `ovn-controller`.
fn daemon_of(target: &str) -> String {
    let name = target.strip_suffix(".ctl").unwrap_or(target).trim_end_matches(['.', '_']);
    let name = name
        .rsplit_once('.')
        .filter(|(_, pid)| pid.bytes().all(|b| b.is_ascii_digit()))
        .map_or(name, |(n, _)| n);
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn essence(command: &str) -> Essence {
        Essence::of(command.split(' '))
    }

    #[test]
    fn a_question_is_the_same_however_it_was_written() {
        for (asked, recorded) in [
            (
                "ovn-appctl --timeout=10 ct-zone-list",
                "ovs-appctl -t /var/run/ovn-ic/ovn-controller.1234.ctl ct-zone-list",
            ),
            (
                "ovn-appctl --timeout=10 connection-status",
                "ovn-appctl -t /var/run/ovn/ovn-controller.*.ctl connection-status",
            ),
            ("ovn-appctl --target=ovn-northd status", "ovn-appctl -t /var/run/ovn/ovn-northd.*.ctl status"),
            (
                "ovn-appctl --timeout=10 --target=/var/run/ovn/ovnnb_db.ctl cluster/status OVN_Northbound",
                "ovs-appctl -t /var/run/ovn/ovnnb_db.ctl cluster/status OVN_Northbound",
            ),
            ("ovs-vsctl list interface", "ovs-vsctl -t 5 list interface"),
            ("ovn-sbctl lflow-list", "/usr/bin/ovn-sbctl --no-leader-only lflow-list"),
            (
                "ovs-ofctl -O OpenFlow13 dump-flows br-int",
                "openstack-hypervisor.ovs-ofctl -O OpenFlow13 dump-flows br-int",
            ),
            ("ip route show table all", "ip route show table all"),
            ("vtysh -c show bgp summary", "vtysh -c 'show bgp summary'"),
        ] {
            assert_eq!(essence(asked), essence(recorded));
            // And by the name of the file, as sos makes it.
            let file = mangle(recorded.trim_start_matches("/usr/bin/"));
            assert_eq!(essence(asked), Essence::of_file(&file), "{file}");
        }
    }

    #[test]
    fn other_questions_stay_others() {
        for (one, other) in [
            ("ovs-ofctl dump-flows br-int", "ovs-ofctl -O OpenFlow13 dump-flows br-int"),
            ("ovs-ofctl dump-flows br-int", "ovs-ofctl dump-flows br-ex"),
            ("ovn-appctl connection-status", "ovn-appctl -t ovn-northd connection-status"),
            ("ovs-appctl coverage/show", "ovn-appctl coverage/show"),
            ("ip route", "ip -6 route"),
            ("ip xfrm state", "ip xfrm policy"),
        ] {
            assert_ne!(essence(one), essence(other));
        }
    }
}
