//! The flows of a bridge by table, indexed so that the flow that matches a packet is found quickly.
//!
//! Flows that test the same bits of the same fields form one set, in which these bits are the key (tuple space
//! search).

use crate::{
    Flow, Match, Ports,
    action::{self, Does},
};
use packet::{Field, Packet};
use std::collections::{BTreeMap, HashMap};

/// A flow of a table.
#[derive(Clone, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) cookie: u64,
    pub(crate) priority: u16,
    /// The text of the match without the priority.
    pub(crate) matched: &'a str,
    pub(crate) actions: &'a str,
    /// The next flow with the same match and a lower priority.
    next: Option<usize>,
}

/// Flows that test the same bits.
#[derive(Clone, Debug)]
struct Tuple {
    fields: Vec<(Field, u128)>,
    highest: u16,
    first: HashMap<Box<[u128]>, usize>,
}

/// The flows of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table<'a> {
    entries: Vec<Entry<'a>>,
    /// The sets of flows, the highest priority first.
    tuples: Vec<Tuple>,
    /// Flows whose match is not understood: they can match any packet.
    unclear: Vec<(u16, &'a str)>,
}

/// A flow that is part of conjunctions, with the id, the clause and the number of clauses of each conjunction.
type Part<'t, 'a> = (&'t Entry<'a>, Vec<(u32, u8, u8)>);

/// The result of the lookup of a packet in a table.
#[derive(Clone, Debug)]
pub(crate) enum LookupResult<'t, 'a> {
    /// The matching flow, and the flows of the conjunction that led to it.
    Flow(&'t Entry<'a>, Vec<&'t Entry<'a>>),
    /// No flow matches.
    Miss,
    /// A flow whose match is not understood has the same or a higher priority.
    Unclear(&'a str),
}

/// Parses the tables of a dump and returns the lines that are not flows.
pub(crate) fn tables<'a>(dump: &'a str, ports: &Ports) -> (BTreeMap<u8, Table<'a>>, Vec<String>) {
    let (mut tables, mut other): (BTreeMap<u8, Table<'a>>, _) = (BTreeMap::new(), Vec::new());
    // A reply in several parts has a header before each part, and only the last one says that no part follows.
    let mut has_more = false;
    for line in dump.lines() {
        if crate::is_header(line) {
            has_more = line.contains("flags=[more]") || has_more && line.trim().is_empty();
            continue;
        }
        let Some(flow) = Flow::parse(line).filter(Flow::is_whole) else {
            other.push(line.trim().to_owned());
            continue;
        };
        if !tables.entry(flow.table()).or_default().add(line, &flow, ports) {
            other.push(line.trim().to_owned());
        }
    }
    other.extend(crate::dump::cut(dump));
    if has_more {
        other
            .push("the last part of the dump is missing: its last header says that more flows follow".into());
    }
    tables.values_mut().for_each(|table| table.tuples.sort_by_key(|tuple| std::cmp::Reverse(tuple.highest)));
    (tables, other)
}

/// Adds one flow. Returns the line if it was not understood.
pub(crate) fn add<'a>(tables: &mut BTreeMap<u8, Table<'a>>, line: &'a str, ports: &Ports) -> Option<String> {
    let is_added = Flow::parse(line).filter(Flow::is_whole).is_some_and(|flow| {
        let table = tables.entry(flow.table()).or_default();
        let is_added = table.add(line, &flow, ports);
        table.tuples.sort_by_key(|tuple| std::cmp::Reverse(tuple.highest));
        is_added
    });
    (!is_added).then(|| line.trim().to_owned())
}

impl<'a> Table<'a> {
    /// Adds a flow and returns whether its match is understood.
    fn add(&mut self, line: &'a str, flow: &Flow<'a>, ports: &Ports) -> bool {
        let Ok(matches) = Match::of(&flow.fields, ports) else {
            self.unclear.push((flow.priority(), line.trim()));
            return false;
        };
        let at = self.entries.len();
        let fields: Vec<_> = matches.tests().iter().map(|(field, masked)| (*field, masked.mask)).collect();
        let key: Box<[u128]> = matches.tests().iter().map(|(_, masked)| masked.value).collect();
        let priority = flow.priority();
        let mut entry = Entry {
            cookie: flow.cookie(),
            priority,
            matched: span(line, flow),
            actions: flow.actions,
            next: None,
        };
        let tuple = match self.tuples.iter().position(|tuple| tuple.fields == fields) {
            Some(at) => at,
            None => {
                self.tuples.push(Tuple { fields, highest: 0, first: HashMap::new() });
                self.tuples.len() - 1
            }
        };
        let Some(tuple) = self.tuples.get_mut(tuple) else { return false };
        tuple.highest = tuple.highest.max(priority);
        match tuple.first.get(&key).copied() {
            Some(first) if self.entries.get(first).is_some_and(|it| it.priority > priority) => {
                let next = |at: usize| self.entries.get(at)?.next;
                let higher = |at: &usize| self.entries.get(*at).is_some_and(|it| it.priority > priority);
                let before = std::iter::successors(Some(first), |at| next(*at).filter(higher)).last();
                if let Some(before) = before.and_then(|at| self.entries.get_mut(at)) {
                    entry.next = before.next.replace(at);
                }
            }
            first => {
                entry.next = first;
                tuple.first.insert(key, at);
            }
        }
        self.entries.push(entry);
        true
    }

    /// Returns the matches of the flows, without their priorities.
    pub(crate) fn matched(&self) -> impl Iterator<Item = &'a str> {
        self.entries.iter().map(|entry| entry.matched)
    }

    /// Returns the flow that a packet matches.
    pub(crate) fn find(&self, packet: &Packet) -> LookupResult<'_, 'a> {
        let mut packet = packet.clone();
        packet.set(Field::CONJ_ID, 0);
        let mut soft: Vec<Part<'_, 'a>> = Vec::new();
        let hard = self.best(&packet, Some(&mut soft));
        let floor = hard.map_or(-1, |entry| i32::from(entry.priority));
        let unclear = |priority: i32| {
            self.unclear.iter().find(|(it, _)| i32::from(*it) >= priority).map(|(_, line)| *line)
        };
        let mut levels: Vec<u16> = soft.iter().map(|(entry, _)| entry.priority).collect();
        levels.sort_unstable();
        levels.dedup();
        for level in levels.into_iter().rev().filter(|level| i32::from(*level) > floor) {
            let parts: Vec<_> = soft.iter().filter(|(entry, _)| entry.priority == level).collect();
            let mut clauses: BTreeMap<u32, (u64, u8)> = BTreeMap::new();
            for (id, clause, of) in parts.iter().flat_map(|(_, list)| list) {
                let seen = clauses.entry(*id).or_insert((0, *of));
                seen.0 |= 1u64.checked_shl(u32::from(clause.saturating_sub(1))).unwrap_or(0);
            }
            let whole = clauses.iter().filter(|(_, (seen, of))| seen.count_ones() == u32::from(*of));
            for (id, _) in whole {
                packet.set(Field::CONJ_ID, (*id).into());
                if let Some(entry) = self.best(&packet, None) {
                    if let Some(line) = unclear(i32::from(level)) {
                        return LookupResult::Unclear(line);
                    }
                    let of = |list: &[(u32, u8, u8)]| list.iter().any(|(it, _, _)| it == id);
                    let parts = parts.iter().filter(|(_, list)| of(list)).map(|(entry, _)| *entry);
                    return LookupResult::Flow(entry, parts.collect());
                }
            }
        }
        match (unclear(floor), hard) {
            (Some(line), _) => LookupResult::Unclear(line),
            (None, Some(entry)) => LookupResult::Flow(entry, Vec::new()),
            (None, None) => LookupResult::Miss,
        }
    }

    /// Returns the flow with the highest priority that is not part of a conjunction. Flows that are part of one go to
    /// `soft`, if it is given.
    fn best<'t>(
        &'t self,
        packet: &Packet,
        mut soft: Option<&mut Vec<Part<'t, 'a>>>,
    ) -> Option<&'t Entry<'a>> {
        let mut best: Option<&Entry<'a>> = None;
        let mut key = Vec::new();
        for tuple in &self.tuples {
            if best.is_some_and(|best| best.priority >= tuple.highest) {
                break;
            }
            key.clear();
            key.extend(tuple.fields.iter().map(|(field, mask)| packet.get(*field) & mask));
            let mut at = tuple.first.get(key.as_slice()).copied();
            while let Some(entry) = at.and_then(|at| self.entries.get(at)) {
                let parts = conjunctions(entry.actions);
                if parts.is_empty() {
                    if best.is_none_or(|best| best.priority < entry.priority) {
                        best = Some(entry);
                    }
                    break;
                }
                if let Some(soft) = &mut soft {
                    soft.push((entry, parts));
                }
                at = entry.next;
            }
        }
        best
    }
}

/// Returns the text of the match as the line has it, between the priority and the actions.
fn span<'a>(line: &'a str, flow: &Flow<'a>) -> &'a str {
    let (Some(first), Some(last)) = (flow.fields.first(), flow.fields.last()) else { return "" };
    let place = |text: &str| (text.as_ptr() as usize).checked_sub(line.as_ptr() as usize);
    let end = last.value.unwrap_or(last.name);
    match (place(first.name), place(end)) {
        (Some(from), Some(to)) => line.get(from..to + end.len()).unwrap_or_default(),
        _ => "",
    }
}

/// Parses the conjunctions that a flow is part of.
fn conjunctions(text: &str) -> Vec<(u32, u8, u8)> {
    if !text.starts_with("conjunction(") {
        return Vec::new();
    }
    let parts = action::actions(text, &Ports::default()).into_iter();
    parts
        .filter_map(|it| match it.does {
            Does::Conjunction(id, clause, of) => Some((id, clause, of)),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(text: &str) -> Packet {
        let line = format!("{text} actions=drop");
        Match::of(&Flow::parse(&line).unwrap().fields, &Ports::default()).unwrap().packet()
    }

    fn actions<'a>(table: &Table<'a>, packet: &Packet) -> Option<&'a str> {
        match table.find(packet) {
            LookupResult::Flow(entry, _) => Some(entry.actions),
            LookupResult::Miss => None,
            LookupResult::Unclear(line) => Some(line),
        }
    }

    fn matches(text: &str, packet: &Packet) -> bool {
        let line = format!("{text} actions=drop");
        Match::of(&Flow::parse(&line).unwrap().fields, &Ports::default()).unwrap().matches(packet)
    }

    #[test]
    fn conjunctions_need_a_part_of_each_clause() {
        let dump = " priority=10,ip,nw_src=10.0.0.1 actions=conjunction(7,1/2)\n priority=10,ip,nw_src=10.0.0.2 actions=conjunction(7,1/2),conjunction(8,1/2)\n priority=10,tcp,tp_dst=80 actions=conjunction(7,2/2)\n priority=10,conj_id=7,ip actions=output:1\n priority=5,ip actions=output:2\n";
        let (tables, other) = tables(dump, &Ports::default());
        let table = tables.get(&0).unwrap();
        assert!(other.is_empty());
        for (flow, out) in [
            ("tcp,nw_src=10.0.0.1,tp_dst=80", Some("output:1")),
            ("tcp,nw_src=10.0.0.2,tp_dst=80", Some("output:1")),
            ("tcp,nw_src=10.0.0.1,tp_dst=81", Some("output:2")),
            ("tcp,nw_src=10.0.0.3,tp_dst=80", Some("output:2")),
            ("arp", None),
        ] {
            assert_eq!(actions(table, &packet(flow)), out, "{flow}");
        }
    }

    #[test]
    fn below_a_part_of_a_conjunction_the_highest_priority_counts() {
        let flow = |(priority, actions): (u16, &str)| {
            format!(" priority={priority},ip,nw_src=10.0.0.1 actions={actions}\n")
        };
        let flows = [(100, "conjunction(7,1/2)"), (50, "output:1"), (70, "output:2"), (60, "output:3")];
        let dump: String = flows.map(flow).concat();
        let (tables, _) = tables(&dump, &Ports::default());
        let table = tables.get(&0).unwrap();
        assert_eq!(actions(table, &packet("ip,nw_src=10.0.0.1")), Some("output:2"));
    }

    #[test]
    fn a_flow_that_is_not_understood_hides_those_below_it() {
        let dump = " priority=10,teleport=1 actions=drop\n priority=5,ip actions=output:2\n priority=20,arp actions=output:3\n nonsense\n priority=1 actions=output";
        let (tables, other) = tables(dump, &Ports::default());
        let table = tables.get(&0).unwrap();
        assert_eq!(actions(table, &packet("ip")), Some("priority=10,teleport=1 actions=drop"));
        assert_eq!(actions(table, &packet("arp")), Some("output:3"));
        let bad = "priority=10,teleport=1 actions=drop";
        assert_eq!(other, [bad, "nonsense", "the dump ends within a line: priority=1 actions=output"]);
    }

    proptest! {
        /// The index finds the same flow as a search through all flows.
        #[test]
        fn the_index_is_the_linear_search(
            flows in prop::collection::vec((0u16..50, 0u8..8, 0u32..4, 0u32..4, 0u32..4), 1..60),
            regs in (0u32..4, 0u32..4, 0u32..4),
        ) {
            let mut seen = std::collections::BTreeSet::new();
            let mut dump = String::new();
            for (at, (priority, which, a, b, c)) in flows.iter().enumerate() {
                let tests = [(1, "reg0", a), (2, "reg1", b), (4, "reg2", c)];
                let tests: String = tests.iter().filter(|(bit, _, _)| which & bit != 0).map(|(_, name, value)| format!(",{name}={value:#x}")).collect();
                // If two flows with the same priority match the same packets, a switch may choose either.
                if seen.insert(*priority) {
                    dump += &format!(" priority={priority}{tests} actions=output:{at}\n");
                }
            }
            let mut packet = Packet::default();
            packet.set(Field::REG0, regs.0.into());
            packet.set(Field::REG1, regs.1.into());
            packet.set(Field::REG2, regs.2.into());
            let (tables, _) = tables(&dump, &Ports::default());
            let table = tables.get(&0).unwrap();
            let slow = table.entries.iter().filter(|it| matches(it.matched, &packet)).max_by_key(|it| it.priority).map(|it| it.actions);
            prop_assert_eq!(actions(table, &packet), slow);
        }
    }
}
