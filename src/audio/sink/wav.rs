//! 16-bit WAV whose header is right at any moment.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::SinkError;
use crate::units::CHANNELS;

const HEADER_BYTES: u64 = 44;
const FRAME_BYTES: u64 = 2 * CHANNELS as u64;

/// Writes interleaved stereo. Once a second of sound the header is brought up to date, so that a process that is killed leaves a
/// file that plays.
pub struct WavWriter {
    file: BufWriter<File>,
    path: PathBuf,
    rate_hz: u32,
    frames: u64,
    frames_in_header: u64,
}

impl WavWriter {
    /// Creates or replaces a file.
    ///
    /// # Errors
    /// When the file cannot be created or the disk is full.
    pub fn create(path: &Path, rate_hz: u32) -> Result<WavWriter, SinkError> {
        let file = File::create(path).map_err(|e| SinkError::create(path, &e))?;
        let mut writer = WavWriter {
            file: BufWriter::new(file),
            path: path.to_owned(),
            rate_hz,
            frames: 0,
            frames_in_header: 0,
        };
        writer.write_header().map_err(|e| SinkError::write(path, &e))?;
        Ok(writer)
    }

    /// Appends interleaved samples; what exceeds full scale is cut.
    ///
    /// # Errors
    /// When the disk is full or fails; the file then ends with the last whole second.
    pub fn write(&mut self, samples: &[f32]) -> Result<(), SinkError> {
        self.append(samples).map_err(|e| SinkError::write(&self.path, &e))
    }

    /// Brings the header up to date and closes the file.
    ///
    /// # Errors
    /// As [`WavWriter::write`].
    pub fn finish(mut self) -> Result<(), SinkError> {
        self.write_header().map_err(|e| SinkError::write(&self.path, &e))
    }

    fn append(&mut self, samples: &[f32]) -> io::Result<()> {
        for frame in samples.chunks_exact(CHANNELS) {
            for sample in frame {
                let sample = (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16;
                self.file.write_all(&sample.to_le_bytes())?;
            }
            self.frames += 1;
        }
        if self.frames - self.frames_in_header >= u64::from(self.rate_hz) {
            self.write_header()?;
        }
        Ok(())
    }

    fn write_header(&mut self) -> io::Result<()> {
        // Beyond 4 GB the format has no words; players then read to the end of the file.
        let data = u32::try_from(self.frames * FRAME_BYTES).unwrap_or(u32::MAX - 36);
        let mut header = Vec::with_capacity(HEADER_BYTES as usize);
        header.extend(b"RIFF");
        header.extend((data + 36).to_le_bytes());
        header.extend(b"WAVEfmt ");
        header.extend(16u32.to_le_bytes());
        header.extend(1u16.to_le_bytes());
        header.extend((CHANNELS as u16).to_le_bytes());
        header.extend(self.rate_hz.to_le_bytes());
        header.extend((self.rate_hz * FRAME_BYTES as u32).to_le_bytes());
        header.extend((FRAME_BYTES as u16).to_le_bytes());
        header.extend(16u16.to_le_bytes());
        header.extend(b"data");
        header.extend(data.to_le_bytes());
        self.file.flush()?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header)?;
        self.file
            .seek(SeekFrom::Start(HEADER_BYTES + self.frames * FRAME_BYTES))?;
        self.file.flush()?;
        self.frames_in_header = self.frames;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::chirp;
    use crate::audio::decode::Track;

    fn read(path: &Path) -> Vec<f32> {
        let mut track = Track::open(path).unwrap();
        let mut sound = Vec::new();
        while track.read(&mut sound).unwrap() {}
        sound
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let sound = chirp::samples(0, 100_000);
        let mut writer = WavWriter::create(&path, 48_000).unwrap();
        sound.chunks(1_920).for_each(|block| writer.write(block).unwrap());
        writer.finish().unwrap();
        let back = read(&path);
        assert_eq!(back.len(), sound.len());
        assert!(back.iter().zip(&sound).all(|(a, b)| (a - b).abs() < 1.0 / 32_768.0));
    }

    #[test]
    fn a_file_that_was_never_finished_plays_to_its_last_whole_second() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wav");
        let mut writer = WavWriter::create(&path, 48_000).unwrap();
        chirp::samples(0, 110_000)
            .chunks(960)
            .for_each(|block| writer.write(block).unwrap());
        std::mem::forget(writer);
        let frames = read(&path).len() / 2;
        assert!((96_000..=110_000).contains(&frames), "{frames}");
    }

    #[test]
    fn a_place_that_cannot_be_written_says_what_to_do() {
        let error = WavWriter::create(Path::new("/nowhere/at/all.wav"), 48_000)
            .err()
            .unwrap();
        assert!(error.to_string().contains("choose another place"), "{error}");
        assert!(!error.is_full());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_apart() {
        let outcome = WavWriter::create(Path::new("/dev/full"), 48_000);
        assert!(outcome.err().is_some_and(|error| error.is_full()));
    }
}
