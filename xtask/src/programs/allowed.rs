//! The commands that a server may run, as its own reference lists them.

use std::collections::BTreeSet;

use serde_json::Value;
use xshell::cmd;

use super::trace::{Activity, Started};
use crate::workspace::{Crate, Result, Workspace};

/// The environment of every command, sorted by name.
const ENVIRONMENT: [&str; 2] =
    ["LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

/// The folders of that search path.
const FOLDERS: [&str; 6] = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// A command of the reference: `ip [-s] [-d] route get <address>`.
#[derive(Debug)]
struct Phrase {
    text: String,
    program: String,
    /// The words that may precede the verb.
    globals: Vec<String>,
    /// The words that must follow in this order.
    verb: Vec<Word>,
    /// The words that may stand between or after the operands.
    options: Vec<String>,
    operands: Vec<Word>,
}

/// A word that a command must have: a literal, or an operand of a kind between two literals.
#[derive(Debug)]
struct Word {
    before: String,
    kind: Option<String>,
    after: String,
}

/// All commands that a server may run.
pub(super) struct Allowed(Vec<Phrase>);

impl Allowed {
    /// Reads the reference of commands that a built server prints.
    pub(super) fn of(workspace: &Workspace, layer: &Crate) -> Result<Self> {
        let server = workspace.binary(layer);
        Self::parse(&cmd!(workspace.sh, "{server} reference commands").quiet().read()?)
    }

    fn parse(reference: &str) -> Result<Self> {
        let command = |line: &str| Some(line.strip_prefix("| `")?.split_once("` | ")?.0.to_owned());
        let phrases: Vec<Phrase> =
            reference.lines().filter_map(command).map(|text| Phrase::parse(&text)).collect::<Result<_>>()?;
        if phrases.is_empty() { Err("the reference lists no command".into()) } else { Ok(Self(phrases)) }
    }

    /// Returns the phrase that allows a command line.
    fn phrase(&self, argv: &[String]) -> Option<&str> {
        self.0.iter().find(|phrase| phrase.matches(argv)).map(|phrase| phrase.text.as_str())
    }

    /// Checks everything that a server did, and returns the number of commands and the number of phrases that allow
    /// them.
    pub(super) fn judge(&self, seen: &Activity) -> Result<(usize, usize)> {
        let mut phrases = BTreeSet::new();
        let mut problems = Vec::new();
        for command in &seen.commands {
            match self.judge_command(command) {
                Ok(allowed) => phrases.extend(allowed),
                Err(problem) => problems.push(format!("{problem}: {command:?}")),
            }
        }
        let changed = seen.changes.iter().filter(|(program, call)| !may_change(program, call));
        problems.extend(changed.map(|(program, call)| format!("{program} changes a file: {call}")));
        problems.sort();
        problems.dedup();
        if problems.is_empty() {
            return Ok((seen.commands.len(), phrases.len()));
        }
        let shown: Vec<String> =
            problems.iter().take(20).map(|problem| problem.chars().take(2000).collect()).collect();
        Err(format!("{} problems:\n{}", problems.len(), shown.join("\n")).into())
    }

    /// Checks a process that the server made. nsenter(1) becomes the program; the path is searched, so there are
    /// attempts that fail; what the program starts itself belongs to the program.
    fn judge_command(&self, started: &[Started]) -> std::result::Result<Option<&str>, &'static str> {
        let mut allowed = None;
        for Started { path, argv, environment, ran } in started {
            let (folder, name) = path.rsplit_once('/').ok_or("a program without a path")?;
            if !FOLDERS.contains(&folder) || argv.first().is_none_or(|first| first != name) {
                return Err("a program outside of the search path");
            }
            if environment != &ENVIRONMENT {
                return Err("another environment");
            }
            let entered = argv.first().is_some_and(|first| first == "nsenter");
            let command = if entered {
                entered_command(argv).ok_or("other options of nsenter")?
            } else {
                argv.as_slice()
            };
            let phrase = self.phrase(command).ok_or("a command that the reference does not list")?;
            if allowed.is_some_and(|allowed| allowed != phrase) {
                return Err("nsenter runs another command than it was given");
            }
            allowed = Some(phrase);
            if *ran && !entered {
                break;
            }
        }
        Ok(allowed)
    }
}

/// Returns the command after the options of nsenter(1), which are those of the nodes and pods of `--local`.
fn entered_command(argv: &[String]) -> Option<&[String]> {
    let end = argv.iter().position(|word| word == "--")?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_option = |word: &String| {
        let of_pod = |path: &str| {
            let mut parts = path.strip_prefix("/proc/")?.splitn(5, '/');
            let (pid, folder) = (parts.next()?, [parts.next()?, parts.next()?, parts.next()?]);
            let name = parts.next()?;
            let is_name = !name.is_empty() && !name.contains('/') && name != "..";
            Some(is_number(pid) && folder == ["root", "run", "netns"] && is_name)
        };
        ["--mount", "--uts", "--net"].contains(&word.as_str())
            || word.strip_prefix("--target=").is_some_and(is_number)
            || word.strip_prefix("--net=").and_then(of_pod) == Some(true)
    };
    argv.get(1..end)?.iter().all(is_option).then(|| argv.get(end + 1..))?
}

impl Phrase {
    fn parse(text: &str) -> Result<Self> {
        let mut words = words(text).into_iter();
        let program = words.next().ok_or("an empty command")?;
        let (mut globals, mut verb, mut options, mut operands) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for word in words {
            match word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
                Some(word) if verb.is_empty() => globals.push(word.to_owned()),
                Some(word) => options.push(word.to_owned()),
                None if options.is_empty() => verb.push(Word::parse(&word)?),
                None => operands.push(Word::parse(&word)?),
            }
        }
        Ok(Self { text: text.to_owned(), program, globals, verb, options, operands })
    }

    fn matches(&self, argv: &[String]) -> bool {
        let Some((program, mut rest)) = argv.split_first() else { return false };
        while let Some((word, after)) = rest.split_first() {
            if !self.globals.contains(word) {
                break;
            }
            rest = after;
        }
        let Some((verb, mut rest)) = rest.split_at_checked(self.verb.len()) else { return false };
        let mut operands = self.operands.iter();
        while let Some((word, after)) = rest.split_first() {
            let is_option = self.options.contains(word);
            if !is_option && !operands.next().is_some_and(|operand| operand.matches(word)) {
                return false;
            }
            rest = after;
        }
        *program == self.program
            && self.verb.iter().zip(verb).all(|(expected, word)| expected.matches(word))
            && operands.next().is_none()
    }
}

impl Word {
    fn parse(text: &str) -> Result<Self> {
        let Some((before, rest)) = text.split_once('<') else {
            return Ok(Self { before: text.to_owned(), kind: None, after: String::new() });
        };
        let (kind, after) =
            rest.split_once('>').ok_or_else(|| format!("an operand without an end: {text}"))?;
        if after.contains('<') {
            return Err(format!("a word with two operands: {text}").into());
        }
        Ok(Self { before: before.to_owned(), kind: Some(kind.to_owned()), after: after.to_owned() })
    }

    /// Whether a word of a command line is this word.
    fn matches(&self, word: &str) -> bool {
        let Some(kind) = &self.kind else { return word == self.before };
        let operand =
            word.strip_prefix(self.before.as_str()).and_then(|rest| rest.strip_suffix(self.after.as_str()));
        operand.is_some_and(|operand| is_operand(kind, operand, self.before.is_empty()))
    }
}

/// Whether a text can be an operand of a kind. `begins` tells whether the word begins with it.
fn is_operand(kind: &str, text: &str, begins: bool) -> bool {
    let is_word = !(text.is_empty() || text.contains(char::is_control) || begins && text.starts_with('-'));
    is_word
        && match kind {
            "number" => text.bytes().all(|byte| byte.is_ascii_digit()),
            "ovsdb-query" => only_selects(text),
            _ => true,
        }
}

/// Whether a transaction of OVSDB (RFC 7047, 4.1.3) has no other operation than selects.
fn only_selects(transaction: &str) -> bool {
    let transaction: Value = serde_json::from_str(transaction).unwrap_or_default();
    let is_select = |operation: &Value| operation.get("op").is_some_and(|op| op == "select");
    match transaction.as_array().map(Vec::as_slice) {
        Some([database, operations @ ..]) => database.is_string() && operations.iter().all(is_select),
        _ => false,
    }
}

/// Splits a command of the reference into words. A word with blanks is in quotes.
fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match (c, words.last_mut()) {
            ('"', _) => quoted = !quoted,
            (' ', _) if !quoted => words.push(String::new()),
            (c, Some(word)) => word.push(c),
            (_, None) => {}
        }
    }
    words
}

/// The files that programs open for writing without writing to them: the program, and the beginning and the end of the
/// path. `*-appctl` asks for the lock of the daemon's PID file, and the runtime of the servers opens the server's own
/// standard output.
const OPENED: [(&str, &str, &str); 3] = [
    ("ovs-appctl", "/var/run/openvswitch/", ".pid"),
    ("ovn-appctl", "/var/run/ovn/", ".pid"),
    ("the server", "/proc/self/fd/1", ""),
];

/// Whether a program may make a system call that can change a file.
fn may_change(program: &str, call: &str) -> bool {
    let path = call.split('"').nth(1).unwrap_or_default();
    let is_opened = |(by, start, end): &(&str, &str, &str)| {
        *by == program && path.starts_with(start) && path.ends_with(end) && !path.contains("..")
    };
    let creates = call.contains("O_CREAT") || call.contains("O_TRUNC");
    // vtysh creates its history file if it does not exist, and makes its own user the owner. The history file is
    // /dev/null, which always exists and belongs to root.
    let is_owned = program == "vtysh" && call.starts_with("chown(\"/dev/null\", 0, 0)");
    // The server keeps captures in files without a name, which nobody else can open and which end with the process.
    let is_unnamed = program == "the server" && call.starts_with("open") && call.contains("O_TMPFILE");
    is_owned
        || is_unnamed
        || call.starts_with("open") && (path == "/dev/null" || !creates && OPENED.iter().any(is_opened))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFERENCE: &str = "| command | why it only reads |\n| --- | --- |\n\
        | `ip [-s] [-d] route get <address> mark <number>` | because |\n\
        | `ovs-ofctl [-O] dump-flows [-m] <bridge> table=<number>` | because |\n\
        | `vtysh [-u] [-c] \"show version\"` | because |\n\
        | `iptables-save -c` | because |\n\
        | `ovsdb-client query unix:/db.sock <ovsdb-query>` | because |\n";

    fn argv(words: &str) -> Vec<String> {
        words.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn only_listed_commands_are_allowed() {
        let allowed = Allowed::parse(REFERENCE).unwrap();
        for good in [
            "ip|-d|-s|route|get|10.0.0.1|mark|7",
            "ovs-ofctl|-O|dump-flows|br-int|-m|table=7",
            "vtysh|-u|-c|show version",
            "iptables-save|-c",
            r#"ovsdb-client|query|unix:/db.sock|["OVN_Northbound",{"op":"select","table":"A","where":[]}]"#,
        ] {
            assert!(allowed.phrase(&argv(good)).is_some(), "{good}");
        }
        for bad in [
            "ip|route|get|-s|mark|7",
            "ip|route|get|10.0.0.1|mark|x",
            "ip|route|get|10.0.0.1|mark|7|8",
            "ip|route|get|10.0.0.1",
            "ip|-batch|route|get|10.0.0.1|mark|7",
            "ovs-ofctl|dump-flows|--help|table=7",
            "ovs-ofctl|dump-flows|br\nint|table=7",
            "ovs-ofctl|del-flows|br-int",
            "vtysh|-u|-c|show version\nconfigure",
            "vtysh|-u|-c|show|version",
            "iptables-save|-c|-f|/etc/x",
            r#"ovsdb-client|query|unix:/db.sock|["OVN_Northbound",{"op":"delete","table":"A","where":[]}]"#,
            r#"ovsdb-client|query|unix:/db.sock|[{"op":"select","table":"A","where":[]}]"#,
        ] {
            assert!(allowed.phrase(&argv(bad)).is_none(), "{bad}");
        }
        assert!(Allowed::parse("# nothing").is_err());
    }

    #[test]
    fn a_process_of_the_server_becomes_one_allowed_program() {
        let allowed = Allowed::parse(REFERENCE).unwrap();
        let run = |path: &str, words: &str, ran| Started {
            path: path.into(),
            argv: argv(words),
            environment: ENVIRONMENT.map(str::to_owned).into(),
            ran,
        };
        let nsenter = concat!(
            "nsenter|--target=7|--mount|--uts|--net=/proc/7/",
            "root/run/netns/a|--|iptables-save|-c"
        );
        let good = [
            run("/usr/local/bin/nsenter", nsenter, false),
            run("/usr/bin/nsenter", nsenter, true),
            run("/usr/sbin/iptables-save", "iptables-save|-c", true),
            run("/opt/own", "own|--anything", true),
        ];
        assert_eq!(allowed.judge_command(&good), Ok(Some("iptables-save -c")));
        for bad in [
            vec![run("/usr/bin/nsenter", "nsenter|--target=7|--|sh|-c|x", true)],
            vec![run("/usr/bin/nsenter", "nsenter|--target=7|--root=/|--|iptables-save|-c", true)],
            vec![run("/tmp/iptables-save", "iptables-save|-c", true)],
            vec![run("/usr/bin/sh", "iptables-save|-c", true)],
            vec![
                run("/usr/bin/nsenter", nsenter, true),
                run("/usr/bin/vtysh", "vtysh|-c|show version", true),
            ],
            vec![Started {
                environment: vec!["HOME=/var".into()],
                ..run("/bin/iptables-save", "iptables-save|-c", true)
            }],
        ] {
            assert!(allowed.judge_command(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn changes_of_files_are_problems() {
        let allowed = Allowed::parse(REFERENCE).unwrap();
        let seen = |call: &str| Activity { changes: vec![("ip".into(), call.into())], ..Activity::default() };
        assert!(allowed.judge(&seen("openat(AT_FDCWD, \"/dev/null\", O_RDWR) = 3")).is_ok());
        assert!(
            allowed.judge(&seen("openat(AT_FDCWD, \"/var/.history_frr\", O_WRONLY|O_APPEND) = 6")).is_err()
        );
        assert!(allowed.judge(&seen("openat(AT_FDCWD, \"/etc/x\", O_RDWR) = -1 EACCES")).is_err());
        assert!(allowed.judge(&seen("unlink(\"/etc/x\") = 0")).is_err());
        assert!(allowed.judge(&seen("chown(\"/dev/null\", 0, 0) = 0")).is_err());
        assert!(may_change("vtysh", "chown(\"/dev/null\", 0, 0) = 0"));
        assert!(!may_change("vtysh", "chown(\"/dev/null\", 0, 1) = 0"));
        let unnamed = "openat(AT_FDCWD, \"/tmp\", O_RDWR|O_CLOEXEC|O_TMPFILE, 0666) = 12";
        assert!(may_change("the server", unnamed));
        assert!(!may_change("ip", unnamed));
    }
}
