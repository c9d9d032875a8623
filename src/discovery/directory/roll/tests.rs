use super::*;
use crate::discovery::announcement::VALID_S;
use crate::discovery::announcement::tests::{announcement, key, with};
use crate::limits::DIRECTORY_PREFIX_MAX;
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;

fn trusting() -> Roll {
    Roll::new(Rules {
        probe: false,
        ..Rules::default()
    })
}

fn id(seed: u32) -> ChannelId {
    ChannelId(key(seed).verifying_key().to_bytes())
}

#[test]
fn a_channel_is_listed_once_it_has_proved_that_it_is_on_air() {
    let mut roll = Roll::new(Rules::default());
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    assert!(!roll.is_listed(id(1)));
    let probes = roll.probes(10, NOW);
    assert_eq!((probes.len(), probes[0].beyond), (1, None));
    roll.proved(id(1), Some((Epoch(NOW * 1_000), Seq(5))), NOW);
    assert!(roll.is_listed(id(1)));
    assert!(roll.probes(10, NOW + 1).is_empty());
    // A renewal of the same show stays listed without another proof.
    roll.take(&with(1, NOW + 9, |says| says.epoch = Epoch(NOW * 1_000)), None, NOW + 9)
        .unwrap();
    assert!(roll.is_listed(id(1)));
}

#[test]
fn a_dead_channel_is_dropped_and_comes_back_with_its_stream() {
    let mut roll = Roll::new(Rules::default());
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    roll.proved(id(1), Some((Epoch(NOW * 1_000), Seq(5))), NOW);
    let mut now = NOW + 60;
    for _ in 0..3 {
        assert_eq!(roll.probes(10, now).len(), 1, "{now}");
        assert!(roll.is_listed(id(1)));
        roll.proved(id(1), None, now);
        now += 60;
    }
    assert!(!roll.is_listed(id(1)));
    assert_eq!(roll.since(1).1, [Step::Gone(id(1))]);
    roll.proved(id(1), Some((Epoch(NOW * 1_000), Seq(9))), now);
    assert!(roll.is_listed(id(1)));
}

#[test]
fn each_kind_of_bad_announcement_is_refused_and_counted() {
    let mut roll = trusting();
    let nowhere = with(2, NOW, |says| says.hosts.clear());
    assert_eq!(
        roll.take(&announcement(1, NOW - VALID_S), None, NOW),
        Err(Refusal::Expired)
    );
    assert_eq!(roll.take(&announcement(1, NOW + 999), None, NOW), Err(Refusal::Future));
    assert_eq!(roll.take(&nowhere, None, NOW), Err(Refusal::Nowhere));
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    assert_eq!(roll.take(&announcement(1, NOW), None, NOW), Ok(Taken::Known));
    assert_eq!(roll.take(&announcement(1, NOW - 5), None, NOW), Err(Refusal::Replayed));
    let refused = roll.counts().refused;
    assert_eq!(refused.values().sum::<u64>(), 4);
}

#[test]
fn one_key_cannot_keep_a_directory_busy() {
    let mut roll = trusting();
    let taken = (0..100)
        .filter(|n| {
            roll.take(
                &with(1, NOW + n, |says| says.epoch = Epoch(NOW * 1_000)),
                None,
                NOW + n / 10,
            )
            .is_ok()
        })
        .count();
    assert_eq!(taken, usize::from(BURST_MAX));
    assert!(
        roll.take(
            &with(1, NOW + 200, |says| says.epoch = Epoch(NOW * 1_000)),
            None,
            NOW + 120
        )
        .is_ok()
    );
}

#[test]
fn one_network_cannot_fill_a_directory() {
    let mut roll = trusting();
    let at = |ip: &'static str| {
        move |says: &mut crate::discovery::announcement::Announcement| {
            says.hosts = vec![ip.parse().unwrap()];
        }
    };
    let taken = (0..200)
        .filter(|n| roll.take(&with(*n, NOW, at("198.51.100.7:1")), None, NOW).is_ok())
        .count();
    assert_eq!(taken, DIRECTORY_PREFIX_MAX);
    assert_eq!(
        roll.take(&with(999, NOW, at("198.51.100.9:1")), None, NOW),
        Err(Refusal::PrefixFull)
    );
    assert!(roll.take(&with(999, NOW, at("198.51.101.9:1")), None, NOW).is_ok());
    // Another channel cannot move into the full network either, and one that leaves makes room.
    assert_eq!(
        roll.take(&with(999, NOW + 1, at("198.51.100.9:1")), None, NOW),
        Err(Refusal::PrefixFull)
    );
    roll.take(&with(0, NOW + 1, at("203.0.113.1:1")), None, NOW).unwrap();
    assert!(roll.take(&with(999, NOW + 1, at("198.51.100.9:1")), None, NOW).is_ok());
}

#[test]
fn a_goodbye_takes_a_channel_off_and_an_old_announcement_does_not_bring_it_back() {
    let mut roll = trusting();
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    let version = roll.version();
    let same_show = |issued, on_air| {
        with(1, issued, |says| {
            says.epoch = Epoch(NOW * 1_000);
            says.on_air = on_air;
        })
    };
    roll.take(&same_show(NOW + 5, false), None, NOW + 5).unwrap();
    assert!(!roll.is_listed(id(1)));
    let goodbye = Step::Listed(same_show(NOW + 5, false).bytes);
    assert_eq!(roll.since(version), (false, vec![goodbye]));
    assert_eq!(
        roll.take(&same_show(NOW + 4, true), None, NOW + 6),
        Err(Refusal::Replayed)
    );
}

#[test]
fn what_expires_is_gone_for_everybody() {
    let mut roll = trusting();
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    let version = roll.version();
    assert!(roll.expire(NOW + VALID_S - 1).is_empty());
    assert_eq!(roll.expire(NOW + VALID_S), [id(1)]);
    assert_eq!(roll.since(version).1, [Step::Gone(id(1))]);
    assert_eq!(roll.sums(), &[0; BUCKETS]);
}

#[test]
fn a_version_from_elsewhere_gets_everything() {
    let mut roll = trusting();
    (0..5).for_each(|n| assert!(roll.take(&announcement(n, NOW), None, NOW).is_ok()));
    let (whole, steps) = roll.since(1_000);
    assert_eq!((whole, steps.len()), (true, 5));
}

/// A client that follows versions, whatever happens, ends with what the list shows; so does a directory that compares sums.
fn follows(moves: &[(u8, u8, bool)]) {
    let mut roll = trusting();
    let mut known: BTreeMap<ChannelId, Bytes> = BTreeMap::new();
    let mut version = 0;
    let mut now = NOW;
    for (turn, (seed, wait, on_air)) in moves.iter().enumerate() {
        now += u64::from(*wait);
        let epoch = Epoch(NOW * 1_000);
        let signed = with(u32::from(seed % 7), now, |says| {
            says.epoch = epoch;
            says.on_air = *on_air;
        });
        let _ = roll.take(&signed, None, now);
        roll.expire(now);
        if turn % 3 == 0 {
            let (whole, steps) = roll.since(version);
            if whole {
                known.clear();
            }
            for step in steps {
                match step {
                    Step::Listed(bytes) => {
                        let signed = Signed::read_unverified(&bytes).unwrap();
                        known.remove(&signed.says.channel);
                        if signed.says.on_air {
                            known.insert(signed.says.channel, bytes);
                        }
                    }
                    Step::Gone(channel) => drop(known.remove(&channel)),
                }
            }
            version = roll.version();
            assert_eq!(known.values().collect::<Vec<_>>(), roll.listed().collect::<Vec<_>>());
        }
        let all: BTreeSet<u8> = (0..=255).collect();
        let on_air = |bytes: &&Bytes| Signed::read_unverified(bytes).unwrap().says.on_air;
        assert_eq!(roll.buckets(&all).iter().filter(on_air).count(), roll.counts().listed);
        let mut sums = [0; BUCKETS];
        for bytes in roll.listed() {
            let signed = Signed::read_unverified(bytes).unwrap();
            sums[usize::from(signed.says.channel.0[0])] ^= signed.digest();
        }
        assert_eq!(&sums, roll.sums());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn clients_that_follow_versions_see_the_same_list(moves in prop::collection::vec((any::<u8>(), any::<u8>(), prop::bool::weighted(0.8)), 1..60)) {
        follows(&moves);
    }
}

#[test]
fn whoever_announces_from_one_network_fills_no_directory_with_others_addresses() {
    let mut roll = trusting();
    let far = |n: u32| {
        with(n, NOW, move |says| {
            says.hosts = vec![std::net::SocketAddr::from(([203, (n >> 8) as u8, n as u8, 1], 1))];
        })
    };
    let taken = (0..200).filter(|n| roll.take(&far(*n), Some(7), NOW).is_ok()).count();
    assert_eq!(taken, DIRECTORY_PREFIX_MAX);
}

#[test]
fn what_never_proves_anything_is_forgotten() {
    let mut roll = Roll::new(Rules::default());
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    assert!(!roll.proved(id(1), None, NOW));
    assert!(!roll.proved(id(1), None, NOW));
    assert!(roll.proved(id(1), None, NOW));
    assert_eq!(roll.counts().candidates, 0);
}

#[test]
fn unproved_candidates_make_room_and_proved_ones_do_not() {
    let mut roll = Roll::new(Rules {
        channels_max: 4,
        ..Rules::default()
    });
    for seed in 0..4 {
        roll.take(&announcement(seed, NOW), None, NOW).unwrap();
    }
    let place = (Epoch(NOW * 1_000), Seq(1));
    for seed in [0, 2] {
        roll.proved(id(seed), Some(place), NOW);
    }
    for seed in 10..20 {
        roll.take_from(Some(7), &announcement(seed, NOW), NOW).unwrap();
    }
    assert!(roll.is_listed(id(0)) && roll.is_listed(id(2)));
    assert_eq!(roll.counts().listed + roll.counts().candidates, 4);
    assert!(roll.announcement(id(19)).is_some(), "the newest are there");
    for seed in [18, 19] {
        roll.proved(id(seed), Some(place), NOW);
    }
    assert_eq!(roll.take(&announcement(30, NOW), None, NOW), Err(Refusal::Full));
}

#[test]
fn a_stranger_brings_so_many_unproved_ones_and_a_friend_more() {
    let mut roll = Roll::new(Rules::default());
    let brought = |roll: &mut Roll, stranger, seeds: std::ops::Range<u32>| {
        seeds
            .filter(|seed| roll.take_from(stranger, &announcement(*seed, NOW), NOW).is_ok())
            .count()
    };
    assert_eq!(brought(&mut roll, Some(7), 0..1_100), 1_024);
    assert_eq!(
        brought(&mut roll, Some(8), 2_000..2_010),
        10,
        "another one is not hindered"
    );
    assert_eq!(brought(&mut roll, None, 3_000..4_100), 1_100);
    roll.proved(id(0), Some((Epoch(NOW * 1_000), Seq(1))), NOW);
    assert_eq!(
        brought(&mut roll, Some(7), 5_000..5_010),
        1,
        "what was proved counts no more"
    );
}

#[test]
fn an_ended_show_goes_with_its_goodbye_and_ends_once() {
    let mut roll = Roll::new(Rules {
        probe: false,
        ..Rules::default()
    });
    let goodbye = |after: u64| {
        with(1, NOW + after, |says| {
            says.epoch = Epoch(NOW * 1_000);
            says.on_air = false;
        })
    };
    roll.take(&announcement(1, NOW), None, NOW).unwrap();
    let before = roll.version();
    roll.take(&goodbye(1), None, NOW + 1).unwrap();
    assert_eq!(roll.since(before), (false, vec![Step::Listed(goodbye(1).bytes)]));
    let bucket = [id(1).0[0]].into();
    assert_eq!(roll.buckets(&bucket), [goodbye(1).bytes]);
    assert_eq!(roll.take(&goodbye(2), None, NOW + 2), Err(Refusal::TooOften));
    assert_eq!(roll.take(&announcement(1, NOW), None, NOW + 2), Err(Refusal::Replayed));
}
