//! Compares the join with the truth of random networks.
//!
//! `CAPTURE_CASES` sets the number of networks (default 2,000) and `CAPTURE_SEED` the first seed (default 1).

#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod world;

use capture::{
    join::{Direction, Join, JoinReport, Options, Reason},
    tuple::Protocol,
};
use world::{HOP, MILLISECOND, World, echo, tcp, udp};

fn environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name}: {value}")))
}

/// Makes a network with traffic.
fn world(seed: u64) -> World {
    let mut world = World::new(seed);
    let packets = world.rng.u32(1..40);
    world.set_windows(u64::from(packets) * 30 * MILLISECOND);
    let mut sequence = world.rng.u32(..);
    let other = world.rng.u32(..);
    for number in 0..packets {
        match world.protocol {
            Protocol::Tcp => {
                let payload = world.rng.u32(0..1400);
                for attempt in 0..3 {
                    let arrived =
                        world.send(0, &tcp(sequence, other, payload, number * 10 + attempt), 40 + payload);
                    world.wait(15 * MILLISECOND, 25 * MILLISECOND);
                    if arrived {
                        sequence = sequence.wrapping_add(payload);
                        world.send(1, &tcp(other, sequence, 0, number), 40);
                        break;
                    }
                }
            }
            Protocol::Udp => {
                let payload = world.rng.u32(0..30);
                if world.send(0, &udp(payload), 28 + payload) {
                    world.send(1, &udp(payload), 28 + payload);
                }
            }
            _ => {
                if world.send(0, &echo(true, number as u16), 84) {
                    world.send(1, &echo(false, number as u16), 84);
                }
            }
        }
        let far = world.rng.bool();
        world.wait(10_000, if far { 30 * MILLISECOND } else { MILLISECOND });
    }
    world.frames.sort_by_key(|(_, nanos, _)| *nanos);
    world
}

fn join(world: &World) -> (JoinReport, bool) {
    let mut world_rng = fastrand::Rng::with_seed(world.frames.len() as u64);
    let known = world.protocol != Protocol::Tcp || world_rng.bool();
    let translations = world.translation().filter(|_| known).into_iter().collect();
    let mut join = Join::new(world.points.clone(), translations, Options::default());
    // The points come one after the other or at once.
    let mut frames: Vec<_> = world.frames.iter().collect();
    if world_rng.bool() {
        frames.sort_by_key(|(point, ..)| *point);
    }
    for (point, nanos, frame) in frames {
        join.add(*point, *nanos, frame);
    }
    (join.finish(), known)
}

/// Checks the losses of a direction against the truth. Returns the losses that were found.
fn check(world: &World, direction: usize, report: &Direction, other: &Direction, seed: u64) -> u64 {
    let way = &world.ways[direction];
    let truth = &world.truth[direction];
    let place = |station: usize| {
        let point = report.stations[station].point;
        way.iter().position(|known| *known == point).expect("a point of the way")
    };
    // No loss is stated that was none.
    for loss in &report.losses {
        let (after, before) = (place(loss.after), place(loss.before));
        let really = truth
            .iter()
            .filter(|packet| {
                let last = packet.captured.last().map(|(point, _)| *point);
                last == Some(way[after])
                    && packet.lost_before.is_some_and(|lost| lost > after && lost <= before)
            })
            .count() as u64;
        let stated: u64 = report
            .losses
            .iter()
            .filter(|loss| (place(loss.after), place(loss.before)) == (after, before))
            .map(|loss| loss.packets)
            .sum();
        assert!(
            stated <= really,
            "seed {seed}: {stated} stated, {really} real: {loss:?} {report:?} {truth:?}"
        );
    }
    // Each loss is found that can be known.
    let common = |direction: usize, a: usize, b: usize| {
        let has = |packet: &world::Truth, point| packet.captured.iter().any(|(known, _)| *known == point);
        world.truth[direction].iter().any(|packet| !packet.weak && has(packet, a) && has(packet, b))
    };
    let mut found = 0;
    for (number, point) in way.iter().copied().enumerate() {
        let Some(next) = way.get(number + 1).copied() else { continue };
        let certain = truth
            .iter()
            .filter(|packet| {
                let Some((last, nanos)) = packet.captured.last().copied() else { return false };
                let (from, to) = (world.points[point].node, world.points[next].node);
                // A capture that has only the later copy of a packet makes the times contradict each other.
                let known = |a: usize, b: usize| {
                    world.points[a].node == world.points[b].node || (common(1, a, b) && common(0, a, b))
                };
                let order = world.copies == 0.0
                    && known(point, next)
                    && packet.captured.iter().all(|(before, _)| known(*before, point));
                let offset = world.offsets[to] - world.offsets[from];
                let there = nanos.saturating_add_signed(offset);
                let (begin, end) = world.points[next].window.expect("a window");
                let margin = Options::default().margin + 40 * HOP;
                last == point
                    && packet.lost_before == Some(number + 1)
                    && !packet.weak
                    && common(direction, point, next)
                    && order
                    && [point, next].iter().all(|point| world.points[*point].kernel_drops.is_none_or(|drops| drops == 0))
                    // Otherwise the point may miss the retransmission, which then looks like other segments.
                    && nanos + margin < world.points[point].window.expect("a window").1
                    && there > begin + margin
                    && there + margin < end
            })
            .count() as u64;
        let stated: u64 =
            report.losses.iter().filter(|loss| place(loss.after) == number).map(|loss| loss.packets).sum();
        assert!(
            stated >= certain,
            "seed {seed}: {stated} of {certain} found: {report:?} {other:?} {truth:?}"
        );
        found += certain;
    }
    found
}

#[test]
fn no_loss_is_invented_and_none_is_missed() {
    let (cases, first) = (environment("CAPTURE_CASES", 2_000), environment("CAPTURE_SEED", 1));
    let (mut found, mut ambiguous, mut clocks) = (0, 0, 0);
    for seed in first..first + cases {
        let world = world(seed);
        let (report, known) = join(&world);
        for clock in &report.clocks {
            let reference = world.offsets[world.points[0].node];
            let (Some(ahead), node) = (clock.ahead, clock.node) else { continue };
            let real = world.offsets[node] - reference;
            // If a capture has only the later copy of a packet, the packet looks late.
            assert!(
                world.copies > 0.0 || real.abs_diff(ahead) <= clock.uncertainty + 1,
                "seed {seed}: {clock:?}, real {real}"
            );
            clocks += u64::from(node != world.points[0].node);
        }
        if report.conversations.len() != 1 {
            assert!(!known || report.conversations.is_empty(), "seed {seed}: {report:?}");
            continue;
        }
        let conversation = &report.conversations[0];
        let [one, two] = &conversation.directions;
        // The clocks may make a reply look like the first packet.
        let source = one.stations[0].tuple.source.address.to_string();
        let swapped = source.ends_with('2') || source.ends_with('7');
        let order = if swapped { [two, one] } else { [one, two] };
        found += check(&world, 0, order[0], order[1], seed);
        found += check(&world, 1, order[1], order[0], seed);
        let unsure = |direction: &Direction| -> u64 {
            let unknown = direction.unknown.iter().filter(|unknown| unknown.reason == Reason::Ambiguous);
            unknown.map(|unknown| unknown.packets).sum()
        };
        ambiguous += unsure(one) + unsure(two);
    }
    eprintln!("{found} losses found, {ambiguous} packets ambiguous, {clocks} clocks compared");
    assert!(found > cases / 4 && clocks > cases / 4 && ambiguous > 0, "the networks are too simple");
}
