//! Sorts existing names by their similarity to a name that does not exist.

/// Returns all `known` names, with the names most similar to `wanted` first.
///
/// The measure is the edit distance, ignoring case. A name that contains the wanted word, or is contained in it, counts
/// as most similar: `switch_port` finds `Logical_Switch_Port`, but `lsp` does not.
#[must_use]
pub fn nearest_first<'a>(wanted: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    // Names are short. A long word is not a name, so only its beginning is compared.
    let wanted: String = wanted.chars().take(64).collect::<String>().to_ascii_lowercase().replace('-', "_");
    let mut names: Vec<(usize, &str)> = known
        .map(|name| {
            let lower = name.to_ascii_lowercase();
            let held = !wanted.is_empty() && (lower.contains(&wanted) || wanted.contains(&lower));
            (if held { 0 } else { distance(&wanted, &lower) }, name)
        })
        .collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name.to_owned()).collect()
}

/// Returns the edit distance: the number of letters to add, remove or change to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let mut costs: Vec<usize> = (0..=b.chars().count()).collect();
    for (row, letter) in a.chars().enumerate() {
        let mut left = row + 1;
        let mut diagonal = row;
        for (cost, other) in costs.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(letter != other);
            diagonal = *cost;
            left = changed.min(left + 1).min(*cost + 1);
            *cost = left;
        }
        if let Some(first) = costs.first_mut() {
            *first = row + 1;
        }
    }
    costs.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_distances_are_right() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
    }

    #[test]
    fn similar_names_come_first() {
        let known = ["ACL", "Load_Balancer", "Logical_Switch", "Logical_Switch_Port"];
        let first = |wanted| nearest_first(wanted, known.into_iter()).swap_remove(0);
        assert_eq!(first("loadbalancer"), "Load_Balancer");
        assert_eq!(first("acls"), "ACL");
        assert_eq!(first("Logical_Swich"), "Logical_Switch");
    }
}
