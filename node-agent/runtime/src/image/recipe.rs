//! How to write a layer's archive again, byte for byte, from the files that it was unpacked to: what an archive holds
//! beside the content of files (headers, padding, its end) is kept in the order of the archive, and a reference where
//! the content of a file stood. So an image is saved and pushed with the layers and the id that it came with, and its
//! layers are on disk only once.
//!
//! A recipe is a zstd stream of parts: `0`, a length and so many bytes; or `1`, a length, the length of a path and the
//! path, for so many bytes of that file. Lengths are 8 bytes, little-endian.

use super::layer::open_beneath;
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

const BYTES: u8 = 0;
const CONTENT: u8 = 1;
/// Bytes that are gathered before they become a part.
const PART_BYTES: usize = 64 * 1024;
/// Longer parts and paths are not in any recipe that was written here.
const PART_BYTES_MAX: u64 = 1 << 20;
/// Headers compress well at any level; they must not slow the unpacking.
const LEVEL: i32 = 1;

/// Takes notes of an archive that is read through [`Noting`].
pub(crate) struct Recorder {
    out: zstd::Encoder<'static, File>,
    pending: Vec<u8>,
    /// Bytes of content still to come, which need no note.
    content: u64,
}

impl Recorder {
    pub(crate) fn new(out: File) -> io::Result<Self> {
        Ok(Self { out: zstd::Encoder::new(out, LEVEL)?, pending: Vec::new(), content: 0 })
    }

    /// Writes what is left.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        self.out.finish().map(drop)
    }

    /// The next `len` bytes of the archive are the content of the file `path`, relative to the layer's root.
    pub(crate) fn content(&mut self, path: &Path, len: u64) -> io::Result<()> {
        self.flush()?;
        let name = path.as_os_str().as_bytes();
        self.out.write_all(&[CONTENT])?;
        self.out.write_all(&len.to_le_bytes())?;
        self.out.write_all(&(name.len() as u64).to_le_bytes())?;
        self.out.write_all(name)?;
        self.content = len;
        Ok(())
    }

    fn saw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let content = usize::try_from(self.content).unwrap_or(usize::MAX).min(bytes.len());
        self.content -= content as u64;
        self.pending.extend_from_slice(&bytes[content..]);
        if self.pending.len() >= PART_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        for part in self.pending.chunks(PART_BYTES) {
            self.out.write_all(&[BYTES])?;
            self.out.write_all(&(part.len() as u64).to_le_bytes())?;
            self.out.write_all(part)?;
        }
        self.pending.clear();
        Ok(())
    }
}

/// Reads an archive and lets a recorder see it, where there is one.
pub(crate) struct Noting<'a, R> {
    pub(crate) inner: R,
    pub(crate) recorder: Option<&'a RefCell<Recorder>>,
}

impl<R: Read> Read for Noting<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if let Some(recorder) = self.recorder {
            recorder.borrow_mut().saw(&buffer[..n])?;
        }
        Ok(n)
    }
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

fn bytes(from: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    if len > PART_BYTES_MAX {
        return Err(damaged("the layer's recipe is damaged"));
    }
    let mut bytes = vec![0; len as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Writes the archive that `recipe` describes, with the content of the files below `layer`.
pub(crate) fn assemble(recipe: impl Read, layer: &Path, out: &mut impl Write) -> io::Result<()> {
    let mut recipe = io::BufReader::new(zstd::Decoder::new(recipe)?);
    loop {
        let mut kind = [0];
        if recipe.read(&mut kind)? == 0 {
            return Ok(());
        }
        let len = number(&mut recipe)?;
        match kind[0] {
            BYTES => out.write_all(&bytes(&mut recipe, len)?)?,
            CONTENT => {
                let name = number(&mut recipe)?;
                let path = PathBuf::from(std::ffi::OsString::from_vec(bytes(&mut recipe, name)?));
                let gone = || damaged(format!("{} of the layer is not as it was unpacked", path.display()));
                let file = File::from(open_beneath(layer, &path)?.ok_or_else(gone)?);
                let copied = io::copy(&mut file.take(len), out)?;
                if copied != len {
                    return Err(gone());
                }
            }
            _ => return Err(damaged("the layer's recipe is damaged")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::layer;
    use rustix::fs::{Mode, OFlags};

    fn folder(path: &Path) -> std::os::fd::OwnedFd {
        rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).unwrap()
    }

    /// An archive with what a recipe must keep: long names, links, whiteouts, attributes, odd sizes and a tail.
    fn archive() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o640);
        let mut file = |name: &str, content: &[u8]| {
            header.set_size(content.len() as u64);
            tar.append_data(&mut header.clone(), name, content).unwrap();
        };
        file("etc/hello", b"hello");
        file(&format!("{}/name", "deep/".repeat(40)), &vec![7; 100_000]);
        file("etc/.wh.gone", b"");
        file("exact", &[1; 512]);
        file("empty", b"");
        let mut link = tar::Header::new_gnu();
        link.set_entry_type(tar::EntryType::Link);
        link.set_size(0);
        tar.append_link(&mut link, "etc/again", "etc/hello").unwrap();
        let mut bytes = tar.into_inner().unwrap();
        bytes.extend([0; 9000]);
        bytes
    }

    #[test]
    fn an_archive_is_written_again_byte_for_byte() {
        let place = tempfile::tempdir().unwrap();
        let (into, notes) = (place.path().join("layer"), place.path().join("recipe"));
        std::fs::create_dir(&into).unwrap();
        let bytes = archive();
        let recorder = RefCell::new(Recorder::new(File::create(&notes).unwrap()).unwrap());
        let unpacked = layer::unpack(&*bytes, folder(&into), &[], Some(&recorder)).unwrap();
        recorder.into_inner().finish().unwrap();
        assert_eq!(unpacked.bytes, bytes.len() as u64);
        assert!(std::fs::metadata(&notes).unwrap().len() < 4096, "contents are not in the recipe");
        let mut again = Vec::new();
        assemble(File::open(&notes).unwrap(), &into, &mut again).unwrap();
        assert!(again == bytes);
        // What was changed behind the store's back is noticed.
        std::fs::write(into.join("exact"), b"short").unwrap();
        let error = assemble(File::open(&notes).unwrap(), &into, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("exact"), "{error}");
        // And a link to elsewhere is not followed.
        std::fs::remove_file(into.join("exact")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", into.join("exact")).unwrap();
        assert!(assemble(File::open(&notes).unwrap(), &into, &mut Vec::new()).is_err());
    }

    #[test]
    fn a_damaged_recipe_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        for text in [&b"\x07"[..], b"\x00\xff\xff\xff\xff\xff\xff\xff\xff", b"\x00\x05\x00"] {
            let recipe = zstd::encode_all(text, 1).unwrap();
            assert!(assemble(&*recipe, place.path(), &mut Vec::new()).is_err(), "{text:?}");
        }
    }
}
