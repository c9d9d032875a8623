//! Addresses: which of them mean the same, which may be dialled, which are this machine's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The same address whether it came through a dual-stack socket or not.
pub(super) fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// Whether a socket of this node can reach `addr` at all.
pub(super) fn dialable(addr: SocketAddr, socket: SocketAddr) -> bool {
    let ip = addr.ip();
    let family = ip.is_ipv4() && (socket.is_ipv4() || socket.ip().is_unspecified()) || ip.is_ipv6() && socket.is_ipv6();
    family && addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// What one holder of addresses commands at no cost: a public /24 or /48. `None` for loopback and private ranges, which
/// are not counted: a household or a test machine may be a whole audience.
pub(super) fn prefix(ip: IpAddr) -> Option<[u8; 6]> {
    match ip.to_canonical() {
        IpAddr::V4(ip) if ip.is_loopback() || ip.is_private() || ip.is_link_local() => None,
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            Some([a, b, c, 0, 0, 4])
        }
        IpAddr::V6(ip) if ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() => None,
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, ..] = ip.octets();
            Some([a, b, c, d, e, f])
        }
    }
}

/// Where others on the same machine or network can dial a socket bound to `bound`: itself, or for a wildcard each
/// interface address with that port, public ones first, loopback only when there is nothing else.
pub(super) fn of_this_machine(bound: SocketAddr) -> Vec<SocketAddr> {
    let bound = canonical(bound);
    if !bound.ip().is_unspecified() {
        return vec![bound];
    }
    let mut ips: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| bound.is_ipv6() || ip.is_ipv4())
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    ips.sort_by_key(|ip| (ip.is_loopback(), prefix(*ip).is_none(), ip.is_ipv6(), *ip));
    ips.dedup();
    if ips.iter().any(|ip| !ip.is_loopback()) {
        ips.retain(|ip| !ip.is_loopback());
    }
    if ips.is_empty() {
        let v6_only = bound.is_ipv6();
        ips.push(if v6_only {
            Ipv6Addr::LOCALHOST.into()
        } else {
            Ipv4Addr::LOCALHOST.into()
        });
    }
    ips.into_iter().map(|ip| SocketAddr::new(ip, bound.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_counted_and_neighbours_of_a_public_one_are() {
        for free in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.1.1",
            "169.254.0.1",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert_eq!(prefix(free.parse().unwrap()), None, "{free}");
        }
        let of = |ip: &str| prefix(ip.parse().unwrap()).unwrap();
        assert_eq!(of("198.51.100.1"), of("::ffff:198.51.100.200"));
        assert_ne!(of("198.51.100.1"), of("198.51.101.1"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("2001:db8:1::1"), of("2001:db8:2::1"));
    }

    #[test]
    fn addresses_that_lead_nowhere_are_not_dialled() {
        let v4 = "0.0.0.0:1".parse().unwrap();
        let v6 = "[::]:1".parse().unwrap();
        for bad in [
            "1.2.3.4:0",
            "0.0.0.0:5",
            "224.0.0.1:5",
            "255.255.255.255:5",
            "[::]:5",
            "[ff02::1]:5",
        ] {
            assert!(!dialable(bad.parse().unwrap(), v6), "{bad}");
        }
        assert!(dialable("1.2.3.4:5".parse().unwrap(), v6));
        assert!(!dialable("[2001:db8::1]:5".parse().unwrap(), v4));
    }

    #[test]
    fn a_wildcard_is_told_as_real_addresses_with_its_port() {
        let found = of_this_machine("0.0.0.0:7144".parse().unwrap());
        assert!(!found.is_empty());
        assert!(
            found
                .iter()
                .all(|addr| addr.is_ipv4() && addr.port() == 7144 && !addr.ip().is_unspecified())
        );
        assert_eq!(
            of_this_machine("127.0.0.1:9".parse().unwrap()),
            ["127.0.0.1:9".parse().unwrap()]
        );
    }
}
