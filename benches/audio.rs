//! What sound costs. Each benchmark handles one second, so that 10 ms are 1 % of a core.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use inonda::audio::chirp;
use inonda::audio::codec::Decoder;
use inonda::audio::level::{Detail, Meter};
use inonda::audio::payload::Framer;
use inonda::audio::player::Player;
use inonda::audio::resample::{Quality, Resampler};
use inonda::audio::source::{Generated, Source};
use inonda::units::{Codec, PACKET_FRAMES, PACKET_SAMPLES, Seq, Time};

const SECOND: Duration = Duration::from_secs(1);

fn blocks(seconds: u64) -> Vec<Vec<f32>> {
    (0..seconds * 50)
        .map(|i| chirp::samples(i * PACKET_FRAMES as u64, PACKET_FRAMES))
        .collect()
}

fn chunks(codec: Codec, seconds: u64) -> (Vec<Bytes>, Duration) {
    let mut framer = Framer::new(codec, 128_000, 4).unwrap();
    let framed = blocks(seconds);
    let chunks = framed
        .iter()
        .filter_map(|pcm| framer.push(pcm[..].try_into().unwrap()).unwrap().chunk)
        .collect();
    (chunks, framer.chunk_time())
}

fn encoding(c: &mut Criterion) {
    for codec in [Codec::Opus, Codec::Flac] {
        let sound = blocks(1);
        let mut framer = Framer::new(codec, 128_000, 4).unwrap();
        c.bench_function(&format!("encode a second of {codec:?}"), |b| {
            b.iter(|| {
                for pcm in &sound {
                    black_box(framer.push(pcm[..].try_into().unwrap()).unwrap());
                }
            });
        });
    }
}

/// The listener's whole sound path: payloads in, jitter buffer, decoder, drift resampler, ramps, samples out.
fn listening(c: &mut Criterion) {
    for codec in [Codec::Opus, Codec::Flac] {
        let (chunks, chunk_time) = chunks(codec, 3);
        let mut player = Player::new(codec, chunk_time, SECOND, 48_000).unwrap();
        let (mut seq, mut now) = (0u64, Time(1_000_000));
        c.bench_function(&format!("play a second of {codec:?}"), |b| {
            b.iter(|| {
                for _ in 0..50 {
                    while Time(1_000_000) + chunk_time * (seq as u32 + 1) <= now {
                        let payload = &chunks[seq as usize % chunks.len()];
                        player
                            .on_chunk(Seq(seq), payload, Duration::from_millis(5), now)
                            .unwrap();
                        seq += 1;
                    }
                    let mut block = [0.0; PACKET_SAMPLES];
                    player.render(&mut block, now, Duration::ZERO);
                    black_box(block);
                    now += Duration::from_millis(20);
                }
            });
        });
        assert!(player.stats().underruns == 0 && player.stats().lost == 0);
    }
}

fn parts(c: &mut Criterion) {
    let (chunks, _) = chunks(Codec::Opus, 1);
    let packets: Vec<Bytes> = chunks
        .iter()
        .flat_map(|c| inonda::audio::payload::unpack(c).unwrap().packets)
        .collect();
    let mut decoder = Decoder::new(Codec::Opus).unwrap();
    let mut out = [0.0; PACKET_SAMPLES];
    c.bench_function("decode 48 packets of Opus", |b| {
        b.iter(|| {
            packets
                .iter()
                .for_each(|packet| _ = black_box(decoder.decode(Some(packet), &mut out)))
        });
    });
    let sound = chirp::samples(0, 48_000);
    let mut meter = Meter::new(48_000);
    for detail in [Detail::Levels, Detail::Loudness, Detail::Spectrum] {
        c.bench_function(&format!("meter a second, 30 readings, {detail:?}"), |b| {
            b.iter(|| {
                for block in sound.chunks(3_200) {
                    meter.push(block);
                    black_box(meter.levels(detail));
                }
            });
        });
    }
    c.bench_function("resample a second of 44.1 kHz", |b| {
        b.iter_batched(
            || Resampler::new(44_100, 48_000, Quality::Studio),
            |mut resampler| {
                let mut out = Vec::new();
                resampler.push(&sound[..88_200], &mut out);
                out
            },
            BatchSize::SmallInput,
        );
    });
    let mut generated = Generated::new();
    c.bench_function("generate a second of music", |b| {
        b.iter(|| (0..50).for_each(|_| _ = black_box(generated.fill(&mut out))));
    });
}

criterion_group!(benches, encoding, listening, parts);
criterion_main!(benches);
