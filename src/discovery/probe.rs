//! Asking whoever is named whether they really carry a channel.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::discovery::directory::desk::Desk;
use crate::discovery::directory::roll::Probe;
use crate::discovery::directory::wire::{Frame, Question};
use crate::discovery::now::unix_s;
use crate::discovery::proof::Proof;
use crate::mesh::record::prefix;
use crate::net::Endpoint;
use crate::units::{ChannelId, Epoch, Seq};

/// Addresses of one public network that a directory asks in a second.
const ASKED_A_SECOND: u32 = 8;
/// How long one address may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// Asks the addresses at once; the place of the newest chunk that the first of them proves to hold.
pub async fn ask(endpoint: &Endpoint, probe: &Probe) -> Option<(Epoch, Seq)> {
    let mut attempts = JoinSet::new();
    for addr in &probe.addrs {
        let (endpoint, addr, channel, beyond) = (endpoint.clone(), *addr, probe.channel, probe.beyond);
        attempts.spawn(async move {
            let proof = timeout(PATIENCE, one(&endpoint, addr, channel)).await.ok()??;
            proof.verify(channel, beyond, unix_s())
        });
    }
    while let Some(attempt) = attempts.join_next().await {
        if let Ok(Some(place)) = attempt {
            return Some(place);
        }
    }
    None
}

async fn one(endpoint: &Endpoint, addr: SocketAddr, channel: ChannelId) -> Option<Proof> {
    let line = endpoint.ask(addr).await.ok()?;
    let answer = line.ask_once(&Question::Prove(channel).encode()).await.ok()?;
    line.close();
    match Frame::decode(&answer) {
        Ok(Frame::Proof(bytes)) => Proof::decode(&bytes).ok(),
        Ok(_) | Err(_) => None,
    }
}

/// Asks for every proof that a directory's desk wants, until the desk is closed. Whoever announces names the addresses, so
/// that no network is sent more than a few packets a second, whatever is announced.
pub async fn run(endpoint: Endpoint, desk: Desk, mut due: mpsc::Receiver<Probe>) {
    let mut sent: HashMap<u64, u32> = HashMap::new();
    let mut second = Instant::now();
    while let Some(mut probe) = due.recv().await {
        if second.elapsed() >= Duration::from_secs(1) {
            second = Instant::now();
            sent.clear();
        }
        probe.addrs.retain(|addr| {
            prefix(addr.ip()).is_none_or(|net| {
                let count = sent.entry(net).or_default();
                *count += 1;
                *count <= ASKED_A_SECOND
            })
        });
        if probe.addrs.is_empty() {
            desk.postponed(probe.channel).await;
            continue;
        }
        let (endpoint, desk) = (endpoint.clone(), desk.clone());
        tokio::spawn(async move {
            let newest = ask(&endpoint, &probe).await;
            desk.proved(probe.channel, newest).await;
        });
    }
}
