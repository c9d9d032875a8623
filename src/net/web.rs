//! The one way to fetch something over HTTP: little of it, in time, and not from where nobody meant.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Client;
use reqwest::redirect::Policy;

/// Redirects followed.
const REDIRECTS_MAX: usize = 5;
/// How long connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(8);

/// A page was not fetched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WebError {
    #[error("{0} is no http:// or https:// address")]
    Address(String),
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

/// A client that names itself, follows few redirects and gives up in time.
///
/// # Errors
/// When the system's certificates cannot be used.
pub fn client() -> Result<Client, WebError> {
    // A second installation finds the first one and leaves it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .user_agent(concat!("inonda/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        .read_timeout(CONNECT_MAX)
        .redirect(Policy::limited(REDIRECTS_MAX))
        .build()
        .map_err(|error| WebError::Failed(error.to_string()))
}

/// Why a request failed, in words.
pub fn failure(error: &reqwest::Error) -> WebError {
    if error.is_timeout() {
        return WebError::TimedOut;
    }
    if error.is_redirect() {
        return WebError::Redirects;
    }
    let mut why: &dyn std::error::Error = error;
    while let Some(deeper) = why.source() {
        why = deeper;
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
}
