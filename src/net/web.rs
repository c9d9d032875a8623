//! The one way to fetch something over HTTP: little of it, in time, and not from where nobody meant.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(8);

/// A page was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    #[error("{0} is no http:// or https:// address")]
    Address(String),
    #[error("it leads into your own network, which nobody asked for")]
    Local,
    #[error("it redirects more than {REDIRECTS_MAX} times")]
    Redirects,
    #[error("it answers with status {0}")]
    Status(u16),
    #[error("it is longer than {0} bytes")]
    TooLong(usize),
    #[error("it does not answer in time")]
    TimedOut,
    #[error("{0}")]
    Failed(String),
}

/// A client for one address that names itself, follows few redirects and gives up in time. Unless the address itself is of
/// this machine's network, neither a redirect nor a name leads there.
///
/// # Errors
/// When the system's certificates cannot be used.
pub fn client(url: &str) -> Result<Client, WebError> {
    // A second installation finds the first one and leaves it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let own = Url::parse(url).is_ok_and(|url| url.host_str().is_some_and(is_own_host));
    let policy = Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error(WebError::Redirects);
        }
        if !own && attempt.url().host_str().is_some_and(is_own_host) {
            return attempt.error(WebError::Local);
        }
        attempt.follow()
    });
    let mut builder = Client::builder()
        .user_agent(concat!("inonda/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        .read_timeout(CONNECT_MAX)
        .redirect(policy);
    if !own {
        builder = builder.dns_resolver(Arc::new(Outward));
    }
    builder.build().map_err(|error| WebError::Failed(error.to_string()))
}

/// Finds no address on this machine's network, whatever a name says.
struct Outward;

impl Resolve for Outward {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addrs: Vec<SocketAddr> = found.filter(|addr| !is_local(addr.ip())).collect();
            if addrs.is_empty() {
                return Err(WebError::Local.into());
            }
            Ok(Box::new(addrs.into_iter()) as Addrs)
        })
    }
}

/// Why a request failed, in words.
pub fn failure(error: &reqwest::Error) -> WebError {
    if error.is_timeout() {
        return WebError::TimedOut;
    }
    let mut why: &dyn std::error::Error = error;
    while let Some(deeper) = why.source() {
        why = deeper;
        if let Some(ours) = why.downcast_ref::<WebError>() {
            return ours.clone();
        }
    }
    WebError::Failed(why.to_string())
}

/// The body of a page as bytes, at most `max` of them.
///
/// # Errors
/// When the page is not there, too long, or too slow.
pub async fn fetch(client: &Client, url: &str, max: usize) -> Result<Vec<u8>, WebError> {
    let mut response = client.get(url).send().await.map_err(|error| failure(&error))?;
    if !response.status().is_success() {
        return Err(WebError::Status(response.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(|error| failure(&error))? {
        if body.len() + part.len() > max {
            return Err(WebError::TooLong(max));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}

/// Whether a host is named in a way that only means this machine or its network: by a private address, as `localhost`, under
/// `.local`, or without any dot. What some name server says about other names does not count: it may be anybody's.
pub fn is_own_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    if let Ok(ip) = host.parse::<IpAddr>() {
        return is_local(ip);
    }
    let own = [".localhost", ".local"].iter().any(|end| host.ends_with(end));
    own || !host.contains('.')
}

/// Whether an address belongs to this machine or to a private network.
pub fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_multicast()
                || ip.is_broadcast()
                // Shared by a carrier's customers, RFC 6598.
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => {
            ip.is_loopback()
                || ip.is_unspecified()
                || ip.is_unique_local()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_both_families() {
        for local in [
            "127.0.0.1",
            "10.0.0.1",
            "192.168.1.9",
            "169.254.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(is_local(local.parse().unwrap()), "{local}");
        }
        for public in ["198.51.100.1", "100.128.0.1", "2001:db8::1"] {
            assert!(!is_local(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn only_a_name_that_says_so_is_of_the_own_network() {
        for own in [
            "localhost",
            "LOCALHOST.",
            "nas",
            "nas.local",
            "10.0.0.1",
            "[::1]",
            "a.localhost",
        ] {
            assert!(is_own_host(own), "{own}");
        }
        for other in [
            "radio.example",
            "localhost.example",
            "198.51.100.1",
            "2001:db8::1",
            "local.example.",
        ] {
            assert!(!is_own_host(other), "{other}");
        }
    }

    #[tokio::test]
    async fn a_name_that_turns_out_to_be_local_is_not_fetched() {
        let addrs = Outward.resolve("localhost".parse().unwrap()).await;
        assert!(addrs.err().unwrap().to_string().contains("your own network"));
    }
}
