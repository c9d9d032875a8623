//! Text as a shared screen may show it: without the addresses in it.

use std::net::{IpAddr, SocketAddr};

/// What stands in an address's place.
const MASK: &str = "(address)";
/// Signs that may stand around an address in a sentence.
const AROUND: &[char] = &[
    '(', ')', '<', '>', '{', '}', '"', '\'', '`', ',', ';', '.', '!', '?', '“', '”', '…',
];

/// Hides IP addresses, `host:port`, the host of a URL, and what an `inonda:` link says after its key. A bare name such as
/// `relay.example` stays: it cannot be told from the name of a file or a device.
pub fn mask_addresses(text: &str) -> String {
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

fn word(word: &str) -> String {
    if let Some(at) = word.find("inonda:") {
        let link = word[at..].find('?').map_or(word, |query| &word[..at + query]);
        return link.to_owned();
    }
    if let Some(at) = word.find("://") {
        return url(word, at + 3);
    }
    // Lists and settings: `via=192.0.2.7:7144,192.0.2.8:7144`.
    if let Some((name, list)) = word.split_once('=') {
        return format!("{name}={}", listed(list));
    }
    listed(word)
}

/// A URL without its host and its query, both of which may tell who somebody is.
fn url(word: &str, authority: usize) -> String {
    let rest = &word[authority..];
    let end = rest
        .find(|c: char| c == '/' || c == '?' || c == '#' || (AROUND.contains(&c) && c != '.'))
        .unwrap_or(rest.len());
    let path = &rest[end..];
    let path = path.find(['?', '#']).map_or(path, |query| &path[..query]);
    format!("{}{MASK}{path}", &word[..authority])
}

fn listed(text: &str) -> String {
    text.split(',').map(bare).collect::<Vec<_>>().join(",")
}

/// One address with what stands around it.
fn bare(text: &str) -> String {
    let opened = text.trim_start_matches(AROUND);
    let closed = opened.trim_end_matches(AROUND);
    // A colon may end the address `fe80::`, or introduce what comes after it.
    let ended = opened.trim_end_matches(|c| c == ':' || AROUND.contains(&c));
    let Some(core) = [closed, ended].into_iter().find(|core| is_address(core)) else {
        return text.to_owned();
    };
    let start = text.len() - opened.len();
    format!("{}{MASK}{}", &text[..start], &text[start + core.len()..])
}

fn is_address(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let text = inside.unwrap_or(text);
    // An address with a zone is none to the standard library.
    let text = match text.split_once('%') {
        Some((before, zone)) => &format!("{before}{}", zone.trim_start_matches(|c: char| c.is_alphanumeric())),
        None => text,
    };
    let ip = text
        .parse::<SocketAddr>()
        .map(|addr| addr.ip())
        .or_else(|_| text.parse());
    match ip {
        // Advice such as `--bind 0.0.0.0:0` gives nobody away.
        Ok(IpAddr::V4(ip)) => !ip.is_unspecified(),
        Ok(IpAddr::V6(ip)) => !ip.is_unspecified(),
        Err(_) => text == "localhost" || is_host_and_port(text),
    }
}

fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-' || c == '_';
    let is_host = host.chars().all(is_name) && host.chars().any(|c| c.is_ascii_alphabetic());
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::mask_addresses;

    #[test]
    fn addresses_are_hidden_wherever_they_stand() {
        for (said, shown) in [
            (
                "cannot reach 192.0.2.7:7144, or [::1]:9.",
                "cannot reach (address), or (address).",
            ),
            ("try 10.0.0.1 (or fe80::1%eth0)", "try (address) (or (address))"),
            (
                "inonda:abcd?via=192.0.2.7:7144&via=relay.example:7 is over",
                "inonda:abcd is over",
            ),
            ("via=192.0.2.7:7144,[2001:db8::1]:7", "via=(address),(address)"),
            (
                "error for url (http://127.0.0.1:8000/live?key=7): refused",
                "error for url (http://(address)/live refused",
            ),
            ("https://me:word@radio.example", "https://(address)"),
            (
                "the directory yp.example:7145 does not answer",
                "the directory (address) does not answer",
            ),
            (
                "\"yp.example:7145\": refused by localhost",
                "\"(address)\": refused by (address)",
            ),
        ] {
            assert_eq!(mask_addresses(said), shown);
        }
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in [
            "keys.toml, line 3: F3 has no action",
            "ready as 01010101, on 2 addresses",
            "title: 21:04 – Bill Evans: Waltz, 9:59",
            "the output alsa_output.pci-0000_00_1f.3.analog-stereo went away",
            "recorded 3.9 MB to ~/Music/inonda/2026-11-22",
            "use --bind 0.0.0.0:PORT or [::]:PORT",
            "0.0.0.0:7144",
            "… : = , ://",
        ] {
            let shown = mask_addresses(text);
            assert_eq!(shown.replace("://(address)", "://"), text);
        }
    }
}
