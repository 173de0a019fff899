//! The states of connections and sockets. Each program has its own spelling: ss(8) prints `ESTAB` and `SYN-SENT`, and
//! conntrack(8) prints `ESTABLISHED` and `SYN_SENT`.

/// The states that ss(8) prints.
pub const SOCKET_STATES: [&str; 12] = [
    "LISTEN",
    "ESTAB",
    "SYN-SENT",
    "SYN-RECV",
    "FIN-WAIT-1",
    "FIN-WAIT-2",
    "TIME-WAIT",
    "CLOSE-WAIT",
    "LAST-ACK",
    "CLOSING",
    "UNCONN",
    "CLOSED",
];

/// The states and flags that conntrack(8) prints.
pub const CONNECTION_STATES: [&str; 29] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_SENT2",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "NONE",
    "UNREPLIED",
    "ASSURED",
    "OFFLOAD",
    "HW_OFFLOAD",
    "CLOSED",
    "COOKIE_WAIT",
    "COOKIE_ECHOED",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECD",
    "SHUTDOWN_ACK_SENT",
    "HEARTBEAT_SENT",
    "HEARTBEAT_ACKED",
    "REQUEST",
    "RESPOND",
    "PARTOPEN",
    "OPEN",
    "CLOSEREQ",
    "CLOSING",
];

/// Returns true if a printed state is the requested one, in any spelling.
pub fn is_same(printed: &str, asked: &str) -> bool {
    let (printed, asked) = (canonical(printed), canonical(asked));
    // ss distinguishes two states that conntrack prints as FIN_WAIT.
    let finishing = |one: &str, other: &str| one == "FINWAIT" && matches!(other, "FINWAIT1" | "FINWAIT2");
    printed == asked || finishing(&asked, &printed) || finishing(&printed, &asked)
}

/// Returns true if the text is a spelling of one of these states.
pub fn is_known(asked: &str, of: &[&str]) -> bool {
    of.iter().any(|state| is_same(state, asked))
}

/// Returns one spelling for all spellings of a state.
fn canonical(state: &str) -> String {
    let letters: String =
        state.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    match letters.as_str() {
        "ESTABLISHED" => "ESTAB".into(),
        "LISTENING" => "LISTEN".into(),
        _ => letters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_state_are_equal() {
        for (printed, asked) in [
            ("ESTAB", "ESTABLISHED"),
            ("ESTABLISHED", "estab"),
            ("SYN-SENT", "SYN_SENT"),
            ("TIME_WAIT", "time-wait"),
            ("FIN-WAIT-2", "FIN_WAIT"),
            ("FIN_WAIT", "FIN-WAIT-1"),
            ("[UNREPLIED]", "UNREPLIED"),
        ] {
            assert!(is_same(printed, asked), "{printed} {asked}");
        }
        for (printed, asked) in
            [("FIN-WAIT-2", "FIN-WAIT-1"), ("CLOSE", "CLOSE_WAIT"), ("SYN_SENT", "SYN_SENT2"), ("", "ESTAB")]
        {
            assert!(!is_same(printed, asked), "{printed} {asked}");
        }
        assert!(is_known("established", &SOCKET_STATES) && is_known("ESTAB", &CONNECTION_STATES));
        assert!(!is_known("OPENED", &SOCKET_STATES) && !is_known("", &CONNECTION_STATES));
    }
}
