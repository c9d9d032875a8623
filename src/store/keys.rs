//! Secret keys in files that only their owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::{BASE32_NOPAD, HEXLOWER};
use ed25519_dalek::{SigningKey, VerifyingKey};

/// First line of a key file; a later format gets another one.
const HEADER: &str = "inonda secret key 1";
/// What a key file may hold; anything longer is something else.
const FILE_MAX_BYTES: u64 = 256;

/// Own channels listed.
const OWN_MAX: usize = 64;

/// A key could not be loaded or kept. Nothing was overwritten.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the folder {folder} for keys cannot be made or used ({source}): choose another with --state DIR")]
    Folder { folder: PathBuf, source: io::Error },
    #[error(
        "the key file {file} cannot be read ({source}): make it readable for you, or choose another folder with --state DIR"
    )]
    Read { file: PathBuf, source: io::Error },
    #[error(
        "the key file {0} is broken and was left as it is: restore it from a copy, or move it away to get a new key"
    )]
    Broken(PathBuf),
    #[error(
        "the key file {file} cannot be written ({source}): free some space or choose another folder with --state DIR"
    )]
    Write { file: PathBuf, source: io::Error },
    #[error("the key file {file} is readable by others and cannot be closed to them ({source}): run chmod 600 on it")]
    Permissions { file: PathBuf, source: io::Error },
    #[error("the operating system gave no randomness for a new key: {0}")]
    Randomness(getrandom::Error),
    #[error("{0:?} is no name for a key: use letters, digits, dots, dashes and underscores")]
    Name(String),
}

/// Loads the key `name` from the folder `dir`, or makes one and keeps it there.
///
/// The folder is made with mode 0700 and the file with 0600; wider permissions of a file that is there are narrowed, with a
/// warning. A folder that is there belongs to its owner, who may share it: others could exchange the keys in one that they
/// may write to, which is told. A file is written beside its place, synced and put there without replacing anything, so that
/// of two processes that start at once both end up with one key.
///
/// # Errors
/// When the folder or file cannot be used, or the file is no key; such a file is never overwritten.
pub fn load_or_create(dir: &Path, name: &str) -> Result<SigningKey, KeyFileError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || !name.chars().all(plain) {
        return Err(KeyFileError::Name(name.to_owned()));
    }
    let file = dir.join(format!("{name}.key"));
    prepare_folder(dir)?;
    if let Some(key) = load(&file)? {
        return Ok(key);
    }
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(KeyFileError::Randomness)?;
    match write_new(dir, &file, &SigningKey::from_bytes(&secret)) {
        Ok(()) => {}
        // Another process was faster: its key is the key.
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(KeyFileError::Write { file, source }),
    }
    load(&file)?.ok_or_else(|| KeyFileError::Read {
        file,
        source: io::ErrorKind::NotFound.into(),
    })
}

/// Names and public halves of the keys in a folder, sorted by name, at most 64 of them; those of stations that are
/// listened to are left out, and so is whatever cannot be read.
pub fn own(dir: &Path) -> Vec<(String, VerifyingKey)> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Vec::new();
    };
    let name = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        let name = name.strip_suffix(".key")?;
        (!name.starts_with("station-")).then(|| name.to_owned())
    };
    let mut names: Vec<String> = entries.filter_map(name).take(OWN_MAX).collect();
    names.sort();
    let key = |name: String| {
        let key = load(&dir.join(format!("{name}.key"))).ok()??;
        Some((name, key.verifying_key()))
    };
    names.into_iter().filter_map(key).collect()
}

fn prepare_folder(dir: &Path) -> Result<(), KeyFileError> {
    let error = |source| KeyFileError::Folder {
        folder: dir.to_owned(),
        source,
    };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(error)?;
    warn_if_shared(dir).map_err(error)
}

#[cfg(unix)]
fn warn_if_shared(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    const STICKY: u32 = 0o1000;
    let mode = fs::metadata(dir)?.permissions().mode();
    if mode & 0o022 != 0 && mode & STICKY == 0 {
        tracing::warn!(path = %dir.display(), "others may exchange the secret keys in this folder; chmod go-w it");
    }
    Ok(())
}

#[cfg(not(unix))]
fn warn_if_shared(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Takes group's and others' permissions away where there are any.
#[cfg(unix)]
fn narrow(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let now = fs::metadata(path)?.permissions().mode() & 0o777;
    if now & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    tracing::warn!(path = %path.display(), "others could read this place of secret keys; it is now yours only");
    Ok(())
}

#[cfg(not(unix))]
fn narrow(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}

fn load(file: &Path) -> Result<Option<SigningKey>, KeyFileError> {
    let read_error = |source| KeyFileError::Read {
        file: file.to_owned(),
        source,
    };
    let opened = match File::open(file) {
        Ok(opened) => opened,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(read_error(e)),
    };
    narrow(file, 0o600).map_err(|source| KeyFileError::Permissions {
        file: file.to_owned(),
        source,
    })?;
    let mut bytes = Vec::new();
    opened
        .take(FILE_MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(read_error)?;
    match decode(&bytes) {
        Some(key) => Ok(Some(key)),
        None => Err(KeyFileError::Broken(file.to_owned())),
    }
}

fn write_new(dir: &Path, file: &Path, key: &SigningKey) -> io::Result<()> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique)?;
    let beside = dir.join(format!(".{}.new", HEXLOWER.encode(&unique)));
    let result = write_synced(&beside, encode(key).as_bytes()).and_then(|()| {
        // A hard link, unlike a rename, fails when the name is taken.
        fs::hard_link(&beside, file)?;
        sync_folder(dir)
    });
    let _ = fs::remove_file(&beside);
    result
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn encode(key: &SigningKey) -> String {
    let text = |bytes: &[u8; 32]| BASE32_NOPAD.encode(bytes).to_ascii_lowercase();
    let public = key.verifying_key().to_bytes();
    format!("{HEADER}\n{}\npublic {}\n", text(&key.to_bytes()), text(&public))
}

/// `None` unless the public line belongs to the secret one, so that a flipped bit is noticed.
fn decode(bytes: &[u8]) -> Option<SigningKey> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != HEADER {
        return None;
    }
    let read = |line: &str| -> Option<[u8; 32]> {
        BASE32_NOPAD
            .decode(line.to_ascii_uppercase().as_bytes())
            .ok()?
            .try_into()
            .ok()
    };
    let key = SigningKey::from_bytes(&read(lines.next()?)?);
    let public = read(lines.next()?.strip_prefix("public ")?)?;
    (key.verifying_key().to_bytes() == public).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_when_loaded_again() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("a/b");
        let first = load_or_create(&state, "node").unwrap();
        assert_eq!(load_or_create(&state, "node").unwrap(), first);
        assert_ne!(load_or_create(&state, "other").unwrap(), first);
    }

    #[test]
    fn a_broken_file_is_named_and_never_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        load_or_create(dir.path(), "node").unwrap();
        let file = dir.path().join("node.key");
        let good = fs::read(&file).unwrap();
        let mut flipped = good.clone();
        flipped[HEADER.len() + 3] ^= 1;
        for bad in [
            vec![],
            b"hello".to_vec(),
            good[..good.len() / 2].to_vec(),
            vec![b'x'; 10_000],
            flipped,
        ] {
            fs::write(&file, &bad).unwrap();
            let error = load_or_create(dir.path(), "node").unwrap_err();
            assert!(matches!(error, KeyFileError::Broken(_)), "{error}");
            assert!(error.to_string().contains("node.key"));
            assert_eq!(fs::read(&file).unwrap(), bad);
        }
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_narrow_and_wider_ones_are_mended() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        let file = state.join("node.key");
        let key = load_or_create(&state, "node").unwrap();
        assert_eq!((mode(&state), mode(&file)), (0o700, 0o600));
        fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(load_or_create(&state, "node").unwrap(), key);
        // The folder was there, and may be one that others use, too.
        assert_eq!((mode(&state), mode(&file)), (0o755, 0o600));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let error = load_or_create(&file.join("state"), "node").unwrap_err().to_string();
        assert!(error.contains("state") && error.contains("--state"), "{error}");
    }

    #[test]
    fn names_that_would_leave_the_folder_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "..", "../x", "a/b", ".hidden", "ü"] {
            assert!(
                matches!(load_or_create(dir.path(), name), Err(KeyFileError::Name(_))),
                "{name}"
            );
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn many_who_start_at_once_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys: Vec<SigningKey> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| load_or_create(dir.path(), "node").unwrap()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }
}
