//! What a path means as a programme: a file, a folder with everything in it, or a playlist.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

/// Files in one programme; a larger collection should be a playlist of its own.
pub const FILES_MAX: usize = 20_000;
/// Folders within folders.
const DEPTH_MAX: usize = 12;
/// Playlists within playlists.
const NESTED_MAX: usize = 4;
/// A playlist file.
const PLAYLIST_MAX_BYTES: u64 = 4 << 20;
/// Endings that make a file in a folder part of the programme. A file that is named itself is tried whatever its ending.
const SOUND: [&str; 16] = [
    "mp3", "m4a", "m4b", "mp4", "aac", "flac", "ogg", "oga", "opus", "wav", "wave", "aif", "aiff", "aifc", "alac",
    "mpga",
];

/// Why a path is no programme.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaylistError {
    #[error("{} does not exist; check the path", .0.display())]
    Missing(PathBuf),
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("{} holds no sound files; mp3, m4a, flac, ogg, opus, wav and aiff are looked for", .0.display())]
    Empty(PathBuf),
    #[error("{} is not a playlist that can be read: {reason}", path.display())]
    Playlist { path: PathBuf, reason: &'static str },
}

/// Finds the files that a path stands for, in the order in which they are played; at most [`FILES_MAX`].
///
/// # Errors
/// When there is nothing to play. A playlist's entry that is missing is kept: it is skipped with a message when its turn comes.
pub fn expand(path: &Path) -> Result<Vec<PathBuf>, PlaylistError> {
    let mut files = Vec::new();
    gather(path, 0, &mut files)?;
    if files.is_empty() {
        return Err(PlaylistError::Empty(path.to_owned()));
    }
    Ok(files)
}

fn gather(path: &Path, nested: usize, files: &mut Vec<PathBuf>) -> Result<(), PlaylistError> {
    let about = fs::metadata(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => PlaylistError::Missing(path.to_owned()),
        _ => PlaylistError::Unreadable {
            path: path.to_owned(),
            reason: e.to_string(),
        },
    })?;
    if about.is_dir() {
        return walk(path, 0, files);
    }
    match extension(path).as_str() {
        "m3u" | "m3u8" | "pls" | "xspf" => read_list(path, about.len(), nested, files),
        _ => {
            files.push(path.to_owned());
            Ok(())
        }
    }
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), PlaylistError> {
    let unreadable = |e: std::io::Error| PlaylistError::Unreadable {
        path: folder.to_owned(),
        reason: e.to_string(),
    };
    let mut entries: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)?.flatten().take(FILES_MAX) {
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden {
            entries.push(entry.path());
        }
    }
    entries.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    for entry in entries {
        if files.len() >= FILES_MAX {
            return Ok(());
        }
        // A link to a folder is not followed: it may lead back here.
        let is_folder = fs::symlink_metadata(&entry).is_ok_and(|about| about.is_dir());
        if is_folder && depth < DEPTH_MAX {
            // A folder that may not be read is left out of a larger whole.
            let _ = walk(&entry, depth + 1, files);
        } else if SOUND.contains(&extension(&entry).as_str()) && entry.is_file() {
            files.push(entry);
        }
    }
    Ok(())
}

fn read_list(path: &Path, len: u64, nested: usize, files: &mut Vec<PathBuf>) -> Result<(), PlaylistError> {
    let broken = |reason| PlaylistError::Playlist {
        path: path.to_owned(),
        reason,
    };
    if nested >= NESTED_MAX {
        return Err(broken("it is inside too many other playlists, perhaps itself"));
    }
    if len > PLAYLIST_MAX_BYTES {
        return Err(broken("it is larger than 4 MB"));
    }
    let bytes = fs::read(path).map_err(|e| PlaylistError::Unreadable {
        path: path.to_owned(),
        reason: e.to_string(),
    })?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // Old playlists are Latin-1, in which each byte is the character of that number.
        Err(error) => error.into_bytes().into_iter().map(char::from).collect(),
    };
    let text = text.trim_start_matches('\u{feff}');
    let entries: Vec<String> = match extension(path).as_str() {
        "pls" => pls(text),
        "xspf" => xspf(text),
        _ => text
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::to_owned)
            .collect(),
    };
    let folder = path.parent().unwrap_or(Path::new(""));
    for entry in entries {
        if files.len() >= FILES_MAX {
            return Ok(());
        }
        let Some(target) = local(&entry) else {
            continue;
        };
        let target = folder.join(target);
        match extension(&target).as_str() {
            "m3u" | "m3u8" | "pls" | "xspf" => gather(&target, nested + 1, files)?,
            _ if target.is_dir() => walk(&target, 0, files)?,
            _ => files.push(target),
        }
    }
    Ok(())
}

/// `File1=path`, in the order of the numbers.
fn pls(text: &str) -> Vec<String> {
    let mut entries: Vec<(u32, String)> = text
        .lines()
        .filter_map(|line| {
            let (key, value) = line.trim().split_once('=')?;
            let number = key.trim().to_ascii_lowercase().strip_prefix("file")?.parse().ok()?;
            Some((number, value.trim().to_owned()))
        })
        .collect();
    entries.sort_by_key(|(number, _)| *number);
    entries.into_iter().map(|(_, path)| path).collect()
}

/// What stands between `<location>` and `</location>`.
fn xspf(text: &str) -> Vec<String> {
    let after = text
        .split("<location>")
        .skip(1)
        .filter_map(|part| part.split("</location>").next());
    after
        .map(|location| {
            let text = location
                .trim()
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&quot;", "\"");
            percent_decode(&text.replace("&apos;", "'").replace("&amp;", "&"))
        })
        .collect()
}

/// The path an entry means; `None` for what is on another machine.
fn local(entry: &str) -> Option<PathBuf> {
    if let Some(rest) = entry.strip_prefix("file://") {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        return Some(PathBuf::from(percent_decode(path)));
    }
    if entry.contains("://") {
        return None;
    }
    // Playlists from Windows name folders with backslashes.
    Some(PathBuf::from(if cfg!(unix) && !entry.contains('/') {
        entry.replace('\\', "/")
    } else {
        entry.to_owned()
    }))
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        let digit = |b: Option<u8>| b.and_then(|b| char::from(b).to_digit(16));
        match (byte, digit(ahead.next()), digit(ahead.next())) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                bytes = ahead;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

fn extension(path: &Path) -> String {
    path.extension()
        .and_then(|e| e.to_str())
        .unwrap_or_default()
        .to_ascii_lowercase()
}

/// Order as people expect it: numbers by value, letters without regard to case.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a_rest, mut b_rest) = (a, b);
    loop {
        match (a_rest.chars().next(), b_rest.chars().next()) {
            (None, None) => return a.cmp(b),
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(x), Some(y)) if x.is_ascii_digit() && y.is_ascii_digit() => {
                let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
                let (x, y) = (&a_rest[..digits(a_rest)], &b_rest[..digits(b_rest)]);
                (a_rest, b_rest) = (&a_rest[x.len()..], &b_rest[y.len()..]);
                let (x, y) = (x.trim_start_matches('0'), y.trim_start_matches('0'));
                let order = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
                if order != Ordering::Equal {
                    return order;
                }
            }
            (Some(x), Some(y)) => {
                let order = x.to_lowercase().cmp(y.to_lowercase());
                if order != Ordering::Equal {
                    return order;
                }
                (a_rest, b_rest) = (&a_rest[x.len_utf8()..], &b_rest[y.len_utf8()..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(files: &[PathBuf], base: &Path) -> Vec<String> {
        files
            .iter()
            .map(|file| file.strip_prefix(base).unwrap().to_string_lossy().into_owned())
            .collect()
    }

    fn touch(folder: &Path, names: &[&str]) {
        for name in names {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, b"x").unwrap();
        }
    }

    #[test]
    fn a_folder_is_played_in_the_order_people_expect() {
        let folder = tempfile::tempdir().unwrap();
        touch(
            folder.path(),
            &["10 j.mp3", "2 b.MP3", "1 a.flac", "cover.jpg", "b/3.ogg", ".hidden.mp3"],
        );
        let files = expand(folder.path()).unwrap();
        assert_eq!(
            names(&files, folder.path()),
            ["1 a.flac", "2 b.MP3", "10 j.mp3", "b/3.ogg"]
        );
    }

    #[test]
    fn playlists_of_all_kinds_name_the_same_files() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        touch(base, &["a b.mp3", "sub/c.ogg"]);
        fs::write(
            base.join("1.m3u"),
            "\u{feff}#EXTM3U\r\n#EXTINF:1,x\r\na b.mp3\r\nhttp://x/y.mp3\r\nsub/c.ogg\r\n",
        )
        .unwrap();
        fs::write(
            base.join("2.pls"),
            "[playlist]\nFile2=sub/c.ogg\nFile1=a b.mp3\nTitle1=x\n",
        )
        .unwrap();
        fs::write(
            base.join("3.xspf"),
            "<track><location>a%20b.mp3</location></track><track><location>sub/c.ogg</location></track>",
        )
        .unwrap();
        fs::write(base.join("4.m3u8"), "1.m3u\n").unwrap();
        for list in ["1.m3u", "2.pls", "3.xspf", "4.m3u8"] {
            assert_eq!(
                names(&expand(&base.join(list)).unwrap(), base),
                ["a b.mp3", "sub/c.ogg"],
                "{list}"
            );
        }
    }

    #[test]
    fn what_cannot_be_a_programme_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path();
        fs::write(base.join("loop.m3u"), "loop.m3u\n").unwrap();
        fs::create_dir(base.join("empty")).unwrap();
        for (path, word) in [
            ("gone.mp3", "does not exist"),
            ("empty", "no sound files"),
            ("loop.m3u", "itself"),
        ] {
            let error = expand(&base.join(path)).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
