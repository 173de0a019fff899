//! Actions that split the path of a packet: copies, groups, connection tracking and checks of the size.

use super::{Outcome, Waiting, run::Run};
use crate::{
    action::{self, Action, Ct, Does, Zone},
    group::{Bucket, GroupType},
    text::{Mark, Node},
    tokens,
};
use packet::{Field, Subfield};

impl Run<'_, '_> {
    /// Runs actions on a copy of the packet. The datapath needs its own copy only if later actions cannot undo the
    /// changes. Before 4.0, Open vSwitch checks this for these actions only, and not for the actions of the tables that
    /// they lead to.
    pub(super) fn on_a_copy(&mut self, all: &[Action<'_>]) {
        let seems_taken_back =
            || all.iter().all(|each| !matches!(each.does, Does::Ct(_) | Does::Meter(_) | Does::Other));
        if self.last || !self.switch.isolates && seems_taken_back() {
            return self.with_copy(|run| run.actions(all));
        }
        self.commit();
        let (base, outer) = (self.base.clone(), std::mem::take(&mut self.datapath));
        self.last = true;
        self.with_copy(|run| run.actions(all));
        self.last = false;
        let inner = std::mem::replace(&mut self.datapath, outer);
        if self.switch.isolates && inner.iter().all(|action| is_taken_back(action)) {
            return self.datapath.extend(inner);
        }
        if !inner.is_empty() {
            self.emit(format!("clone({})", inner.join(",")));
        }
        self.base = base;
    }

    /// Follows both results of the size check, each with the remaining actions.
    pub(super) fn check_larger(&mut self, size: u16, bit: Subfield, rest: &[Action<'_>]) {
        self.commit();
        let (base, outer, last) = (self.base.clone(), std::mem::take(&mut self.datapath), self.last);
        self.last = true;
        let mut answers = Vec::new();
        for (answer, name) in [(1, "gt"), (0, "le")] {
            self.base = base.clone();
            let ended = self.ended;
            let kept = (self.packet.clone(), self.stack.clone(), self.tracked);
            let before = self.outcomes.len();
            self.packet.set_bits(bit, answer);
            if !rest.is_empty() {
                self.actions(rest);
            }
            if name == "gt" {
                let outcomes = self.outcomes.split_off(before);
                self.outcomes.push(Outcome::Larger { size, outcomes });
            }
            self.ended = ended;
            (self.packet, self.stack, self.tracked) = kept;
            let inner = std::mem::take(&mut self.datapath);
            let inner = if inner.is_empty() { "drop".to_owned() } else { inner.join(",") };
            answers.push(format!("{name}({inner})"));
        }
        (self.datapath, self.base, self.last) = (outer, base, last);
        self.emit(format!("check_pkt_len(size={size},{})", answers.join(",")));
    }

    /// Sends the packet to a group.
    pub(super) fn group(&mut self, id: u32) {
        let bridge = self.bridge;
        let Some(group) = bridge.groups.get(&id) else {
            self.say(Mark::Warning, format!("output to nonexistent group {id}"));
            return self.unknown(&format!("group {id} was not collected or does not exist"));
        };
        let hash = self.packet.get(Field::DP_HASH) as u32;
        let chosen = match group.kind {
            GroupType::ByDatapathHash if hash != 0 => group.by_hash(hash),
            _ => None,
        };
        let branches: Vec<&Bucket<'_>> = match (group.kind, chosen) {
            _ if group.buckets.is_empty() => {
                return self.say(Mark::Detail, "no live bucket");
            }
            (_, Some(at)) => group.buckets.get(at).into_iter().collect(),
            (GroupType::FirstAlive, _) if group.buckets.first().is_some_and(|it| !it.watched) => {
                group.buckets.first().into_iter().collect()
            }
            (GroupType::ByDatapathHash | GroupType::ByFields, _) => {
                group.buckets.iter().filter(|bucket| bucket.weight > 0).collect()
            }
            _ => group.buckets.iter().collect(),
        };
        let last = self.last;
        match (group.kind, branches.as_slice()) {
            (GroupType::All | GroupType::Indirect, all) => {
                for (at, bucket) in all.iter().enumerate() {
                    self.last = last && at + 1 == all.len();
                    self.bucket(bucket);
                }
            }
            (_, [one]) => {
                self.say(Mark::Detail, format!("using bucket {}", one.id));
                self.bucket(one);
            }
            (_, several) => {
                self.say(Mark::Detail, format!("one of {} buckets: each is followed", several.len()));
                self.chooses = true;
                self.commit();
                let base = self.base.clone();
                self.emit_within("one_of", |run| {
                    for bucket in several {
                        run.base = base.clone();
                        run.emit_within(&format!("bucket_{}", bucket.id), |run| run.bucket(bucket));
                    }
                });
                self.base = base;
            }
        }
        self.last = last;
    }

    fn bucket(&mut self, bucket: &Bucket<'_>) {
        let read = action::actions(bucket.actions, &self.bridge.names);
        let node = Node::new(Mark::Bucket, format!("bucket {}", bucket.id));
        self.with_copy(|run| run.below(node, |run| run.actions(&read)));
    }

    /// Sends the packet to connection tracking.
    pub(super) fn ct(&mut self, ct: &Ct<'_>) {
        let zone = match ct.zone {
            Zone::Number(zone) => zone,
            Zone::Bits(bits) => self.packet.bits(bits) as u16,
        };
        self.commit();
        self.nat = None;
        self.kept = [0; 2];
        match ct.actions.as_slice() {
            [] => self.say(Mark::Action, "drop"),
            inner => self.actions(inner),
        }
        let nat = self.nat.take();
        let mut parts = Vec::new();
        if ct.commit {
            parts.push(if ct.force { "force_commit".to_owned() } else { "commit".to_owned() });
        }
        if zone != 0 {
            parts.push(format!("zone={zone}"));
        }
        for (field, name, mask) in
            [(Field::CT_MARK, "mark", self.kept[0]), (Field::CT_LABEL, "label", self.kept[1])]
        {
            let value = field.show(self.packet.get(field) & mask);
            match mask {
                0 => {}
                u128::MAX => parts.push(format!("{name}={value}")),
                mask => parts.push(format!("{name}={value}/{mask:#x}")),
            }
        }
        let translation = ct.actions.iter().find(|action| matches!(action.does, Does::Nat(_)));
        parts.extend(translation.map(|action| action.text.to_owned()));
        self.emit(match parts.is_empty() {
            true => "ct".to_owned(),
            false => format!("ct({})", parts.join(",")),
        });
        if let Some(table) = ct.table {
            let mut packet = self.packet.clone();
            packet.set(Field::CT_ZONE, zone.into());
            let id = self.next_id;
            self.next_id += 1;
            self.waiting.push(Waiting {
                id,
                bridge: self.name.clone(),
                table,
                packet,
                stack: self.stack.clone(),
                nat,
            });
            self.emit(format!("recirc({id:#x})"));
            self.say(
                Mark::Detail,
                format!(
                    "A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table {table}."
                ),
            );
        }
        self.outcomes.push(Outcome::Tracked { goes_on: ct.table.is_some() });
        self.packet.clear_ct();
        self.tracked = false;
        self.say(Mark::Detail, "Sets the packet to an untracked state, and clears all the conntrack fields.");
    }
}

/// Returns whether later actions can undo the effect of a datapath action on the packet.
fn is_taken_back(action: &str) -> bool {
    match tokens::name_and_value(action, &['(']) {
        ("check_pkt_len" | "one_of", Some(inner)) => tokens::split(inner).all(is_taken_back),
        ("gt" | "le", Some("drop")) => true,
        ("gt" | "le", Some(inner)) => tokens::split(inner).all(is_taken_back),
        (name, Some(inner)) if name.starts_with("bucket_") => tokens::split(inner).all(is_taken_back),
        (name, _) => !matches!(name, "ct" | "ct_clear" | "meter" | "tnl_push" | "tnl_pop" | "drop"),
    }
}
