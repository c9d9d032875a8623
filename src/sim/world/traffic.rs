//! Messages, timers and connections between the nodes of a world.

use super::*;

impl World {
    pub(super) fn mark(&mut self, kind: u64, node: u32) {
        self.hash = mix(self.hash ^ self.now ^ kind << 56 ^ u64::from(node) << 32);
    }

    pub(super) fn deliver(&mut self, to: u32, from: u32, message: Message) {
        self.mark(message_kind(&message), to);
        let Some(node) = &mut self.nodes[to as usize] else {
            return;
        };
        let peer = peer_id(self.scenario.seed, from);
        if to == 0 && self.host_died && !node.mesh.is_connected_to(&peer) {
            // The process that knew this connection is gone: QUIC's stateless reset.
            let back = self.now + self.network.latency_us(to, from) as u64;
            return self.wheel.push(back, Happening::Disconnected { at: from, with: to });
        }
        if node.behaviour.counts() && matches!(message, Message::Chunk(_)) {
            self.metrics.copies += 1;
        }
        let acknowledged = node.debts.received(from, self.now);
        if node.behaviour.is_honest() {
            self.metrics.sent(ACKNOWLEDGEMENTS, acknowledged, to == 0);
        }
        self.input(to, Input::Received { from: peer, message });
    }

    pub(super) fn timer(&mut self, at: u32) {
        let now = self.now;
        let alarm = &mut self.alarms[at as usize];
        if self.nodes[at as usize].is_none() || alarm.armed > now {
            return;
        }
        let due = alarm.due;
        // Put off since: nothing would happen.
        let again = if due > now { due } else { u64::MAX };
        alarm.armed = again;
        self.mark(1, at);
        if again < u64::MAX {
            return self.wheel.push(again, Happening::Timer { at });
        }
        let local = self.local(at, now);
        let Some(node) = &mut self.nodes[at as usize] else {
            return;
        };
        node.mesh.swap_outputs(&mut self.outputs);
        node.mesh.handle_timeout(local);
        node.mesh.swap_outputs(&mut self.outputs);
        self.drain(at);
    }

    pub(super) fn input(&mut self, at: u32, input: Input) {
        let local = self.local(at, self.now);
        let Some(node) = &mut self.nodes[at as usize] else {
            return;
        };
        node.mesh.swap_outputs(&mut self.outputs);
        node.mesh.handle_input(input, local);
        node.mesh.swap_outputs(&mut self.outputs);
        self.drain(at);
    }

    pub(super) fn drain(&mut self, at: u32) {
        let mut outputs = std::mem::take(&mut self.outputs);
        for output in outputs.drain(..) {
            match output {
                Output::Send { to, message, delivery } => self.send(at, node_of(&to), message, delivery),
                Output::Dial { peer, addrs } => self.dial(at, peer, addrs),
                Output::Disconnect { peer, .. } => {
                    let with = node_of(&peer);
                    let then = self.now + self.network.latency_us(at, with) as u64;
                    self.wheel.push(then, Happening::Disconnected { at: with, with: at });
                }
                Output::Event(event) => self.told(at, event),
            }
        }
        self.outputs = outputs;
        self.arm(at);
    }

    /// Puts a timer on the wheel unless an earlier one is there.
    pub(super) fn arm(&mut self, at: u32) {
        let Some(node) = &self.nodes[at as usize] else { return };
        let next = node.mesh.poll_timeout();
        let due = next.map_or(u64::MAX, |(local, _)| self.global(at, local).max(self.now));
        let alarm = &mut self.alarms[at as usize];
        alarm.due = due;
        if due < alarm.armed {
            alarm.armed = due;
            self.wheel.push(due, Happening::Timer { at });
        }
    }

    pub(super) fn send(&mut self, from: u32, to: u32, mut message: Message, delivery: Delivery) {
        // The sixteenths of a second are those of its own clock: others would now and then hold a round more of all children.
        let clock = self.local(from, self.now);
        let Some(node) = &mut self.nodes[from as usize] else {
            return;
        };
        let late = node.behaviour == Behaviour::Slow && matches!(message, Message::Chunk(_));
        if !node.behaviour.alter(&mut message, &mut self.rng) {
            return;
        }
        let len = message.encoded_len();
        let bytes = len
            + node
                .packets
                .around(u64::from(to), len, delivery, &self.config, Time(self.now));
        let payload = if let Message::Chunk(pushed) = &message {
            pushed.chunk.payload.len() as u64
        } else {
            0
        };
        let honest = node.behaviour.is_honest();
        node.payload_sent += payload;
        let acknowledged = node.debts.sent(to, self.now);
        let used = node.second.add(bytes as u64, self.second_us / 16, clock.0);
        if honest {
            self.metrics.sent(ACKNOWLEDGEMENTS, acknowledged, from == 0);
            self.metrics.sent(traffic_kind(&message), bytes as u64, from == 0);
            self.metrics.sent_payload += payload;
            self.check_budget(from, used);
            self.check_send(from, to, &message);
        } else {
            self.watcher.note_request(from, to, &message, &self.epochs);
        }
        if let Message::Want { set, .. } = &message {
            self.metrics.wanted += set.len() as u64;
        }
        let now = if late { self.now + SLOW_US } else { self.now };
        let one_way = self.network.latency_us(from, to) as u64;
        let arrival = self.network.transmit(from, to, bytes, delivery, now, &mut self.rng);
        let base = self.epochs.last().copied().unwrap_or(0);
        self.watcher.note_fate(from, to, &message, base, self.now, arrival);
        match arrival {
            Some(arrival) => {
                // Whatever arrives behind a gap is acknowledged at once, which shows the gap. (An ordered message that overtook the one
                // before it told children first of their new way to the host, and then that there was none.)
                let filled = now + one_way * 3;
                let waits = delivery == Delivery::Reliable && self.lost.contains_key(&(from, to));
                let arrival = if waits { arrival.max(filled) } else { arrival };
                self.repeat(from, to, filled);
                self.wheel.push(arrival, Happening::Deliver { to, from, message });
            }
            None if !self.network.connects(from, to) => {}
            None => {
                if let Some(node) = &mut self.nodes[to as usize] {
                    node.debts.missed(from, now);
                }
                if delivery == Delivery::Reliable {
                    self.lost.entry((from, to)).or_default().push(message);
                    let due = now + one_way * 3 + ack::DELAY_US;
                    self.wheel.push(due, Happening::Repeat { from, to });
                }
            }
        }
    }

    /// What was lost of the ordered messages is sent again and arrives then: when something follows, or when a timer of the
    /// sender runs out.
    pub(super) fn repeat(&mut self, from: u32, to: u32, arrival: u64) {
        if self.lost.is_empty() {
            return;
        }
        let Some(messages) = self.lost.remove(&(from, to)) else {
            return;
        };
        self.network.hold_up(from, to, arrival);
        for message in messages {
            self.wheel.push(arrival, Happening::Deliver { to, from, message });
        }
    }

    /// Everything a node sends keeps to its budget; one that has none still reports for itself.
    fn check_budget(&mut self, from: u32, used: u64) {
        let budget = self.network.sites[from as usize].budget_bps;
        let limited = from != 0 || self.scenario.host_upload_bps.is_some();
        if budget == 0 || !limited {
            return;
        }
        let allowed = (budget as f64 / 8.0 * 1.1 * self.second_us as f64 / 1e6 + 2_000.0) as u64;
        let Some(node) = &mut self.nodes[from as usize] else {
            return;
        };
        // Told once a second.
        if used > allowed && self.now >= node.over_at + self.second_us {
            node.over_at = self.now;
            self.violate(from, Violation::OverBudget { used, allowed });
        }
    }

    fn check_send(&mut self, from: u32, to: u32, message: &Message) {
        if let Message::Chunk(pushed) = message {
            let number = self
                .epochs
                .get(usize::from(pushed.mark).wrapping_sub(1))
                .map(|base| base + pushed.chunk.seq.0);
            let published = number.and_then(|number| self.published.get(number as usize)).copied();
            let age_us = published.map(|at| self.now - at);
            // Those who lie about ages, or add to them unknown, make honest nodes take chunks for younger than they are, where
            // there are not enough stripes to tell.
            let attackers = &self.scenario.attackers;
            let misled = attackers.liars + attackers.slow > 0.0 && self.scenario.stripes < 4;
            let misled_us = if misled { 800_000 } else { 0 };
            let deadline_us = self.nodes[from as usize].as_ref().map_or(0, |node| node.deadline_us);
            let limit_us = deadline_us + 1_000_000 + misled_us;
            if pushed.chunk.payload.first() != Some(&0x5a) {
                self.violate(from, Violation::Polluted);
            }
            if age_us.is_none_or(|age| age > limit_us + 100_000) {
                self.violate(from, Violation::Old { age_us });
            }
            if let Some(violation) = number.and_then(|number| self.watcher.on_chunk_sent(from, to, number)) {
                self.violate(from, violation);
            }
        }
        self.watcher.on_sent(from, to, message, &self.epochs, self.now);
    }

    pub(super) fn dial(&mut self, from: u32, peer: Option<PeerId>, addrs: Vec<SocketAddr>) {
        let to = addrs.first().and_then(|addr| self.network.node_at(addr));
        let reachable =
            to.filter(|to| *to != from && self.nodes[*to as usize].is_some() && self.network.can_dial(from, *to));
        let honest = |node: &Option<Box<SimNode>>| node.as_ref().is_some_and(|node| node.behaviour.is_honest());
        let Some(to) = reachable else {
            if honest(&self.nodes[from as usize]) {
                self.metrics.sent(HANDSHAKES, ack::UNANSWERED_BYTES, from == 0);
            }
            let failed = Box::new(FailedDial { at: from, peer, addrs });
            return self
                .wheel
                .push(self.now + DIAL_TIMEOUT_US, Happening::DialFailed(failed));
        };
        self.metrics.handshakes += 1;
        for (end, bytes) in [(from, ack::DIALLING_BYTES), (to, ack::DIALLED_BYTES)] {
            if honest(&self.nodes[end as usize]) {
                self.metrics.sent(HANDSHAKES, bytes, end == 0);
            }
        }
        let latency = self.network.latency_us(from, to) as u64;
        // A handshake packet that is lost is sent again after three initial round trips of 100 ms, as `net` sets them.
        let lost = self.rng.chance(self.scenario.loss * 3.0);
        let start = self.now + if lost { 300_000 } else { 0 };
        self.wheel.push(
            start + latency * 2,
            Happening::Connected {
                at: from,
                with: to,
                dialled: true,
            },
        );
        self.wheel.push(
            start + latency * 3,
            Happening::Connected {
                at: to,
                with: from,
                dialled: false,
            },
        );
    }
}

/// The place of a message among [`KIND_NAMES`](crate::sim::metrics::KIND_NAMES).
fn traffic_kind(message: &Message) -> usize {
    match message {
        Message::Chunk(_) => 0,
        Message::Status(_) | Message::Audience(_) => 1,
        Message::Ping { .. } | Message::Pong { .. } => 2,
        Message::Want { .. } | Message::Lack(_) => 3,
        Message::Hello(_)
        | Message::Session(_)
        | Message::Peers { .. }
        | Message::Farewell(_)
        | Message::Bye { .. } => 4,
        Message::Attach(_)
        | Message::Accept { .. }
        | Message::Refuse { .. }
        | Message::Redirect { .. }
        | Message::Detach { .. }
        | Message::Path { .. }
        | Message::Offer { .. }
        | Message::Hint { .. } => 5,
    }
}

/// What a message is in the hash of all that happens.
fn message_kind(message: &Message) -> u64 {
    match message {
        Message::Chunk(pushed) => 16 + pushed.chunk.seq.0 % 64,
        Message::Hello(_) => 5,
        Message::Session(_) => 6,
        Message::Peers { .. } => 7,
        Message::Attach(_) => 8,
        Message::Accept { .. } => 9,
        Message::Refuse { .. } | Message::Redirect { .. } | Message::Detach { .. } => 10,
        Message::Path { .. } => 11,
        Message::Want { .. } | Message::Lack(_) => 12,
        Message::Status(_) | Message::Ping { .. } | Message::Pong { .. } => 13,
        Message::Audience(_)
        | Message::Farewell(_)
        | Message::Offer { .. }
        | Message::Hint { .. }
        | Message::Bye { .. } => 14,
    }
}
