//! Times in parameters.

use crate::{ToolError, error::echo};
use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};
use std::time::Duration;

/// Parses a time in the parameter `name`: RFC 3339 (`2026-11-22T08:00:00Z`), a date, a date and time in UTC, or an age
/// such as `15m`, `2h30m` or `1d`, which counts back from `as_of`.
///
/// # Errors
///
/// Returns an error if the text is not a time, or if it is an age and `as_of` is unknown.
pub fn moment(name: &str, text: &str, as_of: Option<Timestamp>) -> Result<Timestamp, ToolError> {
    let text = text.trim();
    let wrong = |why: &str| {
        ToolError::bad(
            format!("parameter `{name}`: `{}`{why}", echo(text)),
            "Pass a time such as 2026-11-22T08:00:00Z, or an age such as 15m, 2h or 1d.",
        )
    };
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    if let Some(age) = age(text) {
        let as_of =
            as_of.ok_or_else(|| wrong(" cannot be used, because the time of collection is unknown"))?;
        return as_of.checked_sub(age).map_err(|_| wrong(" is too long ago"));
    }
    let civil: Option<DateTime> = text.parse().ok().or_else(|| Some(text.parse::<Date>().ok()?.into()));
    let time = civil.and_then(|civil| TimeZone::UTC.to_timestamp(civil).ok());
    time.ok_or_else(|| wrong(" is not a time"))
}

/// Checks that a call has the time to watch a node for `seconds`, and `rest` seconds for everything else.
///
/// # Errors
///
/// Returns an error that names both parameters.
pub fn check_seconds(seconds: u64, rest: u64, within: Duration) -> Result<(), ToolError> {
    let within = within.as_secs();
    if seconds + rest <= within {
        return Ok(());
    }
    let problem = match rest {
        0 => format!("seconds={seconds} is longer than timeout_seconds={within}"),
        rest => {
            format!("seconds={seconds} leaves less than {rest} s of timeout_seconds={within} for the rest")
        }
    };
    Err(ToolError::bad(problem, "Pass a smaller seconds or a larger timeout_seconds."))
}

/// Parses an age: `1h30m`, `90s`, `2d`, `1w`. Returns `None` if the text is not an age.
pub fn age(text: &str) -> Option<SignedDuration> {
    /// 100 years, which is longer than any log is kept.
    const LONGEST: i64 = 100 * 366 * 86_400;
    let (mut seconds, mut number, mut any) = (0_i64, None::<i64>, false);
    for c in text.trim().chars() {
        if let Some(digit) = c.to_digit(10) {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(digit))?);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        seconds = seconds.checked_add(number.take()?.checked_mul(unit)?)?;
        any = true;
    }
    (any && number.is_none() && seconds < LONGEST).then(|| SignedDuration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_a_time_or_an_age() {
        let now: Option<Timestamp> = "2026-11-22T08:35:00Z".parse().ok();
        for (text, wanted) in [
            ("10m", "2026-11-22T08:25:00Z"),
            (" 1h30m ", "2026-11-22T07:05:00Z"),
            ("90s", "2026-11-22T08:33:30Z"),
            ("1d", "2026-11-21T08:35:00Z"),
            ("1w", "2026-11-15T08:35:00Z"),
            ("2026-11-22T08:00:00Z", "2026-11-22T08:00:00Z"),
            ("2026-11-22T09:00:00+01:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22 08:00:00", "2026-11-22T08:00:00Z"),
            ("2026-11-22", "2026-11-22T00:00:00Z"),
        ] {
            assert_eq!(moment("since", text, now).ok(), wanted.parse().ok(), "{text}");
        }
        for wrong in ["", "10", "m", "10x", "yesterday", "-5m", "99999999999999999999d", "200000d"] {
            let error = moment("since", wrong, now).unwrap_err().report();
            assert!(error.contains("is not a time") && error.contains("15m, 2h or 1d"), "{wrong}: {error}");
        }
        let unknown = moment("since", "10m", None).unwrap_err().report();
        assert!(unknown.contains("the time of collection is unknown"), "{unknown}");
    }
}
