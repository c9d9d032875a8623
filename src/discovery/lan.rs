//! Channels on the local network, by multicast DNS and DNS-SD: no configuration, no server. The announcement itself
//! travels in the TXT record, signed, cut into pieces of at most 250 bytes.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use mdns_sd::{IfKind, ResolvedService, ScopedIp, ServiceDaemon, ServiceEvent, ServiceInfo, TxtProperty};
use tokio::sync::mpsc;

use crate::discovery::announcement::Signed;
use crate::limits::{ADDRS_MAX, ANNOUNCEMENT_MAX_BYTES};
use crate::units::ChannelId;

const SERVICE: &str = "_inonda._udp.local.";
/// A string of a TXT record holds 255 bytes, key and `=` included.
const PIECE_BYTES: usize = 250;
const PIECES_MAX: usize = ANNOUNCEMENT_MAX_BYTES.div_ceil(PIECE_BYTES);
/// How long the goodbye may take.
const GOODBYE_MAX: Duration = Duration::from_millis(300);

/// What is heard on the local network.
#[derive(Debug)]
pub enum LanNews {
    /// With the addresses at which its host is heard.
    Heard(Box<Signed>, Vec<SocketAddr>),
    Gone(ChannelId),
}

/// This node's part in multicast DNS.
pub struct Lan {
    daemon: ServiceDaemon,
    told: BTreeMap<ChannelId, (String, Bytes)>,
}

impl Lan {
    /// Starts to listen; what is heard goes to `news`. Loopback is included, so that programs of one machine find each
    /// other without any network.
    ///
    /// # Errors
    /// When the system refuses multicast sockets.
    pub fn start(news: mpsc::Sender<LanNews>) -> Result<Lan, String> {
        let daemon = ServiceDaemon::new().map_err(|error| error.to_string())?;
        let heard = daemon
            .enable_interface(IfKind::LoopbackV4)
            .and_then(|()| daemon.set_multicast_loop_v4(true))
            .and_then(|()| daemon.browse(SERVICE))
            .map_err(|error| error.to_string())?;
        tokio::spawn(async move {
            let mut known = BTreeMap::new();
            while let Ok(event) = heard.recv_async().await {
                if let Some(item) = understand(event, &mut known)
                    && news.send(item).await.is_err()
                {
                    return;
                }
            }
        });
        Ok(Lan {
            daemon,
            told: BTreeMap::new(),
        })
    }

    /// Says on the network what this node hosts: these channels and no others.
    pub fn tell(&mut self, shows: &[Signed], port: u16) {
        let ended: Vec<ChannelId> = self
            .told
            .keys()
            .filter(|channel| !shows.iter().any(|show| show.says.channel == **channel))
            .copied()
            .collect();
        for channel in ended {
            if let Some((name, _)) = self.told.remove(&channel) {
                let _ = self.daemon.unregister(&name);
            }
        }
        for show in shows {
            let channel = show.says.channel;
            if self.told.get(&channel).is_some_and(|(_, bytes)| *bytes == show.bytes) {
                continue;
            }
            match service(show, port).and_then(|service| {
                let name = service.get_fullname().to_owned();
                self.daemon.register(service).map(|()| name)
            }) {
                Ok(name) => drop(self.told.insert(channel, (name, show.bytes.clone()))),
                Err(error) => tracing::debug!(%error, "the local network is not told of a channel"),
            }
        }
    }

    /// Says goodbye on the network.
    pub async fn close(mut self) {
        let farewells: Vec<_> = std::mem::take(&mut self.told)
            .into_values()
            .filter_map(|(name, _)| self.daemon.unregister(&name).ok())
            .collect();
        for farewell in farewells {
            let _ = tokio::time::timeout(GOODBYE_MAX, farewell.recv_async()).await;
        }
        let _ = self.daemon.shutdown();
    }
}

fn service(show: &Signed, port: u16) -> mdns_sd::Result<ServiceInfo> {
    let id = show.says.channel.to_string();
    let pieces: Vec<TxtProperty> = show
        .bytes
        .chunks(PIECE_BYTES)
        .enumerate()
        .map(|(at, piece)| TxtProperty::from((format!("a{at}"), piece)))
        .collect();
    let host = format!("inonda-{}.local.", &id[..16]);
    let mut service = ServiceInfo::new(SERVICE, &id, &host, "", port, pieces)?.enable_addr_auto();
    // A key is nobody else's name, so that nobody has to be asked for three quarters of a second whether it is free.
    service.set_requires_probe(false);
    Ok(service)
}

fn understand(event: ServiceEvent, known: &mut BTreeMap<String, ChannelId>) -> Option<LanNews> {
    match event {
        ServiceEvent::ServiceResolved(service) => {
            let signed = read(&service)?;
            known.insert(service.fullname.clone(), signed.says.channel);
            Some(LanNews::Heard(Box::new(signed), addrs(&service)))
        }
        ServiceEvent::ServiceRemoved(_, name) => known.remove(&name).map(LanNews::Gone),
        _ => None,
    }
}

/// Where the host is on this network, those of IPv4 first; addresses that need an interface's name lead nowhere.
fn addrs(service: &ResolvedService) -> Vec<SocketAddr> {
    let mut ips: Vec<IpAddr> = service
        .addresses
        .iter()
        .map(ScopedIp::to_ip_addr)
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    ips.sort_by_key(|ip| (ip.is_ipv6(), *ip));
    ips.truncate(ADDRS_MAX);
    ips.into_iter().map(|ip| SocketAddr::new(ip, service.port)).collect()
}

/// The announcement in a TXT record; whose signature is wrong is nobody.
fn read(service: &ResolvedService) -> Option<Signed> {
    let mut bytes = Vec::new();
    for at in 0..PIECES_MAX {
        match service.get_property_val(&format!("a{at}")) {
            Some(Some(piece)) => bytes.extend_from_slice(piece),
            Some(None) | None => break,
        }
    }
    Signed::read(&bytes.into()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::discovery::announcement::tests::with;

    #[test]
    fn the_longest_announcement_travels_in_a_txt_record() {
        let signed = with(1, 1_800_000_000, |says| {
            says.description = "d".repeat(300);
            says.title = "t".repeat(200);
            says.contact = "c".repeat(120);
            says.name = "n".repeat(80);
        });
        let service = service(&signed, 7_144).unwrap();
        assert_eq!(read(&service.as_resolved_service()), Some(signed));
    }

    proptest! {
        #[test]
        fn no_record_makes_the_reader_panic(
            pieces in prop::collection::vec(("a?[0-9]{0,2}", prop::collection::vec(any::<u8>(), 0..200)), 0..8), cut in 0..900_usize
        ) {
            let heard = |properties: Vec<TxtProperty>| {
                ServiceInfo::new(SERVICE, "x", "x.local.", "10.0.0.1", 1, properties).is_ok_and(|service| {
                    let service = service.as_resolved_service();
                    let _ = addrs(&service);
                    read(&service).is_some()
                })
            };
            let named = pieces.iter().filter(|(name, _)| !name.is_empty());
            prop_assert!(!heard(named.map(|(name, piece)| TxtProperty::from((name.clone(), piece.as_slice()))).collect()));
            let whole = with(1, 1_800_000_000, |_| {}).bytes;
            let part = &whole[..cut % whole.len()];
            let part = part.chunks(PIECE_BYTES).enumerate();
            let cut_off = heard(part.map(|(at, piece)| TxtProperty::from((format!("a{at}"), piece))).collect());
            prop_assert!(!cut_off);
        }
    }
}
