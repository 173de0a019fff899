//! Formats ages as `kubectl` does.

use jiff::Timestamp;
use serde_json::Value;

/// Returns the age of a time in an object at the time of the data: `38m`. Returns `<unknown>` if one of the times is
/// absent.
pub(crate) fn since(time: &Value, as_of: Option<Timestamp>) -> String {
    match (time.as_str().and_then(|text| text.parse::<Timestamp>().ok()), as_of) {
        (Some(time), Some(as_of)) => human(as_of.as_millisecond() - time.as_millisecond()),
        _ => "<unknown>".into(),
    }
}

/// Formats a duration in milliseconds with two units at most, like `HumanDuration` of
/// `k8s.io/apimachinery/pkg/util/duration`.
pub(crate) fn human(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let (days, years) = (hours / 24, hours / (24 * 365));
    let two = |a: i64, unit: char, b: i64, small: char| match b {
        0 => format!("{a}{unit}"),
        b => format!("{a}{unit}{b}{small}"),
    };
    match () {
        () if seconds < -1 => "<invalid>".into(),
        () if seconds < 0 => "0s".into(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 => two(minutes, 'm', seconds % 60, 's'),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 => two(hours, 'h', minutes % 60, 'm'),
        () if hours < 48 => format!("{hours}h"),
        () if days < 8 => two(days, 'd', hours % 24, 'h'),
        () if years < 2 => format!("{days}d"),
        () if years < 8 => two(years, 'y', days % 365, 'd'),
        () => format!("{years}y"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses the cases of the test of `HumanDuration`, `duration_test.go`.
    #[test]
    fn durations() {
        const S: i64 = 1000;
        const M: i64 = 60 * S;
        const H: i64 = 60 * M;
        for (duration, text) in [
            (S, "1s"),
            (70 * S, "70s"),
            (190 * S, "3m10s"),
            (70 * M, "70m"),
            (47 * H, "47h"),
            (49 * H, "2d1h"),
            (8 * 24 * H + 2 * H, "8d"),
            (367 * 24 * H, "367d"),
            (365 * 2 * 24 * H + 25 * H, "2y1d"),
            (365 * 8 * 24 * H + 2 * H, "8y"),
            (5 * M, "5m"),
            (7 * H + 3 * M, "7h3m"),
            (-500, "0s"),
            (-3 * S, "<invalid>"),
        ] {
            assert_eq!(human(duration), text);
        }
    }

    #[test]
    fn without_a_time_nothing_is_guessed() {
        let as_of = "2026-11-22T08:35:03Z".parse().ok();
        assert_eq!(since(&"2026-11-22T08:13:45Z".into(), as_of), "21m");
        assert_eq!(since(&"2026-11-22T08:13:45Z".into(), None), "<unknown>");
        assert_eq!(since(&Value::Null, as_of), "<unknown>");
        assert_eq!(since(&"yesterday".into(), as_of), "<unknown>");
    }
}
