//! Parses the times at the beginning of lines.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// The current time, for times without a year and for ages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calendar(pub(crate) Option<Timestamp>);

impl Calendar {
    /// Completes a time without a year with the latest year for which the time is not in the future. Times without a
    /// zone are read as UTC, which containers and cluster nodes use.
    pub(crate) fn of_year(
        self,
        month: i8,
        day: i8,
        hour: i8,
        minute: i8,
        second: i8,
        nanos: i32,
    ) -> Option<Timestamp> {
        let now = self.0?;
        let year = TimeZone::UTC.to_datetime(now).year();
        // A leap day does not exist in the year before or after its own, so both years are tried.
        [year, year - 1].into_iter().find_map(|year| {
            let then = DateTime::new(year, month, day, hour, minute, second, nanos).ok()?;
            let then = TimeZone::UTC.to_timestamp(then).ok()?;
            // Clocks and zones of hosts differ, so a time up to a day ahead counts as past.
            (then <= now.checked_add(24.hours()).ok()?).then_some(then)
        })
    }
}

/// Parses an RFC 3339 time at the beginning. Returns the time and the text after it.
pub(crate) fn rfc3339(text: &str) -> Option<(Timestamp, &str)> {
    let bytes = text.as_bytes();
    if !(bytes.get(4) == Some(&b'-') && bytes.get(10) == Some(&b'T') && bytes.first()?.is_ascii_digit()) {
        return None;
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-:.,+".contains(c))).unwrap_or(text.len());
    let (word, rest) = text.split_at_checked(end)?;
    Some((word.parse().ok()?, rest))
}

/// Parses `2026-11-22 08:01:53.123` or `2026/11/22 08:01:53` at the beginning, as UTC.
pub(crate) fn civil(text: &str) -> Option<(Timestamp, &str)> {
    let (day, rest) = text.split_at_checked(10)?;
    let mut parts = day.split(['-', '/']);
    let (year, month, day_of_month) = (parts.next()?, parts.next()?, parts.next()?);
    if year.len() != 4 || !year.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (clock, rest) = clock(rest.strip_prefix(' ')?)?;
    let day = date_of(year.parse().ok()?, month.parse().ok()?, day_of_month.parse().ok()?)?;
    let then = day.at(clock.0, clock.1, clock.2, clock.3);
    Some((TimeZone::UTC.to_timestamp(then).ok()?, rest))
}

fn date_of(year: i16, month: i8, day: i8) -> Option<Date> {
    let valid = (1..=12).contains(&month) && (1..=31).contains(&day) && (1970..=9000).contains(&year);
    if valid { Date::new(year, month, day).ok() } else { None }
}

/// Hour, minute, second and nanoseconds.
type Clock = (i8, i8, i8, i32);

/// Parses `08:01:53` at the beginning, with or without a fraction.
pub(crate) fn clock(text: &str) -> Option<(Clock, &str)> {
    let two = |at: usize| text.get(at..at + 2)?.parse::<i8>().ok();
    let bytes = text.as_bytes();
    let (hour, minute, second) = (two(0)?, two(3)?, two(6)?);
    let valid = bytes.get(2) == Some(&b':')
        && bytes.get(5) == Some(&b':')
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..60).contains(&second);
    if !valid {
        return None;
    }
    let rest = text.get(8..)?;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return Some(((hour, minute, second, 0), rest));
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = fraction.split_at_checked(digits)?;
    let nanos = format!("{digits:0<9}").get(..9)?.parse().ok()?;
    Some(((hour, minute, second, nanos), rest))
}

/// Parses `Nov 22 08:01:53`, as syslog and journalctl write it. Returns the time and the text after it.
pub(crate) fn syslog(text: &str, calendar: Calendar) -> Option<(Option<Timestamp>, &str)> {
    let (month, rest) = text.split_at_checked(4)?;
    let month = month_of(month.strip_suffix(' ')?)?;
    let (day, rest) = rest.split_at_checked(2)?;
    let day: i8 = day.trim_start().parse().ok()?;
    let (clock, rest) = clock(rest.strip_prefix(' ')?)?;
    Some((calendar.of_year(month, day, clock.0, clock.1, clock.2, clock.3), rest))
}

/// Parses `[Sun Nov 22 08:01:53 2026]`, as `dmesg -T` writes it.
pub(crate) fn dmesg(text: &str) -> Option<(Timestamp, &str)> {
    let (inside, rest) = text.strip_prefix('[')?.split_once("] ")?;
    let mut words = inside.split_whitespace();
    let (_, month, day, time, year) =
        (words.next()?, words.next()?, words.next()?, words.next()?, words.next()?);
    let (clock, _) = clock(time)?;
    let day = date_of(year.parse().ok()?, month_of(month)?, day.parse().ok()?)?;
    let then = day.at(clock.0, clock.1, clock.2, clock.3);
    Some((TimeZone::UTC.to_timestamp(then).ok()?, rest))
}

fn month_of(name: &str) -> Option<i8> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = MONTHS.iter().position(|month| *month == name)?;
    i8::try_from(at + 1).ok()
}
