use std::time::Duration;

use super::rig::Rig;
use crate::mesh::{Config, Event, Input, OffAirReason};
use crate::units::{Seq, Time};

const SECOND: Duration = Duration::from_secs(1);

fn relay() -> Config {
    Config {
        listens: false,
        ..Config::default()
    }
}

fn ended(rig: &Rig, at: usize) -> bool {
    let ended = |event: &Event| {
        matches!(
            event,
            Event::OffAir {
                reason: OffAirReason::Ended
            }
        )
    };
    rig.nodes[at].events.iter().any(ended)
}

#[test]
fn a_listener_hears_the_host_through_a_relay() {
    let mut rig = Rig::new();
    let host = rig.host(1, 4, Config::default());
    let relay = rig.listener(relay(), &[host]);
    rig.run(SECOND * 5);
    let listener = rig.listener(Config::default(), &[relay]);
    let joined = rig.now;
    rig.run(SECOND * 10);
    assert!(rig.holes(listener).is_empty());
    let chunks = &rig.nodes[listener].chunks;
    assert!(chunks.len() > 170, "{}", chunks.len());
    assert!(rig.worst_lag_ms(listener, joined + SECOND) < 20);
    assert!(chunks.iter().all(|chunk| chunk.payload.len() == 960));
}

/// How far behind live a newcomer's first 360 ms begin, of what has come within 150 ms, when its relay feeds another one.
fn start(relay_bps: u64) -> Duration {
    let mut rig = Rig::new();
    let host = rig.host(1, 4, Config::default());
    let config = Config {
        upload_bps: relay_bps,
        ..relay()
    };
    let relay = rig.listener(config, &[host]);
    rig.run(SECOND * 5);
    rig.listener(Config::default(), &[relay]);
    rig.run(SECOND * 2);
    let begun = rig.now;
    let listener = rig.listener(Config::default(), &[relay]);
    rig.run(SECOND);
    let chunks = rig.nodes[listener].chunks.iter();
    let come = chunks.filter(|chunk| chunk.arrived.since(begun) < Duration::from_millis(150));
    let come: std::collections::BTreeSet<u64> = come.map(|chunk| chunk.seq.0).collect();
    let is_run = |first: &&u64| (**first..**first + 6).all(|seq| come.contains(&seq));
    let first = come.iter().find(is_run).unwrap();
    begun.since(Time(1_000_000) + Duration::from_millis(60) * *first as u32)
}

#[test]
fn a_start_brings_some_of_the_past_at_once_and_all_that_is_of_use_where_there_is_room() {
    let behind = start(8_000_000).as_millis();
    assert!((1_600..1_800).contains(&behind), "{behind}");
    let behind = start(400_000).as_millis();
    assert!((400..700).contains(&behind), "{behind}");
}

/// A host, three relays, and a listener told of the first relay only.
fn small_mesh() -> (Rig, Vec<usize>, usize) {
    let mut rig = Rig::new();
    let host = rig.host(1, 4, Config::default());
    let relays: Vec<usize> = (0..3).map(|_| rig.listener(relay(), &[host])).collect();
    rig.run(SECOND * 5);
    let listener = rig.listener(
        Config {
            deadline: SECOND,
            ..Config::default()
        },
        &relays[..1],
    );
    rig.run(SECOND * 10);
    (rig, relays, listener)
}

#[test]
fn the_death_or_stop_of_any_parent_is_inaudible() {
    for kill in [true, false] {
        for victim in 0..3 {
            let (mut rig, relays, listener) = small_mesh();
            let at = rig.now;
            let node = &mut rig.nodes[relays[victim]];
            if kill {
                node.dead = true;
            } else {
                node.stopped = true;
            }
            rig.run(SECOND * 10);
            assert!(rig.holes(listener).is_empty(), "victim {victim}, killed {kill}");
            let worst = rig.worst_lag_ms(listener, at);
            assert!(worst < 900, "victim {victim}, killed {kill}: {worst} ms");
        }
    }
}

#[test]
fn the_only_parent_may_die_when_the_host_is_known() {
    let mut rig = Rig::new();
    let host = rig.host(
        1,
        4,
        Config {
            host_slots: 1,
            ..Config::default()
        },
    );
    let relay = rig.listener(relay(), &[host]);
    rig.run(SECOND * 5);
    let listener = rig.listener(
        Config {
            deadline: SECOND,
            ..Config::default()
        },
        &[relay],
    );
    rig.run(SECOND * 6);
    let at = rig.now;
    rig.nodes[relay].dead = true;
    rig.run(SECOND * 6);
    assert!(rig.holes(listener).is_empty());
    assert!(
        rig.worst_lag_ms(listener, at) < 950,
        "{}",
        rig.worst_lag_ms(listener, at)
    );
}

#[test]
fn a_farewell_reaches_everybody() {
    let (mut rig, relays, listener) = small_mesh();
    rig.input(0, Input::Leave);
    rig.run(SECOND);
    assert!(ended(&rig, listener) && relays.iter().all(|relay| ended(&rig, *relay)));
}

#[test]
fn the_end_of_a_show_that_was_lost_is_asked_for_after_the_farewell() {
    let (mut rig, _, listener) = small_mesh();
    let now = rig.now;
    rig.nodes[listener].stopped = true;
    rig.run(Duration::from_millis(200));
    rig.nodes[listener].stopped = false;
    rig.publishing.clear();
    let before = rig.nodes[listener].chunks.iter().map(|chunk| chunk.seq.0).max();
    rig.input(0, Input::Leave);
    rig.run(SECOND * 2);
    let last = rig.nodes[1].chunks.iter().map(|chunk| chunk.seq.0).max();
    let heard = rig.nodes[listener].chunks.iter().map(|chunk| chunk.seq.0).max();
    assert!(before < last && heard == last, "{before:?} {heard:?} {last:?}");
    assert!(rig.holes(listener).is_empty() && ended(&rig, listener));
    // What was never sent is not missed.
    rig.run(SECOND * 20);
    let stats = rig.nodes[listener].mesh.stats(rig.now);
    assert_eq!(stats.chunks_missed, 0);
    assert!(stats.chunks_due as u128 <= now.as_micros() as u128 / 60_000 + 10);
}

#[test]
fn a_change_of_parents_names_the_one_that_left() {
    let (mut rig, relays, listener) = small_mesh();
    let stats = rig.nodes[listener].mesh.stats(rig.now);
    let gone = relays
        .iter()
        .map(|relay| rig.nodes[*relay].peer)
        .find(|peer| stats.parents.contains(&Some(*peer)))
        .expect("a relay feeds the listener");
    let at = rig.nodes.iter().position(|node| node.peer == gone).unwrap();
    rig.nodes[listener].events.clear();
    rig.input(at, Input::Leave);
    rig.run(SECOND * 3);
    let from: Vec<_> = rig.nodes[listener]
        .events
        .iter()
        .filter_map(|event| match event {
            Event::ParentChanged { from, .. } => Some(*from),
            _ => None,
        })
        .collect();
    assert!(from.contains(&Some(gone)) && !from.contains(&None), "{from:?}");
}

#[test]
fn a_restarted_host_is_taken_over() {
    let (mut rig, _, listener) = small_mesh();
    rig.nodes[0].dead = true;
    rig.run(SECOND * 2);
    // The same machine: same key and address, a later session.
    let addr = rig.nodes[0].addr;
    rig.nodes[0].addr = "127.0.0.1:1".parse().unwrap();
    let again = rig.restart_host(2, addr);
    let at = rig.now;
    rig.run(SECOND * 8);
    let taken = rig.nodes[listener]
        .chunks
        .iter()
        .find(|chunk| chunk.epoch.0 == 2)
        .map(|chunk| chunk.arrived.since(at));
    assert!(taken.is_some_and(|taken| taken < SECOND * 5), "{taken:?}, host {again}");
}

/// The epochs of other hosts that a host was told of.
fn told(rig: &Rig, at: usize) -> Vec<u64> {
    let epochs = rig.nodes[at].events.iter().filter_map(|event| match event {
        Event::AnotherHost { epoch } => Some(epoch.0),
        _ => None,
    });
    epochs.collect()
}

#[test]
fn a_host_that_comes_back_is_not_taken_for_a_second_one() {
    for farewell in [true, false] {
        for pause in [Duration::from_millis(300), SECOND * 5] {
            let (mut rig, relays, listener) = small_mesh();
            if farewell {
                rig.input(0, Input::Leave);
                rig.run(SECOND);
            }
            rig.nodes[0].dead = true;
            rig.run(pause);
            let addr = rig.nodes[0].addr;
            rig.nodes[0].addr = "127.0.0.1:1".parse().unwrap();
            let again = rig.restart_host(2, addr);
            let addrs = relays.iter().map(|relay| rig.nodes[*relay].addr).collect();
            rig.input(again, Input::AddAddrs { addrs });
            rig.run(SECOND * 12);
            assert_eq!(told(&rig, again), [0; 0], "farewell {farewell}, {pause:?} later");
            let heard = rig.nodes[listener].chunks.iter().any(|chunk| chunk.epoch.0 == 2);
            assert!(heard, "farewell {farewell}, {pause:?} later");
        }
    }
}

#[test]
fn a_second_host_is_told_and_not_heard() {
    let (mut rig, relays, listener) = small_mesh();
    let second = rig.host(9, 4, Config::default());
    let addrs = vec![rig.nodes[relays[0]].addr];
    rig.input(second, Input::AddAddrs { addrs });
    let helper = rig.listener(relay(), &[second, relays[1]]);
    rig.run(SECOND * 6);
    let _ = helper;
    assert!(rig.nodes[listener].chunks.iter().all(|chunk| chunk.epoch.0 == 1));
    rig.run(SECOND * 6);
    assert_eq!(told(&rig, second), [1], "once, and of the older one");
}

#[test]
fn the_audience_is_counted_without_a_centre() {
    let (mut rig, _, listener) = small_mesh();
    rig.run(SECOND * 10);
    let now = rig.now;
    assert_eq!(rig.nodes[0].mesh.stats(now).listeners, Some(1));
    assert_eq!(rig.nodes[0].mesh.stats(now).downstream, 4);
    assert_eq!(rig.nodes[listener].mesh.stats(now).listeners, Some(1));
}

/// A host and five listeners, each with an uplink for one other: they can only stand in a row.
fn row() -> Rig {
    let mut rig = Rig::new();
    rig.latency = Duration::from_millis(25);
    let config = Config {
        host_slots: 1,
        upload_bps: 220_000,
        ..Config::default()
    };
    rig.host(1, 1, config.clone());
    for at in 0..5 {
        rig.listener(config.clone(), &[at]);
        rig.run(SECOND * 3);
    }
    rig
}

/// How many chunks are sent for one that is lost on its way to the second of the row, beside those of every round; all hear it.
fn sent_for_a_lost_one(rig: &mut Rig) -> usize {
    rig.run(SECOND * 8);
    let before = (rig.sent_chunks, rig.nodes[0].chunks.len());
    rig.loses = Some((1, 2));
    rig.run(SECOND * 3);
    assert!(rig.loses.is_none());
    assert!((1..6).all(|at| rig.holes(at).is_empty()));
    let published = rig.nodes[0].chunks.len() - before.1;
    rig.sent_chunks - before.0 - published * 5
}

#[test]
fn a_chunk_lost_above_many_is_sent_once_more() {
    let mut rig = row();
    assert_eq!(sent_for_a_lost_one(&mut rig), 1);
}

#[test]
fn what_was_passed_on_is_not_sent_again_to_one_who_asked_for_it_meanwhile() {
    let mut rig = row();
    // The second has the chunk again before the third one's request arrives.
    rig.detours.push((2, 3, Duration::from_millis(20)));
    assert_eq!(sent_for_a_lost_one(&mut rig), 1);
}

/// A listener that a relay feeds, and the relay's place among its neighbours.
fn fed_by_a_relay() -> (Rig, usize, usize) {
    let (mut rig, _, relay) = Rig::relayed();
    let child = rig.listener(Config::default(), &[relay]);
    rig.run(SECOND * 6);
    let parent = rig.nodes[relay].peer;
    let at = rig.nodes[child].mesh.members.find(&parent).unwrap();
    (rig, child, at)
}

#[test]
fn an_old_copy_from_a_new_parent_does_not_tell_when_its_chunks_come() {
    let (mut rig, child, at) = fed_by_a_relay();
    let now = rig.now;
    let mesh = &mut rig.nodes[child].mesh;
    let (newest, chunk_time) = (mesh.window.newest(), mesh.chunk_time());
    let usual = mesh.stripes[0].offset_us;
    let state = &mut mesh.stripes[0];
    (state.since, state.is_timed, state.past) = (now, false, newest);
    // Half a second after it came first.
    let late = now + Duration::from_millis(500);
    mesh.note_push(at, newest, false, late);
    let state = &mesh.stripes[0];
    assert_eq!((state.offset_us, state.is_timed, state.pushed), (usual, false, late));
    let next = Seq(newest.0 + 1);
    mesh.note_push(at, next, false, late);
    let state = &mesh.stripes[0];
    assert_eq!(state.usual_arrival(next.0, chunk_time), late, "a live one tells it");
    assert!(state.is_timed);
}

#[test]
fn a_parent_whose_chunks_come_from_others_before_it_sends_them_is_known_to_be_late() {
    let (mut rig, child, at) = fed_by_a_relay();
    let now = rig.now;
    let mesh = &mut rig.nodes[child].mesh;
    let (newest, chunk_time) = (mesh.window.newest().0, mesh.chunk_time());
    let usual = mesh.stripes[0].offset_us;
    // All of them have been asked for, and are there.
    mesh.stripes[0].expect.set(newest + 20);
    let late = Duration::from_millis(500);
    let mut pushes = |n: u64| {
        let when = mesh.stripes[0].usual_arrival(newest + n, chunk_time).max(now) + late;
        mesh.note_push(at, Seq(newest + n), false, when);
        assert_eq!(mesh.stripes[0].pushed, when, "it is there");
        mesh.stripes[0].offset_us
    };
    for n in 1..6 {
        assert_eq!(pushes(n), usual, "they may have been lost above it");
    }
    let learnt = pushes(6) - usual;
    assert!((450_000..550_000).contains(&learnt), "{learnt}");
}

#[test]
fn a_parent_that_names_a_chunk_nobody_has_is_timed_all_the_same() {
    let (mut rig, child, at) = fed_by_a_relay();
    let now = rig.now;
    let mesh = &mut rig.nodes[child].mesh;
    let next = Seq(mesh.window.newest().0 + 1);
    (mesh.stripes[0].past, mesh.stripes[0].is_timed) = (Seq(u64::MAX), false);
    mesh.note_push(at, next, true, now);
    assert!(mesh.stripes[0].is_timed && mesh.stripes[0].past == next);
}
