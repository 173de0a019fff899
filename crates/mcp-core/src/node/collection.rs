//! The collection whose data a tool reads, if a source has several collections of one node.
//!
//! Without a choice, each part of a node's data comes from the newest collection that has this part. This suits tools
//! that show one part. A tool that combines several parts chooses one collection, because parts of different times
//! describe different states of the node.

use super::{Node, without_secrets};
use crate::{Argv, CollectionChoice, CommandPlace, Origin, Output, ReadError, ReadValue};
use std::sync::{Arc, Mutex, PoisonError};

/// Data of two programs on a node that was collected further apart than this, in seconds, describes different states of
/// the node.
const FAR_APART: i64 = 3600;

/// The collection that a tool chose by the first output that it read.
#[derive(Clone)]
pub(super) struct ChosenCollection {
    pub(super) choice: CollectionChoice,
    place: CommandPlace,
    /// The output that the tool read first.
    first: Origin,
    /// What was read from other collections, in the order in which it was read.
    others: Arc<Mutex<Vec<Origin>>>,
}

impl ChosenCollection {
    /// Records data of another collection that may not fit: data of the same program, and data of another program if it
    /// was collected long before or after.
    fn compare(&self, place: &CommandPlace, origin: &Origin) {
        let far_apart = || {
            let apart = Some(origin.when?.as_second() - self.first.when?.as_second());
            apart.filter(|apart| apart.abs() > FAR_APART)
        };
        let is_same = origin.collection.is_none() || origin.collection == self.first.collection;
        if is_same || *place != self.place && far_apart().is_none() {
            return;
        }
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if !others.iter().any(|other| (&other.what, &other.bundle) == (&origin.what, &origin.bundle)) {
            others.push(origin.clone());
        }
    }
}

impl Node<'_> {
    /// Returns the output of the first of several commands that the source has, and this node with the collection that
    /// contains the output. The returned node reads everything else from the same collection, if the collection has it,
    /// and [`Node::other_collections`] names the rest. A live source has no collections.
    ///
    /// # Errors
    ///
    /// Returns an error if the source has none of the outputs, or could not read one.
    pub async fn collected_with(
        &self,
        place: CommandPlace,
        commands: Vec<Argv>,
    ) -> Result<(Output, Self), ReadError> {
        let mut absent: Option<ReadError> = None;
        for argv in commands {
            match self.backend.command(&self.at(place.clone()), &argv).await.and_then(without_secrets) {
                Ok(read) => {
                    let first = read.origin.clone();
                    let chosen = first.collection.clone().map(|collection| ChosenCollection {
                        choice: CollectionChoice::First(collection),
                        place: place.clone(),
                        first,
                        others: Arc::default(),
                    });
                    return Ok((self.take(&place, read), Self { chosen, ..self.clone() }));
                }
                Err(e) if e.is_absence() => {
                    absent = Some(match absent {
                        Some(first) => first.or(e),
                        None => e,
                    });
                }
                Err(e) => return Err(e),
            }
        }
        Err(absent.expect("a tool gives at least one command"))
    }

    /// Returns this node with the chosen collection alone, and then with all collections. Without a choice, it returns
    /// this node.
    ///
    /// A caller needs this if there are several ways to read one thing: the second way in the chosen collection is
    /// better than the first way in another collection. [`Node::first`] does so itself.
    pub fn by_collection(&self) -> Vec<Self> {
        self.alone().into_iter().chain([self.clone()]).collect()
    }

    /// Returns this node with the chosen collection alone, if there is one that is only preferred.
    pub(super) fn alone(&self) -> Option<Self> {
        let chosen = self.chosen.clone()?;
        let CollectionChoice::First(collection) = chosen.choice else { return None };
        let choice = CollectionChoice::Only(collection);
        Some(Self { chosen: Some(ChosenCollection { choice, ..chosen }), ..self.clone() })
    }

    /// Returns the output that chose the collection, with its time, and the data of other collections that was read
    /// together with it. Returns `None` if all data fits together.
    pub fn other_collections(&self) -> Option<(String, Vec<String>)> {
        let chosen = self.chosen.as_ref()?;
        let others = chosen.others.lock().unwrap_or_else(PoisonError::into_inner);
        (!others.is_empty()).then(|| (chosen.first.dated(), others.iter().map(Origin::dated).collect()))
    }

    /// Records the origin and the notes of `read`, and returns its value.
    pub(super) fn take<T>(&self, place: &CommandPlace, read: ReadValue<T>) -> T {
        if let Some(chosen) = &self.chosen {
            chosen.compare(place, &read.origin);
        }
        self.noted.take(read)
    }
}
