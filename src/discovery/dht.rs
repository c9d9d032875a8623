//! The Mainline DHT of BitTorrent: millions of nodes that nobody owns.
//!
//! Whoever carries a channel announces itself under a hash of the channel's ID, so that a bare ID is enough to join. The
//! host keeps its newest announcement in a mutable item (BEP 44) under the channel's key. Directories announce themselves
//! under one well-known hash.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use futures_core::Stream;
use mainline::async_dht::AsyncDht;
use mainline::{Dht as Mainline, Id, MutableItem};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::discovery::announcement::Signed;
use crate::units::ChannelId;

const PEERS_SALT: &[u8] = b"inonda peers";
const ITEM_SALT: &[u8] = b"inonda";
const DIRECTORIES_SALT: &[u8] = b"inonda directories";
/// A node that has not answered by then will not.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Times an announcement is tried, and the pause in between: right after the start nobody is known yet.
const ATTEMPTS_MAX: u32 = 5;
const ATTEMPT_AGAIN: Duration = Duration::from_secs(15);
/// Addresses taken from one look-up; somebody may announce thousands.
const PEERS_MAX: usize = 64;

/// What a look-up found.
#[derive(Debug)]
pub enum DhtNews {
    Peers(ChannelId, Vec<SocketAddr>),
    Newest(Box<Signed>),
    Directories(Vec<SocketAddr>),
    /// This node is part of the DHT from now on.
    Joined(Dht),
}

impl std::fmt::Debug for Dht {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dht")
    }
}

/// This node's part in the DHT. Clones share it; look-ups run beside everything else and their answers come as news.
#[derive(Clone)]
pub struct Dht {
    node: AsyncDht,
    news: mpsc::Sender<DhtNews>,
}

impl Dht {
    /// Joins the DHT through `bootstrap`, or through its usual entrances when that is empty. The entrances' names are
    /// looked up on a thread of their own, which takes long where no internet is; then all look-ups find nothing.
    ///
    /// # Errors
    /// When no UDP socket can be had.
    pub async fn join(bootstrap: Vec<String>, news: mpsc::Sender<DhtNews>) -> std::io::Result<Dht> {
        let joined = tokio::task::spawn_blocking(move || {
            let mut builder = Mainline::builder();
            builder.request_timeout(REQUEST_TIMEOUT);
            if !bootstrap.is_empty() {
                builder.bootstrap(&bootstrap);
                // A test network on this machine needs a socket that can reach it.
                if bootstrap.iter().all(|entrance| entrance.starts_with("127.")) {
                    builder.bind_address(Ipv4Addr::LOCALHOST);
                }
            }
            builder.build()
        });
        let node = joined.await.map_err(std::io::Error::other)??.as_async();
        Ok(Dht { node, news })
    }

    /// Announces that this node carries a channel at a UDP port.
    pub fn carry(&self, channel: ChannelId, port: u16) {
        self.announce(peers_of(channel), port);
    }

    /// Announces that this node is a directory at a UDP port.
    pub fn be_directory(&self, port: u16) {
        self.announce(directories(), port);
    }

    fn announce(&self, hash: Id, port: u16) {
        let node = self.node.clone();
        tokio::spawn(async move {
            for _ in 0..ATTEMPTS_MAX {
                let Err(error) = node.announce_peer(hash, Some(port)).await else {
                    return;
                };
                tracing::debug!(%error, "the DHT did not take an announcement");
                tokio::time::sleep(ATTEMPT_AGAIN).await;
            }
        });
    }

    /// Puts a channel's newest announcement where everybody finds it by the ID.
    pub fn publish(&self, signed: &Signed, key: &SigningKey) -> JoinHandle<()> {
        let issued = i64::try_from(signed.says.issued_unix_s).unwrap_or(i64::MAX);
        let item = MutableItem::new(key.clone(), &signed.bytes, issued, Some(ITEM_SALT));
        let node = self.node.clone();
        tokio::spawn(async move {
            if let Err(error) = node.put_mutable(item, None).await {
                tracing::debug!(%error, "the DHT did not take a channel's announcement");
            }
        })
    }

    /// Looks for peers of a channel.
    pub fn find_peers(&self, channel: ChannelId) {
        self.look_up(peers_of(channel), move |addrs| DhtNews::Peers(channel, addrs));
    }

    /// Looks for directories.
    pub fn find_directories(&self) {
        self.look_up(directories(), DhtNews::Directories);
    }

    fn look_up(&self, hash: Id, news: impl Fn(Vec<SocketAddr>) -> DhtNews + Send + 'static) {
        let Dht { node, news: sender } = self.clone();
        tokio::spawn(async move {
            let mut found = 0;
            let mut answers = node.get_peers(hash);
            while let Some(addrs) = poll_fn(|context| Pin::new(&mut answers).poll_next(context)).await {
                let addrs: Vec<SocketAddr> = addrs.into_iter().map(SocketAddr::V4).take(PEERS_MAX - found).collect();
                found += addrs.len();
                if !addrs.is_empty() && sender.send(news(addrs)).await.is_err() || found >= PEERS_MAX {
                    return;
                }
            }
        });
    }

    /// Looks for a channel's newest announcement.
    pub fn find_newest(&self, channel: ChannelId) {
        let Dht { node, news } = self.clone();
        tokio::spawn(async move {
            let item = node.get_mutable_most_recent(&channel.0, Some(ITEM_SALT)).await;
            let signed = item.and_then(|item| Signed::read(&item.value().to_vec().into()).ok());
            if let Some(signed) = signed.filter(|signed| signed.says.channel == channel) {
                let _ = news.send(DhtNews::Newest(Box::new(signed))).await;
            }
        });
    }
}

fn peers_of(channel: ChannelId) -> Id {
    MutableItem::target_from_key(&channel.0, Some(PEERS_SALT))
}

fn directories() -> Id {
    MutableItem::target_from_key(&[0; 32], Some(DIRECTORIES_SALT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::announcement::tests::{announcement, key};
    use crate::discovery::now::unix_s;

    #[tokio::test]
    async fn a_bare_id_leads_to_its_peers_and_its_newest_announcement() {
        let network = tokio::task::spawn_blocking(|| mainline::Testnet::builder(10).build().unwrap())
            .await
            .unwrap();
        let (sender, mut news) = mpsc::channel(16);
        let host = Dht::join(network.bootstrap.clone(), sender.clone()).await.unwrap();
        let signed = announcement(1, unix_s());
        let channel = signed.says.channel;
        host.carry(channel, 7_144);
        drop(host.publish(&signed, &key(1)));
        host.be_directory(7_155);
        let listener = Dht::join(network.bootstrap.clone(), sender).await.unwrap();
        let (mut peers, mut newest, mut directories) = (None, None, None);
        for _ in 0..40 {
            listener.find_peers(channel);
            listener.find_newest(channel);
            listener.find_directories();
            while let Ok(Some(item)) = tokio::time::timeout(Duration::from_millis(500), news.recv()).await {
                match item {
                    DhtNews::Peers(_, addrs) => peers = Some(addrs),
                    DhtNews::Newest(signed) => newest = Some(*signed),
                    DhtNews::Directories(addrs) => directories = Some(addrs),
                    DhtNews::Joined(_) => {}
                }
            }
            if peers.is_some() && newest.is_some() && directories.is_some() {
                break;
            }
        }
        assert_eq!(peers.unwrap(), ["127.0.0.1:7144".parse().unwrap()]);
        assert_eq!(directories.unwrap(), ["127.0.0.1:7155".parse().unwrap()]);
        assert_eq!(newest.unwrap(), signed);
    }
}
