//! Files of recorded traffic, by the line: plain or gzip (told by the first bytes, not by the name), `-` for stdin.

use flate2::bufread::MultiGzDecoder;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

const BUFFER: usize = 1 << 18;

/// A file that is being read.
pub struct Source {
    reader: Box<dyn BufRead + Send>,
    /// How many lines were read.
    pub lines: u64,
}

impl Source {
    /// Opens a file; `progress` moves by the bytes of the file, not of what is decompressed.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(name: &str, progress: &ProgressBar) -> io::Result<Self> {
        let raw: Box<dyn Read + Send> = if name == "-" { Box::new(io::stdin()) } else { Box::new(File::open(name)?) };
        let mut plain = BufReader::with_capacity(BUFFER, progress.wrap_read(raw));
        let is_gzip = plain.fill_buf()?.starts_with(&[0x1f, 0x8b]);
        let reader: Box<dyn BufRead + Send> = if is_gzip {
            Box::new(BufReader::with_capacity(BUFFER, MultiGzDecoder::new(plain)))
        } else {
            Box::new(plain)
        };
        Ok(Self { reader, lines: 0 })
    }

    /// Up to `most` further lines without their line feeds; blank ones too. Empty at the end.
    ///
    /// # Errors
    /// It cannot be read on; the lines before that are in `lines`.
    pub fn read(&mut self, most: usize, lines: &mut Vec<Vec<u8>>) -> io::Result<()> {
        while lines.len() < most {
            let mut line = Vec::new();
            if self.reader.read_until(b'\n', &mut line)? == 0 {
                break;
            }
            while matches!(line.last(), Some(b'\n' | b'\r')) {
                line.pop();
            }
            self.lines += 1;
            lines.push(line);
        }
        Ok(())
    }
}

/// A bar by bytes of all files, on a terminal only; without a length where one of them is stdin.
pub fn progress(files: &[String]) -> ProgressBar {
    let size = |name: &String| std::fs::metadata(name).map(|file| file.len()).ok();
    let sizes: Option<Vec<u64>> = files.iter().map(size).collect();
    let (bar, template) = match sizes {
        Some(sizes) => {
            (ProgressBar::new(sizes.iter().sum()), "replay {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
        }
        None => (ProgressBar::no_length(), "replay {spinner} {bytes} {bytes_per_sec}"),
    };
    // The template is ours; a wrong one would only change the looks.
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn lines(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("log");
        std::fs::write(&file, bytes).unwrap();
        let mut lines = Vec::new();
        let mut source = Source::open(file.to_str().unwrap(), &ProgressBar::hidden()).unwrap();
        let whole = source.read(1_000_000, &mut lines).is_ok();
        (lines, whole)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(bytes).unwrap();
        gzip.finish().unwrap()
    }

    #[test]
    fn plain_and_compressed_read_alike_also_in_several_members() {
        let expected = (vec![b"a".to_vec(), b"".to_vec(), b"b".to_vec()], true);
        assert_eq!(lines(b"a\r\n\nb"), expected);
        assert_eq!(lines(&[gzip(b"a\n\n"), gzip(b"b")].concat()), expected);
    }

    #[test]
    fn a_cut_file_gives_what_it_has_and_an_error() {
        let text: Vec<u8> =
            (0..20_000_u32).flat_map(|i| format!("{}\n", i.wrapping_mul(2_654_435_761)).into_bytes()).collect();
        let whole = gzip(&text);
        let (lines, complete) = lines(&whole[..whole.len() / 2]);
        assert!(!complete && !lines.is_empty());
    }
}
