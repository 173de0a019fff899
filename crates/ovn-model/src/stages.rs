//! The OpenFlow tables of the stages of logical pipelines.
//!
//! ovn-controller puts stage n of a pipeline into the table n after the pipeline's first table. The first tables
//! differ between versions of OVN (`controller/lflow.h`), and the names of the stages (`northd/northd.h`) differ even
//! more. The names are therefore read from the flows (`external_ids:stage-name`), where the ovn-northd that made the
//! flows wrote them.

use crate::lflow::{Flow, Pipeline};
use ovsdb::{Rows, Select};
use std::{collections::BTreeMap, fmt, ops::Range, str::FromStr};

/// An OVN release by year and month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Release(u16, u16);

impl FromStr for Release {
    type Err = ();

    /// Parses a version such as `26.03.1`, or the form that ovn-northd writes into its database,
    /// `26.03.1-21.8.0-82.14`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(['.', '-']);
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or(());
        Ok(Self(number()?, number()?))
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}.{:02}", self.0, self.1)
    }
}

impl Release {
    /// Returns the select on the southbound database that gives the release.
    pub fn select() -> Select {
        Select::from("SB_Global").columns(["options"])
    }

    /// Returns the release of the ovn-northd that wrote a southbound database, from `SB_Global`.
    pub fn of(global: &Rows) -> Option<Self> {
        global.rows.first()?.map_get("options", "northd_internal_version")?.parse().ok()
    }
}

/// The positions of the logical pipelines among the tables of the integration bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The table of the first ingress stage.
    pub ingress: u8,
    /// The first table of the output to local and remote ports, which is between the pipelines.
    pub output: Option<u8>,
    /// The table of the first egress stage.
    pub egress: u8,
    /// The first table after the egress pipeline.
    pub end: Option<u8>,
}

/// The purpose of a table of the integration bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// A stage of a pipeline, by its number in the pipeline.
    Stage(Pipeline, u8),
    /// A table before, between or after the pipelines: physical ports, tunnels, lookups.
    Physical,
}

/// The layouts in `controller/lflow.h` of the release branches.
const KNOWN: &[(Range<Release>, Layout)] = &[
    (Release(23, 3)..Release(24, 4), Layout { ingress: 8, output: Some(37), egress: 42, end: Some(64) }),
    (Release(26, 3)..Release(26, 4), Layout { ingress: 8, output: Some(42), egress: 48, end: Some(64) }),
];

impl Layout {
    /// Returns the known layouts and their releases.
    pub fn known() -> &'static [(Range<Release>, Self)] {
        KNOWN
    }

    /// Returns the layout of a release, or `None` if it is not known.
    pub fn of(release: Release) -> Option<Self> {
        KNOWN.iter().find(|(releases, _)| releases.contains(&release)).map(|(_, layout)| *layout)
    }

    /// Derives the layout from flows: OpenFlow flows in these tables have the cookies of these logical flows. Returns
    /// `None` unless each pipeline has enough flows and nearly all of them agree: a learned flow (ovs-actions(7),
    /// `learn`) has the cookie of the flow that learned it, in a table outside the pipelines.
    pub fn seen(openflow: impl IntoIterator<Item = (u8, u32)>, flows: &[Flow]) -> Option<Self> {
        const ENOUGH: usize = 8;
        let mut by_cookie: BTreeMap<u32, Option<&Flow>> = BTreeMap::new();
        for flow in flows {
            // A cookie that two logical flows share is ambiguous.
            by_cookie.entry(flow.uuid.first32()).and_modify(|it| *it = None).or_insert(Some(flow));
        }
        let mut votes: BTreeMap<Pipeline, BTreeMap<i64, usize>> = BTreeMap::new();
        for (table, cookie) in openflow {
            if let Some(Some(flow)) = by_cookie.get(&cookie) {
                *votes.entry(flow.pipeline).or_default().entry(i64::from(table) - flow.table).or_default() +=
                    1;
            }
        }
        let start = |pipeline| {
            let votes = votes.get(&pipeline)?;
            let (start, most) = votes.iter().max_by_key(|(_, votes)| **votes)?;
            let agreed = *most >= ENOUGH && most * 10 >= votes.values().sum::<usize>() * 9;
            agreed.then(|| u8::try_from(*start).ok()).flatten()
        };
        Some(Self {
            ingress: start(Pipeline::Ingress)?,
            output: None,
            egress: start(Pipeline::Egress)?,
            end: None,
        })
    }

    /// Returns the table of a stage.
    pub fn table(&self, pipeline: Pipeline, stage: i64) -> Option<u8> {
        let (start, end) = match pipeline {
            Pipeline::Ingress => (self.ingress, self.output.unwrap_or(self.egress)),
            Pipeline::Egress => (self.egress, self.end.unwrap_or(u8::MAX)),
        };
        let table = start.checked_add(u8::try_from(stage).ok()?)?;
        (table < end).then_some(table)
    }

    /// Returns the purpose of a table outside the pipelines (`controller/lflow.h`), if its position is known.
    pub fn physical(&self, table: u8) -> Option<&'static str> {
        let after_output = table.checked_sub(self.output?)?;
        let width = self.egress.checked_sub(self.output?)?;
        match (table, after_output, width) {
            (64, ..) => Some("restores the input port"),
            (65, ..) => Some("logical to physical ports"),
            (66, ..) => Some("MAC bindings"),
            (_, 0, _) => Some("output of large packets"),
            // There are five tables until 24.03, and six in 26.03, which added one for VTEPs.
            (_, 2, 5 | 6) => Some("output to remote ports"),
            (_, 3, 5) | (_, 4, 6) => Some("output to local ports"),
            (_, 4, 5) | (_, 5, 6) => Some("check for loops"),
            _ => None,
        }
    }

    /// Returns the purpose of a table, or `None` if this layout was derived from flows and does not cover the table.
    pub fn role(&self, table: u8) -> Option<Table> {
        let stage = |pipeline, start: u8| Table::Stage(pipeline, table.saturating_sub(start));
        match table {
            t if t < self.ingress => Some(Table::Physical),
            t if t < self.output? => Some(stage(Pipeline::Ingress, self.ingress)),
            t if t < self.egress => Some(Table::Physical),
            t if t < self.end? => Some(stage(Pipeline::Egress, self.egress)),
            _ => Some(Table::Physical),
        }
    }
}

/// The names of a database's stages. A table can have one name in switches and another in routers.
#[derive(Clone, Debug, Default)]
pub struct StageNames(BTreeMap<(Pipeline, i64), Vec<String>>);

impl StageNames {
    /// Collects the names from flows.
    pub fn of<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> Self {
        let mut names: BTreeMap<(Pipeline, i64), Vec<String>> = BTreeMap::new();
        for flow in flows {
            let Some(name) = &flow.stage else { continue };
            let known = names.entry((flow.pipeline, flow.table)).or_default();
            if !known.contains(name) {
                known.push(name.clone());
                known.sort();
            }
        }
        Self(names)
    }

    /// Returns the names of a stage in routers (`lr_…`) and in switches (`ls_…`).
    pub fn get(&self, pipeline: Pipeline, stage: i64) -> &[String] {
        self.0.get(&(pipeline, stage)).map_or(&[], Vec::as_slice)
    }

    /// Returns all names of stages.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.values().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_parsed_from_the_version_of_northd() {
        for text in ["26.03.1-21.8.0-82.14", "26.03.1", "26.03"] {
            assert_eq!(text.parse(), Ok(Release(26, 3)), "{text}");
        }
        for text in ["", "main", "26", "26.x"] {
            assert_eq!(text.parse::<Release>(), Err(()), "{text}");
        }
    }

    #[test]
    fn tables_follow_the_release() {
        let of = |text: &str| Layout::of(text.parse().unwrap());
        let egress = |text: &str| of(text).and_then(|layout| layout.table(Pipeline::Egress, 3));
        assert_eq!(egress("23.03.1-20.27.0-70.6"), Some(45));
        assert_eq!(egress("24.03.4-20.33.0-72.6"), Some(45));
        assert_eq!(egress("26.03.1-21.8.0-82.14"), Some(51));
        // The layout of an unknown release is never guessed.
        for unknown in ["22.12.0", "24.09.1", "25.03.0", "26.09.0"] {
            assert_eq!(of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn tables_and_stages_are_each_others_inverse() {
        let layout = Layout::of(Release(26, 3)).unwrap();
        let mut stages = 0;
        for table in 0..=u8::MAX {
            if let Some(Table::Stage(pipeline, stage)) = layout.role(table) {
                assert_eq!(layout.table(pipeline, i64::from(stage)), Some(table));
                stages += 1;
            }
        }
        assert_eq!(stages, 42 - 8 + 64 - 48);
        assert_eq!([7, 42, 47, 64, 255].map(|table| layout.role(table)), [Some(Table::Physical); 5]);
        assert_eq!(layout.table(Pipeline::Ingress, 34), None);
        assert_eq!(layout.table(Pipeline::Egress, -1), None);
    }
}
