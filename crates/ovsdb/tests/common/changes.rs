//! Pseudorandom transactions on a database with the schema `testdata/ovsdb/lab.ovsschema`.

use serde_json::{Value, json};

/// A generator of changes. The same seed gives the same changes.
pub(crate) struct Changes {
    state: u64,
    names: Vec<String>,
    made: usize,
}

impl Changes {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, names: Vec::new(), made: 0 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).unwrap() % limit
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    fn words(&mut self) -> Value {
        let all = ["a", "b", "c d", "", "é\"\\\n/", "550e8400-e29b-41d4-a716-446655440000"];
        json!(["set", all.iter().filter(|_| self.below(2) == 0).collect::<Vec<_>>()])
    }

    fn numbers(&mut self) -> Value {
        json!(["set", (-2..5).filter(|_| self.below(2) == 0).collect::<Vec<i64>>()])
    }

    fn pairs(&mut self) -> Value {
        let all = [["a", "1"], ["b", "2"], ["b c", "3"], ["mtu", "900"], ["mtu2", "1500"], ["e", ""]];
        let mut pairs: Vec<Value> = Vec::new();
        for [key, value] in all {
            match self.below(3) {
                0 => pairs.push(json!([key, value])),
                1 => pairs.push(json!([key, "other"])),
                _ => {}
            }
        }
        json!(["map", pairs])
    }

    /// Returns new values for some columns.
    fn row(&mut self) -> serde_json::Map<String, Value> {
        let values = [
            ("integer", json!(self.below(5) as i64 - 2)),
            ("opt_integer", self.pick(&[json!(["set", []]), json!(7), json!(-7)])),
            ("set_integer", self.numbers()),
            ("real", self.pick(&[json!(0.0), json!(1.5), json!(-1e-7), json!(3e20)])),
            ("set_real", self.pick(&[json!(["set", []]), json!(["set", [1, 2.5]]), json!(2.5)])),
            ("boolean", json!(self.below(2) == 0)),
            ("opt_boolean", self.pick(&[json!(["set", []]), json!(true), json!(false)])),
            ("opt_string", self.pick(&[json!(["set", []]), json!(""), json!("a"), json!("b c")])),
            ("set_string", self.words()),
            ("one_or_more", self.pick(&[json!("a"), json!(["set", ["b", "c"]]), json!(["set", ["a", "b"]])])),
            ("choice", self.pick(&[json!(["set", []]), json!("red"), json!("blue")])),
            ("map_string", self.pairs()),
            (
                "map_integer",
                self.pick(&[json!(["map", []]), json!(["map", [[1, 2], [3, 4]]]), json!(["map", [[1, 3]]])]),
            ),
            ("memory_only", self.pick(&[json!(["set", []]), json!("gone after a restart")])),
        ];
        values
            .into_iter()
            .filter(|_| self.below(3) == 0)
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }

    /// Returns a transaction that adds, changes or removes rows.
    pub(crate) fn next(&mut self) -> String {
        let mut operations = vec![json!("Lab")];
        let existing = if self.names.is_empty() { None } else { Some(self.below(self.names.len())) };
        match (self.below(6), existing) {
            (0, _) | (_, None) => {
                self.made += 1;
                let name = format!("row {}", self.made);
                operations.push(json!({ "op": "insert", "table": "Part", "uuid-name": "p", "row": { "size": self.made } }));
                operations.push(json!({ "op": "insert", "table": "Part", "uuid-name": "q", "row": {} }));
                let mut row = self.row();
                let part = json!(["named-uuid", "p"]);
                row.insert("name".into(), json!(name));
                // Without a value, the column would have a default of one element, `[""]`. `ovsdb-server` 3.1 writes
                // differences from it that its own reader, and this crate, treat as complete values.
                row.insert("one_or_more".into(), json!("a"));
                row.insert("parts".into(), json!(["set", [part, ["named-uuid", "q"]]]));
                row.insert("opt_part".into(), part.clone());
                row.insert("named_parts".into(), json!(["map", [["first", part]]]));
                operations.push(json!({ "op": "insert", "table": "Everything", "row": row }));
                operations
                    .push(json!({ "op": "comment", "comment": format!("make \"{name}\"\nand its parts") }));
                self.names.push(name);
            }
            (1, Some(at)) => {
                let name = self.names.swap_remove(at);
                operations
                    .push(json!({ "op": "delete", "table": "Everything", "where": [["name", "==", name]] }));
            }
            (2, Some(at)) => {
                let mutations = json!([
                    ["set_string", "insert", self.words()],
                    ["set_integer", "delete", self.numbers()],
                    ["map_string", "insert", self.pairs()],
                    ["map_string", "delete", ["set", ["a", "b c"]]],
                    ["integer", "+=", 1],
                ]);
                let condition = json!([["name", "==", self.names[at]]]);
                operations.push(json!({ "op": "mutate", "table": "Everything", "where": condition, "mutations": mutations }));
            }
            (3, Some(at)) => {
                let condition = json!([["name", "==", self.names[at]]]);
                let row = json!({ "parts": ["set", []], "named_parts": ["map", []] });
                operations
                    .push(json!({ "op": "update", "table": "Everything", "where": condition, "row": row }));
            }
            (_, Some(at)) => {
                let condition = json!([["name", "==", self.names[at]]]);
                operations.push(
                    json!({ "op": "update", "table": "Everything", "where": condition, "row": self.row() }),
                );
            }
        }
        Value::from(operations).to_string()
    }
}
