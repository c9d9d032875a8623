//! The `inonda:` link: everything a listener needs to join.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use crate::audio::title;
use crate::limits::{ADDRS_MAX, NAME_MAX_BYTES};
use crate::units::ChannelId;

/// `inonda:ID?via=HOST:PORT&via=…&name=…&private=1`; host names are kept as text until somebody dials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub channel: ChannelId,
    /// `host:port`, as written.
    pub via: Vec<String>,
    pub name: Option<String>,
    /// Nobody is to hear of the channel: whoever joins neither announces it nor asks others for it.
    pub private: bool,
}

/// A link that cannot be read; the message says which part and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LinkError(String);

impl Link {
    /// A link that names the channel and where to ask for it.
    pub fn new(channel: ChannelId, via: impl IntoIterator<Item = SocketAddr>, name: &str) -> Link {
        let via = via.into_iter().take(ADDRS_MAX).map(|addr| addr.to_string()).collect();
        Link {
            channel,
            via,
            name: (!name.is_empty()).then(|| name.to_owned()),
            private: false,
        }
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inonda:{}", self.channel)?;
        let mut mark = '?';
        for via in &self.via {
            write!(f, "{mark}via={}", percent_encode(via, b":[]"))?;
            mark = '&';
        }
        if let Some(name) = &self.name {
            write!(f, "{mark}name={}", percent_encode(name, b""))?;
            mark = '&';
        }
        if self.private {
            write!(f, "{mark}private=1")?;
        }
        Ok(())
    }
}

impl FromStr for Link {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Link, LinkError> {
        let text = text.trim();
        let rest = text.strip_prefix("inonda:").unwrap_or(text);
        let (id, query) = rest.split_once('?').unwrap_or((rest, ""));
        let channel = id
            .trim_matches('/')
            .parse()
            .map_err(|e| LinkError(format!("the channel in the link: {e}")))?;
        let mut link = Link {
            channel,
            via: Vec::new(),
            name: None,
            private: false,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("via", host)) if link.via.len() < ADDRS_MAX => {
                    link.via.push(check_host_port(&percent_decode(host)?)?)
                }
                Some(("name", name)) => link.name = Some(clip(title::clean(&percent_decode(name)?))),
                Some(("private", "1")) => link.private = true,
                // Later versions may say more; what they say is not needed to join.
                Some(_) | None => {}
            }
        }
        Ok(link)
    }
}

fn check_host_port(text: &str) -> Result<String, LinkError> {
    let ok = text
        .rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|p| p != 0));
    if ok && text.len() <= 260 {
        Ok(text.to_owned())
    } else {
        Err(LinkError(format!("via={text:?} in the link is not HOST:PORT")))
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

fn clip(mut name: String) -> String {
    while name.len() > NAME_MAX_BYTES {
        name.pop();
    }
    name
}

/// Every byte but the unreserved ones and those in `kept`.
fn percent_encode(text: &str, kept: &[u8]) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ if kept.contains(&byte) => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn percent_decode(text: &str) -> Result<String, LinkError> {
    let mut bytes = Vec::with_capacity(text.len().min(1_024));
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |b: &u8| char::from(*b).to_digit(16);
                let (Some(high), Some(low)) = (digit(high), digit(low)) else {
                    return Err(LinkError(format!("{text:?} in the link has a broken % sequence")));
                };
                bytes.push((high * 16 + low) as u8);
                rest = after;
            }
            (b'%', _) => return Err(LinkError(format!("{text:?} in the link has a broken % sequence"))),
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
    }
    String::from_utf8(bytes).map_err(|_| LinkError(format!("{text:?} in the link is not UTF-8")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id() -> ChannelId {
        ChannelId([9; 32])
    }

    #[test]
    fn a_link_survives_being_written_and_read() {
        let link = Link::new(
            id(),
            ["127.0.0.1:7144".parse().unwrap(), "[::1]:9".parse().unwrap()],
            "深夜 & co",
        );
        assert_eq!(link.to_string().parse::<Link>().unwrap(), link);
        let private = Link { private: true, ..link };
        assert_eq!(private.to_string().parse::<Link>().unwrap(), private);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_and_what_is_read_is_written_alike(
            tail in "([?&](via|name|private)=(\\PC{0,12}|[a-z]{1,5}:[0-9]{1,5}|%[0-9a-f]{2})){0,8}", raw in "\\PC{0,80}"
        ) {
            let _ = raw.parse::<Link>();
            let _ = format!("inonda:{raw}").parse::<Link>();
            if let Ok(link) = format!("inonda:{}{tail}", id()).parse::<Link>() {
                let again = link.to_string().parse::<Link>();
                prop_assert!(again.is_ok(), "{} {:?}", link, again);
                prop_assert_eq!(again.unwrap().private, link.private);
            }
        }
    }

    #[test]
    fn what_an_address_must_not_look_like_is_written_so_that_it_can_be_read() {
        for host in ["[fe80::1%3]:9", "a+b:1", "?via=+:1", "a%41:1"] {
            let link = Link {
                channel: id(),
                via: vec![host.to_owned()],
                name: None,
                private: false,
            };
            assert_eq!(link.to_string().parse::<Link>().unwrap(), link);
        }
        let plain = Link::new(id(), ["[::1]:9".parse().unwrap()], "");
        assert!(plain.to_string().ends_with("?via=[::1]:9"), "{plain}");
    }

    #[test]
    fn a_bare_id_is_a_link_without_addresses() {
        assert_eq!(
            id().to_string().parse::<Link>().unwrap(),
            Link {
                channel: id(),
                via: vec![],
                name: None,
                private: false,
            }
        );
    }

    #[test]
    fn what_later_versions_add_is_passed_over() {
        let text = format!("inonda:{}?x=1&via=a.example:1&flag", id());
        assert_eq!(text.parse::<Link>().unwrap().via, ["a.example:1"]);
    }

    #[test]
    fn a_link_cannot_write_to_a_terminal() {
        let link: Link = format!("inonda:{}?name=%1B%5B2Ja%0Ab%E2%80%AE", id()).parse().unwrap();
        assert_eq!(link.name.as_deref(), Some("[2Ja b"));
        assert!(format!("inonda:{}?via=a%1B%5B2J:1", id()).parse::<Link>().is_err());
    }

    #[test]
    fn broken_links_say_what_is_broken() {
        for (text, word) in [
            ("inonda:abc", "channel"),
            ("", "channel"),
            (&format!("inonda:{}?via=x", id()), "HOST:PORT"),
            (&format!("{}?name=%zz", id()), "%"),
        ] {
            assert!(text.parse::<Link>().unwrap_err().to_string().contains(word), "{text}");
        }
    }
}
