//! The one owner of a running directory's list: questions come in by a queue, answers go back, changes go to disk.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;

use crate::discovery::announcement::{Refusal, Signed};
use crate::discovery::directory::ledger::{Batch, Ledger, LedgerError, Writer};
use crate::discovery::directory::roll::{BUCKETS, Counts, Probe, Roll, Rules, Step, Taken};
use crate::discovery::now::unix_s;
use crate::units::{ChannelId, Epoch, Seq};

/// Orders that may wait for the desk.
const ORDERS_MAX: usize = 1_024;
/// How often what has changed is handed to the disk while it is idle.
const FLUSH_EVERY: Duration = Duration::from_millis(10);
/// Proofs asked for at once.
const PROBES_MAX: usize = 32;

/// What the desk is asked.
enum Order {
    Take(Box<Signed>, From, oneshot::Sender<Result<Taken, Refusal>>),
    Count(Refusal),
    Since(u64, oneshot::Sender<(u64, bool, Vec<Step>)>),
    Sums(oneshot::Sender<(u64, Box<[u64; BUCKETS]>)>),
    Buckets(BTreeSet<u8>, oneshot::Sender<(u64, Vec<Bytes>)>),
    Listed(oneshot::Sender<Vec<Bytes>>),
    Proved(ChannelId, Option<(Epoch, Seq)>),
    Postponed(ChannelId),
    Find(ChannelId, oneshot::Sender<Option<Bytes>>),
    Counts(oneshot::Sender<Counts>),
}

/// Who brings an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The channel itself, from this public network if it is one.
    Host(Option<u64>),
    /// Another directory; which one, unless a person named it.
    Directory(Option<u64>),
}

/// The way to the desk; clones share it.
#[derive(Clone)]
pub struct Desk {
    orders: mpsc::Sender<Order>,
    version: watch::Receiver<u64>,
    /// Random for each run: versions of another run mean nothing.
    pub instance: u64,
}

/// The desk proper.
struct Clerk {
    roll: Roll,
    writer: Option<Writer>,
    batch: Batch,
    version: watch::Sender<u64>,
    probes: mpsc::Sender<Probe>,
    under_way: usize,
}

impl Desk {
    /// Loads what was kept and opens; channels that should prove themselves come out of the second value, and each must be
    /// answered with [`Desk::proved`] or [`Desk::postponed`].
    ///
    /// # Errors
    /// When the file of the list is held by another directory or broken.
    pub fn open(rules: Rules, ledger: Option<Ledger>) -> Result<(Desk, mpsc::Receiver<Probe>), LedgerError> {
        let mut roll = Roll::new(rules);
        let mut writer = None;
        let mut batch = Batch::default();
        if let Some(ledger) = ledger {
            let now = unix_s();
            for (listed, bytes) in ledger.load()? {
                let Ok(signed) = Signed::read(&bytes) else {
                    tracing::debug!("a row of the list cannot be used");
                    continue;
                };
                if !roll.restore(&signed, listed, now) {
                    // It has expired while this directory was down.
                    batch.rows.push((signed.says.channel, None));
                }
            }
            let started = ledger.into_writer();
            writer = Some(started.map_err(|error| LedgerError::Folder("directory.redb".into(), error))?);
        }
        let (orders, waiting) = mpsc::channel(ORDERS_MAX);
        let (probes, due) = mpsc::channel(PROBES_MAX);
        let (version, versions) = watch::channel(roll.version());
        let clerk = Clerk {
            roll,
            writer,
            batch,
            version,
            probes,
            under_way: 0,
        };
        tokio::spawn(clerk.run(waiting));
        let mut instance = [0; 8];
        // Without randomness a client may take an old version for a new one, and asks again a moment later.
        let _ = getrandom::fill(&mut instance);
        let desk = Desk {
            orders,
            version: versions,
            instance: u64::from_be_bytes(instance) | 1,
        };
        Ok((desk, due))
    }

    /// Takes an announcement as it came; `Ok` once it is on disk.
    ///
    /// # Errors
    /// Says why it is refused.
    pub async fn announce(&self, bytes: &Bytes, from: From) -> Result<Taken, Refusal> {
        let read = Signed::read(bytes);
        match read {
            Ok(signed) => self.take(signed, from).await,
            Err(why) => {
                let _ = self.orders.send(Order::Count(why)).await;
                Err(why)
            }
        }
    }

    /// Takes an announcement whose signature has been checked.
    ///
    /// # Errors
    /// Says why it is refused.
    async fn take(&self, signed: Signed, from: From) -> Result<Taken, Refusal> {
        self.order(|reply| Order::Take(Box::new(signed), from, reply))
            .await
            .unwrap_or(Err(Refusal::Full))
    }

    /// Version, whether it is the whole list, and what changed since `version` of `instance`; waits at most `wait` for a change.
    pub async fn since(&self, instance: u64, version: u64, wait: Duration) -> (u64, bool, Vec<Step>) {
        let ours = instance == self.instance;
        let version = if ours { version } else { 0 };
        // Who comes for the first time is answered at once, even with nothing.
        let wait = if ours { wait } else { Duration::ZERO };
        let mut versions = self.version.clone();
        let news = versions.wait_for(|now| *now != version);
        let _ = tokio::time::timeout(wait, news).await;
        self.order(|reply| Order::Since(version, reply))
            .await
            .unwrap_or_default()
    }

    /// Version and sums.
    pub async fn sums(&self) -> (u64, Box<[u64; BUCKETS]>) {
        self.order(Order::Sums)
            .await
            .unwrap_or_else(|| (0, Box::new([0; BUCKETS])))
    }

    /// Version, and what is listed in the buckets.
    pub async fn buckets(&self, wanted: BTreeSet<u8>) -> (u64, Vec<Bytes>) {
        self.order(|reply| Order::Buckets(wanted, reply))
            .await
            .unwrap_or_default()
    }

    /// What is listed of a channel.
    pub async fn find(&self, channel: ChannelId) -> Option<Bytes> {
        self.order(|reply| Order::Find(channel, reply)).await.flatten()
    }

    /// Everything listed.
    pub async fn listed(&self) -> Vec<Bytes> {
        self.order(Order::Listed).await.unwrap_or_default()
    }

    /// What the directory has seen.
    pub async fn counts(&self) -> Counts {
        self.order(Order::Counts).await.unwrap_or_default()
    }

    /// Tells what a proof showed.
    pub async fn proved(&self, channel: ChannelId, newest: Option<(Epoch, Seq)>) {
        let _ = self.orders.send(Order::Proved(channel, newest)).await;
    }

    /// Tells that a proof was not asked for yet.
    pub async fn postponed(&self, channel: ChannelId) {
        let _ = self.orders.send(Order::Postponed(channel)).await;
    }

    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl Clerk {
    async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        flush.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let unwritten = !self.batch.rows.is_empty() || !self.batch.waiting.is_empty();
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.on_order(order),
                    None => break,
                },
                _ = flush.tick(), if unwritten => self.flush(),
                _ = second.tick() => self.on_second(),
            }
            self.ask_for_proofs();
            self.version.send_if_modified(|version| {
                let newer = *version != self.roll.version();
                *version = self.roll.version();
                newer
            });
        }
        self.flush();
    }

    fn on_order(&mut self, order: Order) {
        match order {
            Order::Take(signed, from, reply) => self.take(&signed, from, reply),
            Order::Count(why) => self.roll.count(why),
            Order::Since(version, reply) => {
                let (whole, steps) = self.roll.since(version);
                let _ = reply.send((self.roll.version(), whole, steps));
            }
            Order::Sums(reply) => {
                let _ = reply.send((self.roll.version(), Box::new(*self.roll.sums())));
            }
            Order::Buckets(wanted, reply) => {
                let _ = reply.send((self.roll.version(), self.roll.buckets(&wanted)));
            }
            Order::Listed(reply) => {
                let _ = reply.send(self.roll.listed().cloned().collect());
            }
            Order::Find(channel, reply) => {
                let listed = self.roll.is_listed(channel);
                let _ = reply.send(self.roll.announcement(channel).filter(|_| listed).cloned());
            }
            Order::Proved(channel, newest) => self.on_proved(channel, newest),
            Order::Postponed(channel) => {
                self.under_way = self.under_way.saturating_sub(1);
                self.roll.postpone(channel, unix_s());
            }
            Order::Counts(reply) => {
                let _ = reply.send(self.roll.counts());
            }
        }
    }

    fn take(&mut self, signed: &Signed, from: From, reply: oneshot::Sender<Result<Taken, Refusal>>) {
        let channel = signed.says.channel;
        let taken = match from {
            From::Host(from) => self.roll.take(signed, from, unix_s()),
            From::Directory(stranger) => self.roll.take_from(stranger, signed, unix_s()),
        };
        if taken != Ok(Taken::New) || self.writer.is_none() {
            let _ = reply.send(taken);
            return;
        }
        let listed = self.roll.is_listed(channel);
        self.batch.rows.push((channel, Some((listed, signed.bytes.clone()))));
        let (written, on_disk) = oneshot::channel();
        self.batch.waiting.push(written);
        tokio::spawn(async move {
            let _ = on_disk.await;
            let _ = reply.send(taken);
        });
    }

    fn on_proved(&mut self, channel: ChannelId, newest: Option<(Epoch, Seq)>) {
        self.under_way = self.under_way.saturating_sub(1);
        let was_listed = self.roll.is_listed(channel);
        if self.roll.proved(channel, newest, unix_s()) {
            self.batch.rows.push((channel, None));
        }
        let listed = self.roll.is_listed(channel);
        if let Some(bytes) = self.roll.announcement(channel).filter(|_| listed != was_listed) {
            self.batch.rows.push((channel, Some((listed, bytes.clone()))));
        }
    }

    fn on_second(&mut self) {
        let forgotten = self.roll.expire(unix_s());
        self.batch
            .rows
            .extend(forgotten.into_iter().map(|channel| (channel, None)));
    }

    fn ask_for_proofs(&mut self) {
        let free = PROBES_MAX.saturating_sub(self.under_way).min(self.probes.capacity());
        if free == 0 {
            return;
        }
        for probe in self.roll.probes(free, unix_s()) {
            if self.probes.try_send(probe).is_ok() {
                self.under_way += 1;
            }
        }
    }

    fn flush(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        match &self.writer {
            Some(writer) => {
                if let Err(batch) = writer.hand_over(batch) {
                    self.batch = batch;
                }
            }
            None => drop(batch),
        }
    }
}
