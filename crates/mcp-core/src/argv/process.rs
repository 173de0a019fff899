//! The operands by which processes and journal units are selected.

use super::Word;
use crate::{HostLog, kubernetes::host_units, name::name_type, unique};
use std::fmt;

name_type! {
    /// The UID of a pod, as it occurs in the names of control groups.
    PodUid, "the UID of a pod", r"^[0-9a-f]{1,32}(-[0-9a-f]{1,32}){0,8}$", 64
}

impl PodUid {
    /// The word is a basic regular expression, because systemd's names have underscores where the UID has hyphens.
    pub(super) fn word(&self) -> Word {
        Word::parse(format!("pod{}", self.as_str().replace('-', "[-_]"))).expect("it begins with a letter")
    }
}

/// A systemd unit whose journal is a log of the host. Only units that this program lists can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemdUnit(&'static str);

impl SystemdUnit {
    /// Returns the units of a log, the likeliest one first.
    pub(crate) fn of(log: HostLog) -> impl Iterator<Item = Self> {
        host_units(log).iter().copied().map(Self)
    }

    /// Returns the name of the unit without `.service`.
    pub(super) fn as_str(self) -> &'static str {
        self.0
    }
}

/// The time limit of a command in seconds, with fractional digits that are unique among all commands of all servers
/// and amount to less than a millisecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallMark(String);

impl CallMark {
    /// Returns a new mark.
    pub(crate) fn new(seconds: u64) -> Self {
        Self(format!("{seconds}.000{:09}", unique::number() % 1_000_000_000))
    }

    /// Returns an extended regular expression that matches the command lines that begin with `timeout` and this mark.
    ///
    /// It does not match the command line that contains the expression itself.
    pub(super) fn word(&self) -> Word {
        Word::parse(format!("^timeout -k 2 {} ", self.0.replace('.', "[.]"))).expect("it begins with `^`")
    }
}

impl fmt::Display for CallMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    #[test]
    fn a_mark_matches_only_its_own_command() {
        let (mark, other) = (CallMark::new(30), CallMark::new(30));
        assert_ne!(mark, other);
        let pattern = Regex::new(mark.word().as_str()).unwrap();
        assert!(pattern.is_match(&format!("timeout -k 2 {mark} ovn-nbctl show")));
        for not in [
            format!("timeout -k 2 {other} ovn-nbctl show"),
            "timeout -k 2 30 ovn-nbctl show".into(),
            format!("ovn-nbctl timeout -k 2 {mark} show"),
            // This is the command that searches for the mark.
            format!("timeout -k 1 3 pkill -TERM -f {}", mark.word().as_str()),
        ] {
            assert!(!pattern.is_match(&not), "{not}");
        }
    }

    #[test]
    fn control_groups_of_both_drivers_are_found() {
        let uid: PodUid = "0f6c1a52-8d1e-4c5b-9a57-1f2e3d4c5b6a".parse().unwrap();
        let pattern = Regex::new(uid.word().as_str()).unwrap();
        for group in [
            "0::/kubepods/burstable/pod0f6c1a52-8d1e-4c5b-9a57-1f2e3d4c5b6a/9f",
            "0::/../kubepods-pod0f6c1a52_8d1e_4c5b_9a57_1f2e3d4c5b6a.slice/crio-9f.scope",
        ] {
            assert!(pattern.is_match(group), "{group}");
        }
        for bad in ["", "-", "a--b", ".*", "0f6c1a52 8d1e", "pod\n", "[a]"] {
            assert!(bad.parse::<PodUid>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_uid_is_hexadecimal(text in ".*|[0-9a-f-]{0,70}") {
            if let Ok(uid) = text.parse::<PodUid>() {
                prop_assert!(uid.as_str().chars().all(|c| c.is_ascii_hexdigit() || c == '-'));
                prop_assert!(Regex::new(uid.word().as_str()).is_ok());
            }
        }
    }
}
