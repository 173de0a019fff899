//! Implements `pods/log` with the log files of the lab's daemons, and the logs of nodes.

use std::fs;

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};

use super::cluster::LabCluster;
use super::query::Query;
use super::status::Status;
use super::store::text;

/// A line, with the time that the container runtime adds.
struct Line {
    time: Option<Timestamp>,
    text: String,
}

impl LabCluster {
    /// Returns the requested part of a container's log.
    pub(super) fn log(&self, namespace: &str, pod: &str, query: &Query) -> Result<Response, Status> {
        let (object, container) = self.container_of(namespace, pod, query.get("container"))?;
        let node = object.pointer("/spec/nodeName").map_or("", text);
        if query.is("previous") {
            return Err(Status::bad_request(format!(
                "previous terminated container \"{container}\" in pod \"{pod}\" not found"
            )));
        }
        let bytes = match (self.workloads.output(namespace, pod), self.lab.log(node, &container)) {
            (Some(output), _) => output.log(),
            (None, Some(path)) => fs::read(path).map_err(|error| Status::internal(error.to_string()))?,
            (None, None) => Vec::new(),
        };
        let lines = lines(&String::from_utf8_lossy(&bytes));
        let text = select(lines, query)?;
        Ok(([(CONTENT_TYPE, "text/plain")], text).into_response())
    }
}

impl LabCluster {
    /// Answers `nodes/NAME/proxy/logs/FILE`: returns a file in a node's `/var/log`, or the names in a folder.
    pub(super) fn node_log(&self, node: &str, path: &str, query: &Query) -> Result<Response, Status> {
        let file = path.strip_prefix("logs").map(|path| path.trim_start_matches('/'));
        let file =
            file.filter(|file| !file.split('/').any(|part| part == "..")).ok_or_else(Status::no_resource)?;
        let path = self.lab.logs(node).join(file);
        if path.is_dir() {
            let mut names: Vec<String> = fs::read_dir(path)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            let links: String = names.iter().map(|name| format!("<a href=\"{name}\">{name}</a>\n")).collect();
            return Ok(([(CONTENT_TYPE, "text/html")], format!("<pre>\n{links}</pre>\n")).into_response());
        }
        let bytes = fs::read(path).map_err(|_| Status::no_resource())?;
        let text = select(lines(&String::from_utf8_lossy(&bytes)), query)?;
        Ok(([(CONTENT_TYPE, "text/plain")], text).into_response())
    }
}

/// Splits a log into lines with times. Daemons write the time first: `2026-11-22T08:12:01.123Z|00001|...`
fn lines(text: &str) -> Vec<Line> {
    let mut time = None;
    let line = |line: &str| {
        time = line.split(['|', ' ']).next().and_then(|word| word.parse().ok()).or(time);
        Line { time, text: line.into() }
    };
    text.lines().map(line).collect()
}

/// Applies the start time, then the number of lines, then the number of bytes, in the same order as a kubelet.
fn select(mut lines: Vec<Line>, query: &Query) -> Result<String, Status> {
    let since = match (query.number("sinceSeconds")?, query.get("sinceTime")) {
        (Some(_), time) if !time.is_empty() => {
            return Err(Status::bad_request("at most one of `sinceTime` or `sinceSeconds` may be specified"));
        }
        (Some(seconds), _) => {
            let seconds = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
            Timestamp::now().checked_sub(seconds).ok()
        }
        (None, "") => None,
        (None, time) => {
            let bad = |_| Status::bad_request(format!("invalid sinceTime: {time}"));
            Some(time.parse::<Timestamp>().map_err(bad)?)
        }
    };
    if let Some(since) = since {
        lines.retain(|line| line.time.is_some_and(|time| time >= since));
    }
    if let Some(tail) = query.number("tailLines")? {
        let first = lines.len().saturating_sub(usize::try_from(tail).unwrap_or(usize::MAX));
        lines.drain(..first);
    }
    let stamped = query.is("timestamps");
    let mut text = String::new();
    for line in lines {
        if let (true, Some(time)) = (stamped, line.time) {
            text.push_str(&time.strftime("%Y-%m-%dT%H:%M:%S%.9fZ ").to_string());
        }
        text.push_str(&line.text);
        text.push('\n');
    }
    if let Some(limit) = query.number("limitBytes")? {
        if limit == 0 {
            return Err(Status::bad_request("limitBytes must be greater than 0"));
        }
        let mut end = usize::try_from(limit).unwrap_or(usize::MAX).min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "2026-11-22T08:00:00.000Z|00001|vlog|INFO|opened\n\
        2026-11-22T08:00:01.500Z|00002|main|WARN|two\n\
        continued\n\
        2026-11-22T08:00:02.000Z|00003|main|INFO|three\n";

    fn ask(query: &str) -> Result<String, Status> {
        select(lines(LOG), &Query::parse(&format!("/log?{query}").parse().unwrap()).unwrap())
    }

    #[test]
    fn a_log_is_limited_as_requested() {
        assert_eq!(ask("").unwrap(), LOG);
        assert_eq!(ask("tailLines=1").unwrap(), "2026-11-22T08:00:02.000Z|00003|main|INFO|three\n");
        let since = ask("sinceTime=2026-11-22T08:00:01Z").unwrap();
        assert_eq!(since.lines().count(), 3, "{since}");
        assert_eq!(ask("limitBytes=10").unwrap(), "2026-11-22");
        assert_eq!(ask("sinceSeconds=1").unwrap(), "");
        assert_eq!(ask("tailLines=0").unwrap(), "");
        let stamped = ask("timestamps=true&tailLines=2").unwrap();
        assert!(stamped.starts_with("2026-11-22T08:00:01.500000000Z continued\n"), "{stamped}");
    }

    #[test]
    fn invalid_log_queries_are_rejected() {
        for query in [
            "tailLines=x",
            "sinceTime=yesterday",
            "limitBytes=0",
            "sinceSeconds=1&sinceTime=2026-11-22T08:00:01Z",
        ] {
            assert!(ask(query).is_err(), "{query}");
        }
    }
}
