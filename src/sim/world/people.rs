//! Who comes and goes: the host, listeners, and what is left of them in the accounts.

use super::*;

/// Who has heard nothing for this long has not started.
const NEVER_S: f64 = 2.0;

impl World {
    pub(super) fn host_on_air(&mut self) {
        self.epochs.push(self.published.len() as u64);
        let epoch = self.epochs.len() as u64;
        let key = [0xaa ^ epoch as u8; 32];
        let me = self.peer(0);
        let crypto = Hashing {
            peer: me.0,
            session: key,
        };
        let mut session = Session {
            channel: self.channel,
            epoch: Epoch(epoch),
            signing_key: key,
            host: me,
            stripes: self.scenario.stripes,
            chunk_time: Duration::from_micros(self.chunk_us),
            codec: Codec::Opus,
            bitrate_bps: self.scenario.rate_bps,
            expires_unix_s: u64::MAX,
            name: self.scenario.name.clone(),
            genre: String::new(),
            description: String::new(),
            private: false,
            signature: [0; 64],
        };
        let channel = Hashing {
            peer: self.channel.0,
            session: self.channel.0,
        };
        session.signature = crate::mesh::Crypto::sign(&channel, &session.signed_bytes());
        let config = Config {
            upload_bps: self.network.sites[0].budget_bps,
            listens: false,
            ..(*self.config).clone()
        };
        let local = self.local(0, self.now);
        let mesh = Mesh::source(config, me, session, Arc::new(crypto), self.rng.next(), local);
        self.place(0, mesh, Behaviour::Honest);
        self.network_addr_given(0);
    }

    pub(super) fn join(&mut self) {
        if self.network.healed {
            return;
        }
        let behaviour = Behaviour::draw(&self.scenario.attackers, &mut self.rng);
        let times = if behaviour.is_honest() { self.draw_upload() } else { 4.0 };
        let budget = (f64::from(self.scenario.rate_bps) * times * self.scenario.capacity) as u64;
        let mut rng = self.rng.fork();
        let node = self
            .network
            .add(&self.scenario, budget, behaviour == Behaviour::Sybil, &mut rng);
        self.nodes.push(None);
        self.alarms.push(NEVER);
        let me = self.peer(node);
        let crypto = Hashing {
            peer: me.0,
            session: [0; 32],
        };
        let deadline_s = self.draw_deadline();
        let config = self.config_of(budget, deadline_s);
        let local = self.local(node, self.now);
        let mesh = Mesh::listener(
            config,
            me,
            self.channel,
            Epoch(0),
            Arc::new(crypto),
            self.rng.next(),
            local,
        );
        let via = self.bootstrap(node);
        self.place(node, mesh, behaviour);
        if let Some(placed) = &mut self.nodes[node as usize] {
            placed.deadline_us = (deadline_s * 1e6) as u64;
        }
        self.network_addr_given(node);
        if behaviour.counts() {
            self.metrics.joins += 1;
        }
        let stay = -(1.0 - self.rng.unit()).ln() * self.stay_us;
        self.wheel.push(self.now + stay as u64, Happening::Depart { node });
        self.wheel.push(self.now + LOOK_UP_US, Happening::LookUp { node });
        self.input(node, Input::AddAddrs { addrs: via });
    }

    /// The settings of a listener, shared by all who have the same.
    fn config_of(&mut self, upload_bps: u64, deadline_s: f64) -> Arc<Config> {
        let shared = self.configs.entry((upload_bps, deadline_s.to_bits()));
        let make = || Config {
            upload_bps,
            deadline: Duration::from_secs_f64(deadline_s),
            ..(*self.config).clone()
        };
        Arc::clone(shared.or_insert_with(|| Arc::new(make())))
    }

    /// One who is fed by nobody looks again for addresses.
    pub(super) fn look_up(&mut self, node: u32) {
        let Some(here) = &self.nodes[node as usize] else {
            return;
        };
        let lost = (0..self.scenario.stripes).all(|stripe| !here.mesh.has_path(stripe));
        self.wheel.push(self.now + LOOK_UP_US, Happening::LookUp { node });
        if lost {
            let addrs = self.bootstrap(node);
            self.input(node, Input::AddAddrs { addrs });
        }
    }

    fn draw_deadline(&mut self) -> f64 {
        let others = &self.scenario.other_deadlines_s;
        match self.rng.below(others.len() + 1) {
            0 => self.scenario.deadline_s,
            n => others[n - 1],
        }
    }

    pub(super) fn place(&mut self, node: u32, mesh: Mesh, behaviour: Behaviour) {
        let heard = Heard::from(self.now);
        self.alarms[node as usize] = NEVER;
        self.nodes[node as usize] = Some(Box::new(SimNode {
            mesh,
            behaviour,
            heard,
            deadline_us: self.deadline_us,
            second: Second::default(),
            over_at: 0,
            payload_sent: 0,
            debts: Debts::default(),
            packets: Packets::default(),
            place: self.living.len() as u32,
        }));
        self.living.push(node);
    }

    /// Tells a node its own address, if it can be dialled.
    pub(super) fn network_addr_given(&mut self, node: u32) {
        if !self.network.sites[node as usize].dialable {
            return;
        }
        let addrs = vec![self.network.addr(node)];
        self.input(node, Input::OwnAddrs { addrs });
    }

    pub(super) fn draw_upload(&mut self) -> f64 {
        let mut left = self.rng.unit();
        for class in &self.scenario.upload {
            if left < class.share {
                return class.times;
            }
            left -= class.share;
        }
        0.0
    }

    /// A few random members that can be dialled and pass something on, as a directory would name them.
    pub(super) fn bootstrap(&mut self, newcomer: u32) -> Vec<SocketAddr> {
        let mut picked: Vec<u32> = Vec::with_capacity(BOOTSTRAP);
        if self.rng.chance(self.scenario.by_link) {
            // A link names the host, and nobody else.
            return vec![self.network.addr(0)];
        }
        for _ in 0..20 {
            if picked.len() >= BOOTSTRAP || self.living.is_empty() {
                break;
            }
            let node = self.living[self.rng.below(self.living.len())];
            if !picked.contains(&node)
                && self.network.sites[node as usize].dialable
                && self.network.sites[node as usize].budget_bps > 0
                && self.network.connects(node, newcomer)
            {
                picked.push(node);
            }
        }
        if picked.is_empty() {
            picked.push(0);
        }
        picked.iter().map(|node| self.network.addr(*node)).collect()
    }

    /// A node says goodbye and is gone.
    pub(super) fn leave(&mut self, node: u32) {
        self.input(node, Input::Leave);
        self.vanish(node);
    }

    /// A node is gone without a word.
    pub(super) fn vanish(&mut self, node: u32) {
        self.mark(2, node);
        let Some(gone) = &self.nodes[node as usize] else { return };
        let neighbours: Vec<u32> = gone.mesh.neighbour_ids().map(|peer| node_of(&peer)).collect();
        for at in neighbours {
            self.wheel
                .push(self.now + IDLE_TIMEOUT_US, Happening::TimedOut { at, with: node });
        }
        if node != 0 {
            self.close(node);
        }
        if let Some(gone) = self.nodes[node as usize].take() {
            let place = gone.place as usize;
            self.living.swap_remove(place);
            if let Some(moved) = self.living.get(place)
                && let Some(moved) = &mut self.nodes[*moved as usize]
            {
                moved.place = place as u32;
            }
        }
    }

    pub(super) fn close(&mut self, node: u32) {
        let Some(gone) = &self.nodes[node as usize] else { return };
        let due = self.published.partition_point(|at| at + gone.deadline_us <= self.now) as u64;
        let seconds = self.now.saturating_sub(gone.heard.joined_us) as f64 / 1e6;
        if gone.behaviour.counts() {
            if gone.heard.first.is_none() && seconds > NEVER_S {
                // It waits to this day: the longest start-up there is.
                self.metrics.never_started += 1;
                self.metrics.startup.add(u64::MAX);
            }
            let chunks_a_second = 1e6 / self.chunk_us as f64;
            let host_side = self.is_host_side(node);
            self.metrics
                .close(&gone.heard, due.checked_sub(1), chunks_a_second, host_side);
            self.metrics.node_seconds += seconds;
            let budget = self.network.sites[node as usize].budget_bps as f64 / 8.0;
            if seconds > 10.0 && budget > 0.0 {
                let share = gone.payload_sent as f64 / seconds / budget;
                self.metrics.uploads.push(share as f32);
                self.metrics.use_of_budget.add((share * 1e6) as u64);
            }
        }
    }
}
