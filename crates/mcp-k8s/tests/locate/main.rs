//! Tests the findings of `ovnkube_locate`, `cluster_overview` and `k8s_audit`. Each fault is planted in a copy of the
//! capture. A healthy cluster and data that was not collected cause no findings.

#![expect(clippy::indexing_slicing, reason = "an index of a JSON object that is absent is null, or is added")]

mod absent;
mod audit;
mod changed;
mod disagreements;
mod kubectl;
mod nodes;
mod partial;
mod planted;
mod pods;
mod services;
