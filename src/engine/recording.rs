//! Keeping what came, as it came, in Ogg files: one for all of it, or one a title.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::audio::sink::{About, OggWriter, SinkError};
use crate::engine::command::{Recording, Show};
use crate::engine::report::Report;
use crate::engine::snapshot::RecordingView;
use crate::engine::trouble::Trouble;
use crate::units::{ChannelId, Codec};

/// Packets repeated from before a cut: 200 ms, after which an Opus decoder that starts anew is in step with one that did not.
const PREROLL_PACKETS: usize = 10;
/// Files of one name that are looked past; who has more chooses another name.
const NAMES_MAX: u32 = 10_000;

/// Where the packets go.
enum Place {
    /// One file that may replace another: named on the command line.
    Replaced(PathBuf),
    /// One file, never one that exists.
    Whole(PathBuf),
    /// A folder that gets a file a title.
    Split(PathBuf),
}

/// Files that packets are written to. After its first failure it writes no more and waits to be finished.
pub struct Recorder {
    place: Place,
    codec: Codec,
    station: String,
    date: String,
    title: String,
    writer: Option<OggWriter>,
    /// The file being written, or the last one.
    path: PathBuf,
    /// The newest packets of this session, for the beginning of the next piece.
    recent: VecDeque<Option<Bytes>>,
    pieces: u32,
    closed_bytes: u64,
    trouble: Option<Trouble>,
}

impl Recorder {
    /// Creates the file, replacing what was there.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path, codec: Codec) -> Result<Recorder, Trouble> {
        Recorder::open(Place::Replaced(path.to_owned()), codec, "", "")
    }

    /// Begins what a person asked for; nothing that exists is written over.
    ///
    /// # Errors
    /// When the file or the folder cannot be created.
    pub fn begin(wanted: &Recording, codec: Codec, station: &str) -> Result<Recorder, Trouble> {
        let place = match wanted.split {
            true => Place::Split(wanted.place.clone()),
            false => Place::Whole(wanted.place.clone()),
        };
        Recorder::open(place, codec, station, &wanted.date)
    }

    fn open(place: Place, codec: Codec, station: &str, date: &str) -> Result<Recorder, Trouble> {
        let mut recorder = Recorder {
            place,
            codec,
            station: station.to_owned(),
            date: date.to_owned(),
            title: String::new(),
            writer: None,
            path: PathBuf::new(),
            recent: VecDeque::new(),
            pieces: 0,
            closed_bytes: 0,
            trouble: None,
        };
        match &recorder.place {
            // A piece is named for its title, which its first packet may bring.
            Place::Split(folder) => make_folder(folder).map_err(|error| file_trouble(&error))?,
            Place::Replaced(_) | Place::Whole(_) => recorder.next_file().map_err(|error| file_trouble(&error))?,
        }
        Ok(recorder)
    }

    /// The recorder that a show asks for; a file that cannot be made is told, and the show goes on without.
    pub fn for_show(show: &Show, reports: &mpsc::Sender<Report>) -> Option<Recorder> {
        match Recorder::create(show.record.as_deref()?, show.codec) {
            Ok(recorder) => Some(recorder),
            Err(trouble) => {
                let _ = reports.blocking_send(trouble.into_notice());
                None
            }
        }
    }

    /// One packet of 20 ms in the order of the show; `None` where one never came.
    pub fn packet(&mut self, packet: Option<&Bytes>) {
        if self.trouble.is_some() {
            return;
        }
        let written = self.ready_writer().and_then(|writer| writer.packet(packet));
        self.judge(written);
        if self.recent.len() == PREROLL_PACKETS {
            self.recent.pop_front();
        }
        self.recent.push_back(packet.cloned());
    }

    /// The title from the next packet on.
    pub fn title(&mut self, title: &str) {
        if title == self.title {
            return;
        }
        title.clone_into(&mut self.title);
        match (&self.place, &mut self.writer) {
            (Place::Split(_), Some(_)) => self.cut(),
            // The file is tagged with the first title that it holds.
            (_, Some(writer)) => writer.title(title),
            (_, None) => {}
        }
    }

    /// Another session: its packets may be of another codec, which no file that has begun can take.
    pub fn session(&mut self, codec: Codec) {
        self.recent.clear();
        if codec != self.codec {
            self.cut();
            self.codec = codec;
        }
    }

    /// What is kept so far.
    pub fn view(&self) -> RecordingView {
        let place = match &self.place {
            Place::Split(folder) => folder,
            Place::Replaced(_) | Place::Whole(_) => &self.path,
        };
        RecordingView {
            place: place.display().to_string(),
            bytes: self.closed_bytes + self.writer.as_ref().map_or(0, OggWriter::bytes),
            pieces: self.pieces,
        }
    }

    /// Whether writing has failed.
    pub fn failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// Closes the file; says what went wrong, if anything did.
    pub fn finish(mut self) -> Option<Trouble> {
        self.cut();
        self.trouble
    }

    /// Closes the files and tells how it went: what is kept and where, or what went wrong.
    pub fn close(mut self, channel: ChannelId, reports: &mpsc::Sender<Report>) {
        self.cut();
        let view = self.view();
        if let Some(trouble) = self.trouble {
            let _ = reports.blocking_send(trouble.into_notice());
        }
        let _ = reports.blocking_send(Report::Recorded { channel, view });
    }

    /// Ends the file that is being written.
    fn cut(&mut self) {
        if let Some(writer) = self.writer.take() {
            self.closed_bytes += writer.bytes();
            let finished = writer.finish();
            self.judge(finished);
        }
    }

    fn judge(&mut self, result: Result<(), SinkError>) {
        if let Err(error) = result {
            self.trouble.get_or_insert_with(|| file_trouble(&error));
            self.writer = None;
        }
    }

    /// The writer of the piece that the next packet belongs to.
    fn ready_writer(&mut self) -> Result<&mut OggWriter, SinkError> {
        if self.writer.is_none() {
            self.next_file()?;
        }
        let path = &self.path;
        self.writer.as_mut().ok_or_else(|| SinkError::Write {
            path: path.clone(),
            reason: "it was closed".to_owned(),
        })
    }

    fn next_file(&mut self) -> Result<(), SinkError> {
        let split = matches!(self.place, Place::Split(_));
        let (path, number, mut writer) = match &self.place {
            Place::Replaced(path) if self.pieces == 0 => (path.clone(), 1, OggWriter::create(path, self.codec)?),
            Place::Replaced(path) | Place::Whole(path) => {
                first_free(|number| numbered(path, number, extension(self.codec)), 1, self.codec)?
            }
            Place::Split(folder) => {
                let name = if self.title.is_empty() {
                    &self.station
                } else {
                    &self.title
                };
                let name = Recording::stem(name);
                let extension = extension(self.codec);
                let path = |number| folder.join(format!("{number:03} {name}.{extension}"));
                first_free(path, pieces_in(folder) + 1, self.codec)?
            }
        };
        writer.title(&self.title);
        writer.about(About {
            station: self.station.clone(),
            date: self.date.clone(),
            number: split.then_some(number),
        });
        writer.follow(self.recent.iter().cloned())?;
        self.path = path;
        self.pieces += 1;
        self.writer = Some(writer);
        Ok(())
    }
}

/// Takes a recorder that has failed away, and tells why.
pub fn settle(recorder: &mut Option<Recorder>, channel: ChannelId, reports: &mpsc::Sender<Report>) {
    if let Some(failed) = recorder.take_if(|recorder| recorder.failed()) {
        failed.close(channel, reports);
    }
}

/// Trouble with a file that sound is written to.
pub fn file_trouble(error: &SinkError) -> Trouble {
    Trouble::new(error.to_string(), "what was written so far is kept")
}

const fn extension(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "opus",
        // FLAC within Ogg: `.flac` would promise the other container.
        Codec::Flac => "oga",
    }
}

fn make_folder(folder: &Path) -> Result<(), SinkError> {
    fs::create_dir_all(folder).map_err(|error| SinkError::Create {
        path: folder.to_owned(),
        reason: error.to_string(),
    })
}

/// The path itself for the first, `name 2.opus` and so on after it; what has no extension gets one.
fn numbered(path: &Path, number: u32, extension: &str) -> PathBuf {
    let given = path.extension().and_then(|given| given.to_str());
    let given = given.filter(|given| ["opus", "oga", "ogg", "flac"].contains(given));
    let stem = if given.is_some() {
        path.file_stem()
    } else {
        path.file_name()
    };
    let (stem, extension) = (stem.unwrap_or_default().to_string_lossy(), given.unwrap_or(extension));
    path.with_file_name(match number {
        1 => format!("{stem}.{extension}"),
        _ => format!("{stem} {number}.{extension}"),
    })
}

/// Creates the first file that does not exist yet, counting from `from`.
fn first_free(path: impl Fn(u32) -> PathBuf, from: u32, codec: Codec) -> Result<(PathBuf, u32, OggWriter), SinkError> {
    if let Some(folder) = path(from).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    let mut number = from;
    loop {
        let path = path(number);
        match OggWriter::create_new(&path, codec) {
            Ok(writer) => return Ok((path, number, writer)),
            Err(SinkError::Exists { .. }) if number - from < NAMES_MAX => number += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The highest number that a file of the folder begins with.
fn pieces_in(folder: &Path) -> u32 {
    let number = |entry: fs::DirEntry| -> Option<u32> {
        let name = entry.file_name();
        let (number, _) = name.to_str()?.split_once(' ')?;
        number.parse().ok().filter(|number| *number < NAMES_MAX)
    };
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| number(entry.ok()?)).max().unwrap_or(0)
}

#[cfg(test)]
mod tests;
