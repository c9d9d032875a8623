//! Leaving: what those who hang below are told, and what they make of it.

use std::sync::Arc;

use super::{Mesh, Phase, stripes_of};
use crate::mesh::record::PeerRecord;
use crate::mesh::wire::{Farewell, Message};
use crate::mesh::{CloseReason, Delivery, Output};
use crate::units::{Seq, Time};

/// Of those named in a bye, who knows nobody else dials so many.
const OTHERS_MAX: usize = 3;

impl Mesh {
    /// Names to each child the parent it hung below, and stops.
    pub(super) fn leave(&mut self, now: Time) {
        if self.is_source && self.session.is_some() {
            let (epoch, last) = (self.epoch(), Seq(self.next_seq.saturating_sub(1)));
            let signature = self.crypto.sign(&Farewell::signed_bytes(self.channel, epoch, last));
            let farewell = Arc::new(Farewell { epoch, last, signature });
            for at in 0..self.members.list.len() {
                self.send(at, Message::Farewell(Arc::clone(&farewell)), Delivery::Reliable, now);
            }
        }
        // To the others the end of the connection says as much.
        for at in 0..self.members.list.len() {
            let child = &self.members.list[at];
            let Some(stripe) = stripes_of(child.fed).next().filter(|_| !self.is_source) else {
                continue;
            };
            let parent = self.stripes[usize::from(stripe)].parent.filter(|key| *key != child.key);
            let parent = parent.and_then(|key| self.members.by_key(key));
            let others = parent.and_then(|at| self.members.list[at].record.clone());
            let message = Message::Bye {
                others: others.into_iter().collect(),
            };
            if self.bears_duty(&message, now) {
                self.send(at, message, Delivery::Reliable, now);
            }
        }
        for neighbour in self.members.remove_all() {
            self.out.push_back(Output::Disconnect {
                peer: neighbour.peer,
                reason: CloseReason::Done,
            });
        }
        self.phase = Phase::Left;
    }

    pub(super) fn on_bye(&mut self, at: usize, others: &[Arc<PeerRecord>], now: Time) {
        let peer = self.members.list[at].peer;
        let fed_us = self.members.list[at].feeds != 0;
        if self.learn(at, others, now) {
            if self.stripes.is_empty() {
                self.dial_hints(others, OTHERS_MAX, now);
            } else if fed_us {
                self.dial_hints(others, 1, now);
            }
            self.drop_peer(peer, CloseReason::Done, now);
        }
    }
}
