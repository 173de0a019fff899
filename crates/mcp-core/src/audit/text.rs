//! Writes the answer of an audit.

use super::{Certainty, CheckEntry, Finding, Severity, run::CheckResult};
use crate::{Answer, Row, counted, error::chain};
use std::{fmt::Write, sync::Arc};

/// Writes the findings, the worst first; then the checks without findings; then what could not be checked, and why.
pub(super) fn answer(results: Vec<CheckResult<'_>>, about: Option<&str>) -> Answer {
    let (mut found, mut fine, mut unchecked, mut others) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for (check, outcome) in results {
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(e) => {
                unchecked.push(format!("{}: {}", check.id, chain(&e)));
                continue;
            }
        };
        unchecked.extend(outcome.unread.iter().map(|why| format!("{} of {why}", check.id)));
        if outcome.findings.is_empty() && !outcome.looked_at.is_empty() {
            fine.push(format!("{} ({})", check.id, outcome.looked_at));
        }
        for finding in outcome.findings {
            match about {
                Some(about) if !finding.is_about(about) => others += 1,
                _ => found.push((check, finding)),
            }
        }
    }
    // The sort is stable: findings of equal severity keep the order of the checks.
    found.sort_by_key(|(_, finding)| (finding.severity, finding.certainty));
    let mut rows = Vec::new();
    if found.is_empty() {
        rows.push(Row::line(match about {
            Some(about) if others > 0 => {
                format!("no finding about {about}; {} about other objects", counted(others, "finding"))
            }
            Some(_) | None => "no finding".to_owned(),
        }));
    }
    let heading: Arc<str> = format!("{}:", counted(found.len(), "finding")).into();
    rows.extend(found.iter().map(|(check, finding)| Row::line(line(check, finding)).under(&heading)));
    if !fine.is_empty() {
        rows.push(Row::line(format!("{} found no fault: {}", counted(fine.len(), "check"), fine.join(", "))));
    }
    let heading: Arc<str> = "checks that could not run:".into();
    rows.extend(unchecked.into_iter().map(|why| Row::line(format!("  {why}")).under(&heading)));
    Answer { rows, ..Answer::default() }
}

fn line(check: &CheckEntry, finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Notice => "NOTICE",
    };
    let certainty = match finding.certainty {
        Certainty::Certain => "certain",
        Certainty::Suspicion => "suspicion",
    };
    let Finding { object, field, wrong, right, shown_by, refuted_by, .. } = finding;
    let on = finding.node.as_ref().map(|node| format!(" on {node}")).unwrap_or_default();
    let mut text = format!(
        "{severity} ({certainty}) {}: {object}{on}: {field} is {wrong}, but should be {right}\n  \
         shown by: {shown_by}\n  refuted if: {refuted_by}",
        check.id
    );
    for source in check.sources {
        _ = write!(text, "\n  known as: {}", source.name);
        if let Some(first) = source.first {
            _ = write!(text, ", since {first}");
        }
        if let Some(fixed) = source.fixed {
            _ = write!(text, ", fixed in {fixed}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClusterReader, ReadError, ToolError,
        audit::{Check, CheckOutcome, Source, run},
        cluster::tests::Fake,
    };
    use std::time::Duration;

    fn finding(severity: Severity, certainty: Certainty, name: &str) -> Finding {
        Finding {
            severity,
            certainty,
            object: format!("Pod shop/{name}"),
            node: Some("n1".parse().unwrap()),
            field: "MTU".into(),
            wrong: "900".into(),
            right: "1400".into(),
            shown_by: format!("kubectl_get name={name}"),
            refuted_by: "its network asks for it".into(),
        }
    }

    struct Bad;
    impl Check for Bad {
        const ID: &'static str = "bad";
        const TITLE: &'static str = "All is well";
        const READS: &'static str = "pods";
        const SOURCES: &'static [Source] =
            &[Source { name: "issue 1", first: Some("1.0"), fixed: Some("1.2") }];
        async fn run(_: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
            let findings = vec![
                finding(Severity::Notice, Certainty::Certain, "odd"),
                finding(Severity::Error, Certainty::Suspicion, "maybe"),
                finding(Severity::Error, Certainty::Certain, "web"),
            ];
            Ok(CheckOutcome { looked_at: "3 pods".into(), findings, unread: vec!["n2: silent".into()] })
        }
    }

    struct Good;
    impl Check for Good {
        const ID: &'static str = "good";
        const TITLE: &'static str = "All is well";
        const READS: &'static str = "nodes";
        async fn run(_: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
            Ok(CheckOutcome { looked_at: "2 nodes".into(), ..CheckOutcome::default() })
        }
    }

    struct Absent;
    impl Check for Absent {
        const ID: &'static str = "absent";
        const TITLE: &'static str = "All is well";
        const READS: &'static str = "nodes";
        async fn run(_: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
            Err(ReadError::not_held("nodes", "bundle").into())
        }
    }

    struct Hangs;
    impl Check for Hangs {
        const ID: &'static str = "hangs";
        const TITLE: &'static str = "All is well";
        const READS: &'static str = "a log";
        async fn run(_: &ClusterReader<'_>) -> Result<CheckOutcome, ToolError> {
            std::future::pending().await
        }
    }

    async fn shown(checks: &[CheckEntry], about: Option<&str>) -> String {
        let fake = Fake::default();
        let cluster = ClusterReader::new(&fake, Duration::from_secs(1), crate::Budget::default());
        let answer = answer(run::all(&cluster, checks).await, about);
        answer.rows.iter().map(|row| row.text.clone() + "\n").collect()
    }

    #[tokio::test]
    async fn findings_come_first_and_failed_checks_are_listed() {
        let checks = [
            CheckEntry::of::<Hangs>(),
            CheckEntry::of::<Good>(),
            CheckEntry::of::<Absent>(),
            CheckEntry::of::<Bad>(),
        ];
        let text = shown(&checks, None).await;
        let firsts: Vec<&str> = text.lines().filter(|line| line.contains(") bad: ")).collect();
        assert_eq!(
            firsts,
            [
                "ERROR (certain) bad: Pod shop/web on n1: MTU is 900, but should be 1400",
                "ERROR (suspicion) bad: Pod shop/maybe on n1: MTU is 900, but should be 1400",
                "NOTICE (certain) bad: Pod shop/odd on n1: MTU is 900, but should be 1400",
            ]
        );
        assert!(text.contains("known as: issue 1, since 1.0, fixed in 1.2"), "{text}");
        assert!(text.contains("1 check found no fault: good (2 nodes)\n"), "{text}");
        assert!(
            text.ends_with(
                "  hangs: a log took longer than 1 s\n  absent: nodes is not available in bundle\n  bad of n2: silent\n"
            ),
            "{text}"
        );
    }

    #[tokio::test]
    async fn about_keeps_the_findings_of_an_object() {
        let checks = [CheckEntry::of::<Bad>()];
        for name in ["web", "shop/web", "Pod shop/web"] {
            let text = shown(&checks, Some(name)).await;
            assert_eq!(text.matches(") bad: ").count(), 1, "{name}: {text}");
        }
        assert_eq!(shown(&checks, Some("n1")).await.matches(") bad: ").count(), 3);
        let text = shown(&checks, Some("db")).await;
        assert!(text.starts_with("no finding about db; 3 findings about other objects\n"), "{text}");
    }
}
