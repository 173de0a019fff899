//! Random single changes of a source, for the tests that such a change is seen.

use crate::{Case, Failed, answer_within};
use mcp_core::{Budget, Bundle, Layer};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};

/// The changes of one run.
pub struct RandomChanges {
    /// Chooses what is changed.
    pub rng: fastrand::Rng,
    /// How many changes are made.
    pub wanted: usize,
}

impl RandomChanges {
    /// Those of a normal run. `CHANGES_SEED=<seed>` repeats a run, whose seed is printed, and `CHANGES=<number>` makes it
    /// longer.
    pub fn from_environment() -> Self {
        /// So many changes in a normal run.
        const CHANGES: usize = 60;
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = number("CHANGES_SEED").unwrap_or_else(|| fastrand::u64(..));
        eprintln!("CHANGES_SEED={seed}");
        let wanted = number("CHANGES").and_then(|wanted| wanted.try_into().ok()).unwrap_or(CHANGES);
        Self { rng: fastrand::Rng::with_seed(seed), wanted }
    }
}

/// A character like this one, and not this one: as somebody mistypes a name or an address.
pub fn other_letter(letter: char) -> char {
    match letter {
        digit @ '0'..='8' => char::from(digit as u8 + 1),
        '9' => '0',
        'x' => 'y',
        _ => 'x',
    }
}

/// A text of lines, with another one or none in the place of one of them.
pub fn with_line(lines: &[&str], at: usize, change: Option<&str>) -> String {
    let line = |(n, line): (usize, &&str)| {
        if n == at { change.map(str::to_owned) } else { Some((*line).to_owned()) }
    };
    lines.iter().enumerate().filter_map(line).map(|line| line + "\n").collect()
}

/// What a tool answers over bundles, with nothing cut of what is seen.
pub fn answer_uncut(
    layer: Layer,
    bundles: Vec<PathBuf>,
    tool: &str,
    params: Value,
) -> Result<String, Failed> {
    let params = params.as_object().ok_or("the parameters are no object")?.clone();
    let case = Case { scenario: String::new(), tool: tool.into(), params };
    let budget = Budget { lines: 100_000, bytes: 10_000_000 };
    answer_within(layer, Arc::new(Bundle::new(bundles)), &case, budget)
}
