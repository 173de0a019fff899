//! Reads a dump of flows and follows a packet through them TIMES times: `follow_flows DUMP FLOW TIMES` prints the
//! time to read the dump, the median time of a trace, and the number of flows that the packet matched.

use openflow::{
    Bridge, Port, PortKind, Ports, Switch, Vlans,
    eval::{NEW, Question, trace},
};
use std::{error::Error, fs, io::Write as _, time::Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dump, flow, times] = arguments.as_slice() else {
        return Err("usage: follow_flows DUMP FLOW TIMES".into());
    };
    let text = fs::read_to_string(dump)?;
    let packet = openflow::packet(flow, &Ports::default())?;
    let start = Instant::now();
    // The dump does not describe the ports, so each port is a device.
    let plain = |number: u16| {
        let port =
            Port { name: format!("p{number}"), kind: PortKind::Plain, vlans: Vlans::default(), bond: None };
        (number, port)
    };
    let bridge = Bridge::new((1..=64).map(plain).collect(), &text, "", "");
    let notes = bridge.notes().len();
    let switch = Switch::new([("br-int".to_owned(), bridge)]);
    let read = start.elapsed();
    let question = Question {
        bridge: "br-int".into(),
        packet,
        states: Vec::new(),
        assumed: vec![NEW],
        tells_tuple: false,
        names: false,
    };
    let mut took = Vec::new();
    let mut steps = 0;
    for _ in 0..times.parse::<usize>()?.max(1) {
        let start = Instant::now();
        let found = trace(&switch, &question);
        took.push(start.elapsed());
        steps = found.passes.iter().map(|pass| pass.steps.len()).sum();
    }
    took.sort_unstable();
    let middle = took.get(took.len() / 2).copied().unwrap_or_default();
    writeln!(
        std::io::stdout(),
        "read_ms={} trace_us={} flows={steps} notes={notes}",
        read.as_millis(),
        middle.as_micros()
    )?;
    Ok(())
}
