//! Which keys a command uses: the node's own, and the host's for each channel name.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use ed25519_dalek::SigningKey;

use crate::cli::args::Everywhere;
use crate::cli::{Failure, folders};
use crate::net::Identity;
use crate::store::keys;

/// A node's identity and the lock that keeps a second inonda of the same person from using it at the same time.
pub struct Held {
    pub identity: Identity,
    _lock: Option<File>,
}

/// This person's node key; a fresh one for this run while another inonda of theirs uses it.
///
/// # Errors
/// When the folder or the key file is of no use; the message says why.
pub fn node(everywhere: &Everywhere) -> Result<Held, Failure> {
    named(everywhere, "node")
}

/// The same under another name: a directory is not the node that listens beside it.
///
/// # Errors
/// As [`node`].
pub fn named(everywhere: &Everywhere, name: &str) -> Result<Held, Failure> {
    let folder = folders::state(everywhere)?;
    let key = keys::load_or_create(&folder, name).map_err(key_failure)?;
    match lock(&folder.join(format!("{name}.lock"))) {
        Ok(lock) => Ok(Held {
            identity: Identity::new(key),
            _lock: Some(lock),
        }),
        Err(_) => {
            tracing::info!("another inonda uses this node's key; this run uses a fresh one");
            Ok(Held {
                identity: fresh()?,
                _lock: None,
            })
        }
    }
}

/// A key for this run only.
///
/// # Errors
/// When the system has no randomness to give.
pub fn fresh() -> Result<Identity, Failure> {
    Identity::generate()
        .map_err(|error| Failure::new(format!("the system gives no randomness: {error}"), "check /dev/urandom"))
}

/// The key of a channel, and what keeps a second inonda of this machine from going on air with it.
pub struct Owned {
    pub key: SigningKey,
    /// Held for as long as the show is on air.
    pub lock: Arc<File>,
}

/// The key of the channel that this person hosts under a name. The name's slug names the file, so that the same show keeps
/// its link.
///
/// # Errors
/// As [`node`]; and when the channel is on air from this machine already.
pub fn channel(everywhere: &Everywhere, name: &str) -> Result<Owned, Failure> {
    let folder = folders::state(everywhere)?.join("channels");
    let slug = slug(name);
    let key = keys::load_or_create(&folder, &slug).map_err(key_failure)?;
    let file = folder.join(format!("{slug}.lock"));
    match lock(&file) {
        Ok(lock) => Ok(Owned {
            key,
            lock: Arc::new(lock),
        }),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Err(Failure::new(
            format!("{name} is on air from this machine already"),
            "end that show first, or host under another name",
        )),
        Err(error) => Err(Failure::new(
            format!("{} cannot be used: {error}", file.display()),
            "name another folder with --state DIR, or mend this one",
        )),
    }
}

fn key_failure(error: keys::KeyFileError) -> Failure {
    Failure::new(
        error.to_string(),
        "name another folder with --state DIR, or mend this one",
    )
}

fn lock(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.try_lock().map_err(std::io::Error::from)?;
    Ok(file)
}

/// A name in lower-case ASCII with dashes. Names that leave nothing, or that could meet another's slug, carry a digest.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'A'..='Z' => slug.push(c.to_ascii_lowercase()),
            _ if !slug.is_empty() && !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    let slug = slug.trim_matches('-').chars().take(40).collect::<String>();
    // Capitals and spaces make no other name of it; whatever else the slug leaves out would.
    if !slug.is_empty() && slug == name.to_ascii_lowercase().replace(' ', "-") {
        return slug;
    }
    let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{}{}{digest:016x}", slug, if slug.is_empty() { "" } else { "-" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain_and_tell_names_apart() {
        assert_eq!(slug("Midnight Jazz FM"), "midnight-jazz-fm");
        assert_ne!(slug("深夜ラジオ"), slug("雨のブルース"));
        assert_ne!(slug("Jazz!"), slug("Jazz"));
        assert_eq!(slug("Jazz"), "jazz");
        assert!(slug("../../etc/passwd").starts_with("etc-passwd-"));
        assert!(!slug("").is_empty());
        assert!(slug(&"x".repeat(500)).len() <= 60);
        assert_ne!(slug(&"x".repeat(500)), slug(&"x".repeat(501)));
    }
}
