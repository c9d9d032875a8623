//! What QUIC's acknowledgements cost, as `net::acks` and `net::transport` set them: one waits 1.1 s for something that travels
//! that way, and costs a packet of its own when nothing does; the eighth packet, and the first after a lost one, is acknowledged at
//! once. And what a handshake costs, the first acknowledgements with it.

/// An acknowledgement beside other frames: its type, the newest packet, the delay, a range or two, counts of marked packets.
const WITH_OTHERS_BYTES: u64 = 10;
/// One by itself: IP, UDP, QUIC's short header with a four-byte connection ID, the frame, the tag.
const ALONE_BYTES: u64 = 20 + 8 + 7 + WITH_OTHERS_BYTES + 16;
/// How long one is held back.
pub const DELAY_US: u64 = 1_100_000;
/// Packets after which it is not.
const AT_ONCE: u8 = 8;

/// Bytes that a QUIC handshake with raw public keys takes of the one who dials, with IP and UDP headers, the first acknowledgements and
/// the packet that ends the connection; as `net::tests::cost` measures.
pub const DIALLING_BYTES: u64 = 2_850;
/// The same for the one who is dialled.
pub const DIALLED_BYTES: u64 = 1_850;
/// What a dial takes that nobody answers: its first packet and one repetition, as `net::unheard` lets through.
pub const UNANSWERED_BYTES: u64 = 2 * (1_200 + 28);

/// An acknowledgement owed to a peer.
#[derive(Clone, Debug)]
struct Debt {
    to: u32,
    /// Until when it may wait for company.
    due: u64,
    packets: u8,
}

/// Acknowledgements a node owes.
#[derive(Clone, Debug, Default)]
pub struct Debts(Vec<Debt>);

impl Debts {
    /// A packet came; returns the bytes of acknowledgements that had to travel alone.
    pub fn received(&mut self, from: u32, now: u64) -> u64 {
        let due = now + DELAY_US;
        let Some(at) = self.0.iter().position(|debt| debt.to == from) else {
            self.0.push(Debt {
                to: from,
                due,
                packets: 1,
            });
            return 0;
        };
        // Those who send much come to the front, where they are found soon.
        self.0.swap(at, at / 2);
        let at = at / 2;
        let debt = &mut self.0[at];
        if debt.due <= now {
            *debt = Debt {
                to: from,
                due,
                packets: 1,
            };
            return ALONE_BYTES;
        }
        debt.packets += 1;
        if debt.packets < AT_ONCE {
            return 0;
        }
        self.0.swap_remove(at);
        ALONE_BYTES
    }

    /// Reads something of each part of it that is loaded at once.
    pub fn touch(&self) -> u64 {
        self.0.iter().step_by(4).fold(0, |sum, debt| sum ^ debt.due)
    }

    /// A packet was lost: the next one is acknowledged at once.
    pub fn missed(&mut self, from: u32, now: u64) {
        match self.0.iter_mut().find(|debt| debt.to == from) {
            Some(debt) => debt.packets = AT_ONCE - 1,
            None => self.0.push(Debt {
                to: from,
                due: now + DELAY_US * 2,
                packets: AT_ONCE - 1,
            }),
        }
    }

    /// A packet is sent; returns the bytes of acknowledgements, in it and of an older one that had to travel alone.
    pub fn sent(&mut self, to: u32, now: u64) -> u64 {
        match self.0.iter().position(|debt| debt.to == to) {
            None => 0,
            Some(at) => {
                let debt = self.0.swap_remove(at);
                if debt.due <= now {
                    ALONE_BYTES
                } else {
                    WITH_OTHERS_BYTES
                }
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
        assert_eq!(debts.received(7, 0), 0);
        assert_eq!(debts.sent(7, 50_000), WITH_OTHERS_BYTES);
        assert_eq!(debts.sent(7, 51_000), 0);
        assert_eq!(debts.received(7, 100_000), 0);
        assert_eq!(debts.received(7, 90_000 + DELAY_US), 0);
        assert_eq!(debts.received(7, 100_000 + DELAY_US), ALONE_BYTES);
        assert_eq!(debts.sent(7, 100_000 + DELAY_US * 2), ALONE_BYTES);
    }

    #[test]
    fn many_packets_and_a_gap_are_acknowledged_at_once() {
        let mut debts = Debts::default();
        let alone: Vec<u64> = (1..=8).map(|n| debts.received(7, n)).collect();
        assert_eq!(alone, [0, 0, 0, 0, 0, 0, 0, ALONE_BYTES]);
        assert_eq!(debts.sent(7, 9), 0);
        debts.missed(7, 10);
        assert_eq!(debts.received(7, 11), ALONE_BYTES);
    }
}
