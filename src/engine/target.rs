//! What people call a channel: a link, an ID, a station's address, or a name.

use std::str::FromStr;

use crate::discovery::invite::LinkError;
use crate::engine::Link;

/// What to join.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Channel(Link),
    /// An internet radio station, by its address.
    Station(String),
    /// A favourite's name, or the beginning of a listed one.
    Name(String),
}

impl From<Link> for Target {
    fn from(link: Link) -> Target {
        Target::Channel(link)
    }
}

impl FromStr for Target {
    type Err = LinkError;

    /// Whatever is neither a link nor an ID is a name; a link that is broken stays an error.
    fn from_str(text: &str) -> Result<Target, LinkError> {
        let text = text.trim();
        match text.parse::<Link>() {
            Ok(link) => Ok(Target::Channel(link)),
            Err(_) if text.starts_with("http://") || text.starts_with("https://") => {
                Ok(Target::Station(text.to_owned()))
            }
            Err(error) if text.is_empty() || text.starts_with("inonda:") => Err(error),
            Err(_) => Ok(Target::Name(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ChannelId;

    #[test]
    fn links_ids_and_names_are_told_apart() {
        let id = ChannelId([3; 32]).to_string();
        assert!(matches!(id.parse(), Ok(Target::Channel(_))));
        assert!(matches!(format!("inonda:{id}").parse(), Ok(Target::Channel(_))));
        assert_eq!("Midnight Jazz".parse(), Ok(Target::Name("Midnight Jazz".into())));
        assert_eq!("http://a/b".parse(), Ok(Target::Station("http://a/b".into())));
        assert!("inonda:abc".parse::<Target>().is_err());
        assert!("".parse::<Target>().is_err());
    }
}
