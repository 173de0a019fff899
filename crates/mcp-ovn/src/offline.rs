//! ovn-trace on what a bundle holds: the real program, asking a server of a private copy that nothing can write to.

use crate::commands;
use mcp_core::{Db, Node, Output, PrivateError, ToolError, Workshop};
use ovsdb::{Database, Select};
use std::cmp::Ordering;

/// What ovn-trace printed of a node's collected database, and what to say of it.
pub(crate) async fn trace(
    node: &Node<'_>,
    trace: &commands::Trace<'_>,
) -> Result<(Output, String), ToolError> {
    let database = node.database(Db::Sb).await?;
    Workshop::need("ovn-trace", "ovn-common on Debian, ovn on Fedora")?;
    Workshop::need("ovsdb-server", "openvswitch-common on Debian, openvswitch on Fedora")?;
    let mut workshop = Workshop::open(node.within(), Workshop::MEMORY)?;
    let installed = Version::parse(&workshop.run(&commands::trace_version()).await?);
    let needed = Version::of(&database);
    if installed.is_older(&needed) {
        let (has, needs) = (installed.to_string(), needed.to_string());
        return Err(PrivateError::TooOld { program: "ovn-trace".into(), has, needs }.into());
    }
    let file = workshop.path("sb.db")?;
    workshop.copy(&file, database).await?;
    let (socket, control, nobody) =
        (workshop.path("sb.sock")?, workshop.path("sb.ctl")?, workshop.path("never")?);
    workshop.start(&commands::serve(&file, &socket, &control, &nobody), &socket).await?;
    let output = workshop.run(&trace.private(&socket)).await?;
    match not_understood(&output) {
        Some(said) => {
            Err(PrivateError::NotUnderstood { program: "ovn-trace".into(), has: installed.to_string(), said }
                .into())
        }
        None => {
            Ok((output, format!("ovn-trace {} here worked on a copy of the database", installed.program)))
        }
    }
}

/// What ovn-trace could not make sense of: it says so, goes on without those flows, and ends well.
fn not_understood(output: &Output) -> Option<String> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let odd = |line: &&str| {
        line.contains("constraint violation") || (line.contains("parsing") && line.contains("failed"))
    };
    stderr.lines().find(odd).map(|line| line.trim().to_owned())
}

/// A version of OVN: of its programs, and of the southbound database's schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Version {
    /// `26.03.1`; empty if it is not known.
    program: String,
    /// `21.8.0`.
    schema: String,
}

impl Version {
    /// Of what `ovn-trace --version` prints.
    fn parse(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let after = |words: &str| text.lines().find_map(|line| line.strip_prefix(words)).unwrap_or_default();
        Self { program: after("ovn-trace ").trim().into(), schema: after("DB Schema ").trim().into() }
    }

    /// Of the ovn-northd that wrote a database, as far as it says.
    fn of(database: &Database) -> Self {
        let global = database.select(&Select::from("SB_Global").columns(["options"])).ok();
        let version = global.as_ref().and_then(|rows| {
            rows.rows.first()?.map_get("options", "northd_internal_version")?.split('-').next()
        });
        Self { program: version.unwrap_or_default().into(), schema: database.schema().version.clone() }
    }

    fn is_older(&self, other: &Self) -> bool {
        let numbers = |text: &str| text.split('.').map(|n| n.parse().unwrap_or(0)).collect::<Vec<u32>>();
        numbers(&self.schema).cmp(&numbers(&other.schema)) == Ordering::Less
    }
}

/// `OVN 26.03.1 (southbound schema 21.8.0)`
impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.program.as_str() {
            "" => write!(f, "of southbound schema {}", self.schema),
            program => write!(f, "OVN {program} (southbound schema {})", self.schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(version: &str) -> Version {
        Version { program: String::new(), schema: version.into() }
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        for (older, newer) in
            [("20.27.0", "21.8.0"), ("20.9.0", "20.27.0"), ("20.27.0", "20.27.1"), ("", "1.0.0")]
        {
            assert!(schema(older).is_older(&schema(newer)), "{older} {newer}");
            assert!(!schema(newer).is_older(&schema(older)), "{older} {newer}");
        }
        assert!(!schema("20.27.0").is_older(&schema("20.27.0")));
    }

    #[test]
    fn what_the_program_could_not_read_is_no_answer() {
        // As OVN 23.03 says it of a database of 26.03.
        let said = |stderr: &str| Output { stderr: stderr.into(), ..Output::default() };
        let parsing = "2026-11-22T18:28:42Z|00005|ovntrace|WARN|inport == \"a\" && igmp && flags.igmp_loopback == 0: parsing expression failed (Syntax error at `flags.igmp_loopback' expecting field name.)";
        assert_eq!(not_understood(&said(parsing)).as_deref(), Some(parsing));
        let constraint = "2026-11-22T18:28:42Z|00002|ovsdb_idl|WARN|error parsing column table_id in row 07ee3c90-9624-4ae1-aa02-cbed3d028155 in table Logical_Flow: constraint violation: 33 is not in the valid range 0 to 32 (inclusive)";
        assert_eq!(not_understood(&said(constraint)).as_deref(), Some(constraint));
        assert_eq!(
            not_understood(&said("2026-11-22T10:00:00Z|00001|ovntrace|WARN|reg0 has no symbol")),
            None
        );
    }
}
