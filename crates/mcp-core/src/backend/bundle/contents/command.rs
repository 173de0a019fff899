//! Compares commands by what they ask, independently of how they are written.
//!
//! The same question has several forms: a tool would run `ovn-appctl --timeout=10 ct-zone-list`, sos ran
//! `ovs-appctl -t /var/run/ovn-ic/ovn-controller.1234.ctl ct-zone-list`, and the answer is in the file
//! `ovs-appctl_-t_.var.run.ovn-ic.ovn-controller.1234.ctl_ct-zone-list`.

use regex::Regex;
use std::sync::LazyLock;

/// The essential part of a command: its program, the daemon that it asks, and its words, without options such as time
/// limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CommandKey {
    program: String,
    daemon: Option<String>,
    words: Vec<String>,
}

/// Options that do not change the answer, and whether a number follows.
const NEUTRAL: [(&str, bool); 5] =
    [("--timeout", true), ("-t", true), ("-T", true), ("--no-leader-only", false), ("--no-pager", false)];

impl CommandKey {
    /// Parses a command line.
    pub(crate) fn of<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mangled =
            words.into_iter().map(|word| mangle(word.rsplit_once("bin/").map_or(word, |(_, name)| name)));
        Self::of_file(&mangled.collect::<Vec<_>>().join("_"))
    }

    /// Parses the name that sos gave the file of a recorded output.
    pub(crate) fn of_file(name: &str) -> Self {
        let mut parts = name.split('_').filter(|part| !part.is_empty()).peekable();
        // A program of a snap has the name of the snap in front: `openstack-hypervisor.ovs-ofctl`.
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
                    // The target is a path. sos replaced its special characters by underscores, so the path continues
                    // up to `.ctl`: `ovnnb_db.ctl`.
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

/// Turns a command into a file name as sos does (`_mangle_command`): `/` becomes `.`, and other special characters
/// become `_`.
fn mangle(word: &str) -> String {
    static ODD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"[^\w\-./]+").expect("a constant expression"));
    ODD.replace_all(word, "_").replace('/', ".")
}

/// The name of the daemon in a target: `.var.run.ovn.ovn-controller.1234.ctl` and `ovn-controller` both mean
/// `ovn-controller`.
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

    fn essence(command: &str) -> CommandKey {
        CommandKey::of(command.split(' '))
    }

    #[test]
    fn the_same_question_in_different_forms_is_equal() {
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
            // The name of the file that sos writes is equal too.
            let file = mangle(recorded.trim_start_matches("/usr/bin/"));
            assert_eq!(essence(asked), CommandKey::of_file(&file), "{file}");
        }
    }

    #[test]
    fn different_questions_are_not_equal() {
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
