//! Header blocks of SPDY/3: name-value pairs, compressed with one zlib stream a direction for the whole connection.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A block holds a few short pairs here; what unpacks to more ends the connection.
const BLOCK_BYTES_MAX: usize = 16 << 10;

/// Names in lower case.
pub(super) type Headers = BTreeMap<String, String>;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum HeaderError {
    #[error("a header block does not unpack")]
    Packed,
    #[error("a header block is larger than {BLOCK_BYTES_MAX} bytes")]
    TooLarge,
    #[error("a header block is cut off or no text")]
    Pairs,
}

/// The words of the dictionary that the format prescribes; each follows its length.
const WORDS: &str = "options head post put delete trace accept accept-charset accept-encoding accept-language \
    accept-ranges age allow authorization cache-control connection content-base content-encoding content-language \
    content-length content-location content-md5 content-range content-type date etag expect expires from host if-match \
    if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma \
    proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade \
    user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie \
    keep-alive origin";
/// What follows them, without lengths.
const TAIL: &str = "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505\
    203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden\
    404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug \
    Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,\
    application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch\
    charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static DICTIONARY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut bytes = Vec::new();
    for word in WORDS.split_whitespace() {
        put(&mut bytes, &word.replace('_', " "));
    }
    bytes.extend_from_slice(TAIL.as_bytes());
    bytes
});

fn put(bytes: &mut Vec<u8>, text: &str) {
    let length = u32::try_from(text.len()).expect("a header is shorter than 4 GiB");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Unpacks the blocks of one direction, in order.
#[derive(Debug)]
pub(super) struct Unpacker(Decompress);

impl Unpacker {
    pub(super) fn new() -> Self {
        Self(Decompress::new(true))
    }

    pub(super) fn unpack(&mut self, mut block: &[u8]) -> Result<Headers, HeaderError> {
        let mut plain = Vec::with_capacity(BLOCK_BYTES_MAX);
        loop {
            let (taken, length) = (self.0.total_in(), plain.len());
            let done = self.0.decompress_vec(block, &mut plain, FlushDecompress::Sync);
            let taken = usize::try_from(self.0.total_in() - taken).map_err(|_| HeaderError::Packed)?;
            block = &block[taken..];
            match done {
                Err(error) if error.needs_dictionary().is_some() => {
                    self.0.set_dictionary(&DICTIONARY).map_err(|_| HeaderError::Packed)?;
                }
                Err(_) => return Err(HeaderError::Packed),
                Ok(_) if plain.len() == plain.capacity() => return Err(HeaderError::TooLarge),
                Ok(_) if block.is_empty() => return pairs(&plain),
                Ok(_) if taken == 0 && plain.len() == length => return Err(HeaderError::Packed),
                Ok(_) => {}
            }
        }
    }
}

fn pairs(mut plain: &[u8]) -> Result<Headers, HeaderError> {
    let mut headers = Headers::new();
    for _ in 0..number(&mut plain)? {
        let name = text(&mut plain)?.to_ascii_lowercase();
        headers.insert(name, text(&mut plain)?);
    }
    Ok(headers)
}

fn number(plain: &mut &[u8]) -> Result<usize, HeaderError> {
    let (first, rest) = plain.split_first_chunk().ok_or(HeaderError::Pairs)?;
    *plain = rest;
    usize::try_from(u32::from_be_bytes(*first)).map_err(|_| HeaderError::Pairs)
}

fn text(plain: &mut &[u8]) -> Result<String, HeaderError> {
    let length = number(plain)?;
    let (text, rest) = plain.split_at_checked(length).ok_or(HeaderError::Pairs)?;
    *plain = rest;
    String::from_utf8(text.to_vec()).map_err(|_| HeaderError::Pairs)
}

/// Packs the blocks of the other direction.
#[derive(Debug)]
pub(super) struct Packer(Compress);

impl Packer {
    pub(super) fn new() -> Self {
        let mut stream = Compress::new(Compression::default(), true);
        stream.set_dictionary(&DICTIONARY).expect("a fresh stream takes a dictionary");
        Self(stream)
    }

    pub(super) fn pack(&mut self, headers: &Headers) -> Vec<u8> {
        let count = u32::try_from(headers.len()).expect("headers are few");
        let mut plain = count.to_be_bytes().to_vec();
        for (name, value) in headers {
            put(&mut plain, name);
            put(&mut plain, value);
        }
        let mut packed = Vec::new();
        let start = self.0.total_in();
        loop {
            // Room for the flush itself: a call that leaves room has written all.
            packed.reserve(plain.len() + 64);
            let taken = usize::try_from(self.0.total_in() - start).unwrap_or(plain.len());
            self.0
                .compress_vec(&plain[taken..], &mut packed, FlushCompress::Sync)
                .expect("compressing into memory does not fail");
            if packed.len() < packed.capacity() {
                return packed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksum is part of the format: every stream names its dictionary by it.
    #[test]
    fn the_dictionary_is_the_prescribed_one() {
        assert_eq!(DICTIONARY.len(), 1423);
        let packed = Packer::new().pack(&Headers::new());
        assert_eq!(packed[2..6], [0xe3, 0xc6, 0xa7, 0xc2]);
    }

    #[test]
    fn blocks_unpack_in_order() {
        let (mut packer, mut unpacker) = (Packer::new(), Unpacker::new());
        for kind in ["error", "stdin", "stdout"] {
            let headers = Headers::from([("streamtype".to_owned(), kind.to_owned())]);
            assert_eq!(unpacker.unpack(&packer.pack(&headers)), Ok(headers));
        }
    }

    #[test]
    fn bad_blocks_are_refused() {
        assert_eq!(Unpacker::new().unpack(b"not zlib at all"), Err(HeaderError::Packed));
        assert_eq!(Unpacker::new().unpack(b""), Err(HeaderError::Pairs));
        let bomb = Headers::from([("a".to_owned(), "b".repeat(BLOCK_BYTES_MAX))]);
        assert_eq!(Unpacker::new().unpack(&Packer::new().pack(&bomb)), Err(HeaderError::TooLarge));
        assert_eq!(pairs(&[0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff]), Err(HeaderError::Pairs));
    }
}
