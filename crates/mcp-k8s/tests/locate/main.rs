//! Findings of `ovnkube_locate` and `cluster_overview`: each is planted in a copy of the capture, is not there where
//! nothing is wrong, and does not follow from what was not collected.

#![expect(clippy::indexing_slicing, reason = "an index of a JSON object that is absent is null, or is added")]

mod absent;
mod changed;
mod disagreements;
mod kubectl;
mod nodes;
mod partial;
mod planted;
mod pods;
mod services;
