//! Random single changes of a source, for tests that check that each change is detected.

use crate::{Case, Failed, answer_within};
use mcp_core::{Budget, Bundle, Layer};
use serde_json::Value;
use std::{path::PathBuf, sync::Arc};

/// The random changes of one test run.
pub struct RandomChanges {
    /// The generator that selects the changes.
    pub rng: fastrand::Rng,
    /// The number of changes.
    pub wanted: usize,
}

impl RandomChanges {
    /// Returns the changes of a normal run. `CHANGES_SEED=<seed>` selects other changes, and `CHANGES=<number>` makes a
    /// run longer. The default seed is fixed, so that every normal run checks the same changes.
    pub fn from_environment() -> Self {
        /// The number of changes in a normal run.
        const CHANGES: usize = 60;
        let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
        let seed = number("CHANGES_SEED").unwrap_or(1);
        eprintln!("CHANGES_SEED={seed}");
        let wanted = number("CHANGES").and_then(|wanted| wanted.try_into().ok()).unwrap_or(CHANGES);
        Self { rng: fastrand::Rng::with_seed(seed), wanted }
    }
}

/// Returns a different but similar character, as in a mistyped name or address.
pub fn other_letter(letter: char) -> char {
    match letter {
        digit @ '0'..='8' => char::from(digit as u8 + 1),
        '9' => '0',
        'x' => 'y',
        _ => 'x',
    }
}

/// Returns the lines as one text, with one line replaced or removed.
pub fn with_line(lines: &[&str], at: usize, change: Option<&str>) -> String {
    let line = |(n, line): (usize, &&str)| {
        if n == at { change.map(str::to_owned) } else { Some((*line).to_owned()) }
    };
    lines.iter().enumerate().filter_map(line).map(|line| line + "\n").collect()
}

/// Returns the answer of a tool over bundles, with a budget that cuts nothing.
pub fn answer_uncut(
    layer: Layer,
    bundles: Vec<PathBuf>,
    tool: &str,
    params: Value,
) -> Result<String, Failed> {
    let params = params.as_object().ok_or("the parameters are not a JSON object")?.clone();
    let case = Case { scenario: String::new(), tool: tool.into(), params };
    let budget = Budget { lines: 100_000, bytes: 10_000_000 };
    answer_within(layer, Arc::new(Bundle::new(bundles)), &case, budget)
}
