//! Keeping what came, as it came, in an Ogg file.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::audio::sink::{OggWriter, SinkError};
use crate::engine::command::Show;
use crate::engine::event::Level;
use crate::engine::report::Report;
use crate::engine::trouble::Trouble;
use crate::units::Codec;

/// A file that packets are written to. After its first failure it writes no more and waits to be finished.
pub struct Recorder {
    path: PathBuf,
    writer: Option<OggWriter>,
    trouble: Option<Trouble>,
}

impl Recorder {
    /// Creates the file, replacing what was there.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn create(path: &Path, codec: Codec) -> Result<Recorder, Trouble> {
        let writer = OggWriter::create(path, codec).map_err(|error| file_trouble(&error))?;
        Ok(Recorder {
            path: path.to_owned(),
            writer: Some(writer),
            trouble: None,
        })
    }

    /// The recorder that a show asks for; a file that cannot be made is told, and the show goes on without.
    pub fn for_show(show: &Show, reports: &mpsc::Sender<Report>) -> Option<Recorder> {
        match Recorder::create(show.record.as_deref()?, show.codec) {
            Ok(recorder) => Some(recorder),
            Err(Trouble { message, hint, .. }) => {
                let _ = reports.blocking_send(Report::Notice {
                    level: Level::Error,
                    message,
                    hint,
                });
                None
            }
        }
    }

    /// Where it is kept.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// One packet of 20 ms in the order of the show; `None` where one never came.
    pub fn packet(&mut self, packet: Option<&Bytes>) {
        self.attempt(|writer| writer.packet(packet));
    }

    /// The title from here on.
    pub fn title(&mut self, title: &str) {
        if let Some(writer) = &mut self.writer {
            writer.title(title);
        }
    }

    /// Whether writing has failed.
    pub fn failed(&self) -> bool {
        self.trouble.is_some()
    }

    /// Closes the file; says what went wrong, if anything did.
    pub fn finish(mut self) -> Option<Trouble> {
        if let Some(writer) = self.writer.take()
            && let Err(error) = writer.finish()
        {
            self.trouble.get_or_insert_with(|| file_trouble(&error));
        }
        self.trouble
    }

    fn attempt(&mut self, write: impl FnOnce(&mut OggWriter) -> Result<(), SinkError>) {
        if let Some(writer) = &mut self.writer
            && let Err(error) = write(writer)
        {
            self.trouble = Some(file_trouble(&error));
            self.writer = None;
        }
    }
}

/// Trouble with a file that sound is written to.
pub fn file_trouble(error: &SinkError) -> Trouble {
    Trouble::new(error.to_string(), "what was written so far is kept")
}
