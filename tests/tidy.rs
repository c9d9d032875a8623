//! The wall between the layers, and the size of files and functions.

use std::fs;
use std::path::{Path, PathBuf};

const FILE_MAX_LINES: usize = 450;
const FUNCTION_MAX_LINES: usize = 80;

/// Which words a folder may not contain, and why. Checked in code, not in comments or tests.
const WALLS: &[(&str, &[&str], &str)] = &[
    (
        "src/mesh",
        &[
            "tokio",
            "quinn",
            "cpal",
            "ratatui",
            "crossterm",
            "clap",
            "Instant::now",
            "SystemTime",
            "crate::audio",
            "crate::engine",
            "crate::net",
            "std::thread",
        ],
        "the mesh is a pure core: time and randomness are arguments",
    ),
    (
        "src/sim",
        &[
            "tokio",
            "quinn",
            "cpal",
            "ratatui",
            "crossterm",
            "clap",
            "SystemTime",
            "crate::audio",
            "crate::engine",
            "crate::net",
        ],
        "the simulator needs nothing above the mesh",
    ),
    (
        "src/audio",
        &[
            "tokio",
            "quinn",
            "cpal",
            "ratatui",
            "crossterm",
            "clap",
            "Instant::now",
            "SystemTime",
            "crate::mesh",
            "crate::engine",
            "crate::net",
        ],
        "the sound path is a pure core and does not know the mesh",
    ),
    (
        "src/net",
        &["cpal", "ratatui", "crossterm", "clap", "crate::engine", "crate::audio"],
        "the network is driven by the engine",
    ),
    (
        "src/device",
        &[
            "tokio",
            "quinn",
            "ratatui",
            "crossterm",
            "clap",
            "crate::engine",
            "crate::mesh",
        ],
        "devices are driven by the engine",
    ),
    (
        "src/engine",
        &["cpal", "ratatui", "crossterm", "clap", "crate::tui", "crate::cli"],
        "the engine does not know people's programs",
    ),
    (
        "src/tui",
        &["quinn", "cpal", "crate::net", "crate::audio", "crate::device"],
        "screens know the engine only",
    ),
];

#[test]
fn layers_point_downwards_only() {
    let mut faults = Vec::new();
    for (folder, words, why) in WALLS {
        for file in rust_files(Path::new(folder)) {
            for (number, line) in code_lines(&fs::read_to_string(&file).unwrap()) {
                for word in *words {
                    if line.contains(word) {
                        faults.push(format!("{}:{number}: {word}: {why}", file.display()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_and_functions_stay_short() {
    let mut faults = Vec::new();
    for file in rust_files(Path::new("src")) {
        let text = fs::read_to_string(&file).unwrap();
        // Test files name one behaviour after the other and may be longer.
        let test = file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests");
        let code = text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        if code > FILE_MAX_LINES && !test {
            faults.push(format!(
                "{}: {code} lines before its tests, {FILE_MAX_LINES} at most",
                file.display()
            ));
        }
        faults.extend(
            long_functions(&text)
                .into_iter()
                .map(|(line, length)| format!("{}:{line}: a function of {length} lines", file.display())),
        );
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_wall_test_sees_a_breach() {
    let lines = code_lines("use tokio::x;\n// tokio in a comment\n#[cfg(test)]\nuse tokio::y;\n");
    assert_eq!(lines.iter().filter(|(_, line)| line.contains("tokio")).count(), 1);
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let single = folder.with_extension("rs");
    if single.exists() {
        files.push(single);
    }
    let Ok(entries) = fs::read_dir(folder) else {
        return files;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// Numbered lines of code: without comments, and without the tests at a file's end.
fn code_lines(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or("")))
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .collect()
}

/// Functions longer than a screen: from `fn` to the brace that closes at its indentation.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let is_function = [
            "fn ",
            "pub fn ",
            "pub(super) fn ",
            "pub(crate) fn ",
            "async fn ",
            "pub async fn ",
        ]
        .iter()
        .any(|head| trimmed.starts_with(head));
        if !is_function || trimmed.ends_with(';') || trimmed.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        if let Some(length) = lines[start..]
            .iter()
            .position(|line| *line == closing)
            .filter(|length| *length > FUNCTION_MAX_LINES)
        {
            found.push((start + 1, length));
        }
    }
    found
}
