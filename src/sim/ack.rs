//! What QUIC's acknowledgements cost: each packet is acknowledged after a round trip, at least 25 ms, in a packet of its own
//! unless something travels that way within this time (quinn 0.11 with its acknowledgement frequency as `net` sets it).

/// An acknowledgement beside other frames.
const WITH_OTHERS_BYTES: u64 = 6;
/// One by itself: IP, UDP, QUIC's short header with an eight-byte connection ID, the frame, the tag.
const ALONE_BYTES: u64 = 20 + 8 + 11 + 6 + 16;
/// The shortest time one is held back.
const DELAY_MIN_US: u64 = 25_000;

/// Acknowledgements a node owes: to whom, and until when they may wait for company.
#[derive(Clone, Debug, Default)]
pub struct Debts(Vec<(u32, u64)>);

impl Debts {
    /// A packet came; returns the bytes of an older acknowledgement that had to travel alone.
    pub fn received(&mut self, from: u32, round_trip_us: u64, now: u64) -> u64 {
        let until = now + round_trip_us.max(DELAY_MIN_US);
        match self.0.iter_mut().find(|(peer, _)| *peer == from) {
            None => {
                self.0.push((from, until));
                0
            }
            Some((_, due)) if *due <= now => {
                *due = until;
                ALONE_BYTES
            }
            Some(_) => 0,
        }
    }

    /// A packet is sent; returns the bytes of acknowledgements, in it and of an older one that had to travel alone.
    pub fn sent(&mut self, to: u32, now: u64) -> u64 {
        match self.0.iter().position(|(peer, _)| *peer == to) {
            None => 0,
            Some(at) => {
                let (_, due) = self.0.swap_remove(at);
                if due <= now { ALONE_BYTES } else { WITH_OTHERS_BYTES }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_the_acknowledgement_and_silence_costs_a_packet() {
        let mut debts = Debts::default();
        assert_eq!(debts.received(7, 60_000, 0), 0);
        assert_eq!(debts.sent(7, 50_000), WITH_OTHERS_BYTES);
        assert_eq!(debts.sent(7, 51_000), 0);
        assert_eq!(debts.received(7, 60_000, 100_000), 0);
        assert_eq!(debts.received(7, 60_000, 140_000), 0);
        assert_eq!(debts.received(7, 60_000, 340_000), ALONE_BYTES);
        assert_eq!(debts.sent(7, 500_000), ALONE_BYTES);
    }
}
