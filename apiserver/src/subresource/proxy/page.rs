//! An HTML page on its way through the proxy, with its links led back, whether it comes plain or compressed.

use super::links::Links;
use axum::body::Body;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzDecoder, GzEncoder};
use futures::{StreamExt as _, stream};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::io::{self, Write as _};

enum Coding {
    Plain(Links),
    Gzip(Box<GzDecoder<Repacked>>),
}

/// Takes what is unpacked piece by piece: a small frame may be a thousand times its size, which is never here at once.
struct Repacked {
    links: Links,
    packed: GzEncoder<Vec<u8>>,
}

impl io::Write for Repacked {
    fn write(&mut self, unpacked: &[u8]) -> io::Result<usize> {
        self.packed.write_all(&self.links.push(unpacked))?;
        Ok(unpacked.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Coding {
    /// `None` for what cannot be read, which passes as it is.
    fn of(headers: &HeaderMap, links: Links) -> Option<Self> {
        match headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Some(Self::Plain(links)),
            Some(b"gzip") => {
                let packed = GzEncoder::new(Vec::new(), Compression::fast());
                Some(Self::Gzip(Box::new(GzDecoder::new(Repacked { links, packed }))))
            }
            Some(_) => None,
        }
    }

    fn part(&mut self, part: &[u8]) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(links) => Ok(links.push(part)),
            Self::Gzip(gzip) => {
                gzip.write_all(part)?;
                Ok(std::mem::take(gzip.get_mut().packed.get_mut()))
            }
        }
    }

    fn end(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(links) => Ok(links.finish()),
            Self::Gzip(gzip) => {
                let Repacked { links, mut packed } = gzip.finish()?;
                packed.write_all(&links.finish())?;
                packed.finish()
            }
        }
    }
}

fn is_html(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

/// The body of an answer with these headers; its length is no longer known where it is a page.
pub(super) fn led_back(headers: &mut HeaderMap, body: Incoming, links: Links) -> Body {
    let Some(coding) = Some(headers).filter(|headers| is_html(headers)).and_then(|headers| {
        let coding = Coding::of(headers, links)?;
        headers.remove(CONTENT_LENGTH);
        Some(coding)
    }) else {
        return Body::new(body);
    };
    let begun = (body.into_data_stream(), Some(coding));
    Body::from_stream(stream::try_unfold(begun, async |(mut parts, page)| {
        let Some(mut page) = page else { return Ok(None) };
        match parts.next().await {
            Some(Ok(part)) => Ok(Some((Bytes::from(page.part(&part)?), (parts, Some(page))))),
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Ok(Some((Bytes::from(page.end()?), (parts, None)))),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::super::redirect::Proxied;
    use super::*;
    use flate2::read::GzDecoder as Unpack;
    use std::io::Read as _;

    #[test]
    fn a_page_that_is_small_only_while_packed_is_led_back_piece_by_piece() {
        let link = r#"<a href="/x">"#;
        let blank = " ".repeat(8 << 20);
        let mut page = GzEncoder::new(Vec::new(), Compression::best());
        page.write_all(format!("{link}{blank}{link}").as_bytes()).unwrap();
        let proxied = Proxied { prefix: "/proxy".to_owned(), backend: "b:80".to_owned(), own: "api:6443".to_owned() };
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, "gzip".parse().unwrap())]);
        let mut coding = Coding::of(&headers, Links::new(proxied)).unwrap();
        let mut packed = coding.part(&page.finish().unwrap()).unwrap();
        let Coding::Gzip(gzip) = &coding else { panic!("it is packed") };
        assert!(gzip.get_ref().packed.get_ref().capacity() < 1 << 20, "nothing holds the whole page");
        packed.extend(coding.end().unwrap());
        assert!(packed.len() < 1 << 20, "{}", packed.len());
        let mut unpacked = String::new();
        Unpack::new(&*packed).read_to_string(&mut unpacked).unwrap();
        let led = r#"<a href="/proxy/x">"#;
        assert_eq!(unpacked.trim_start_matches(led).trim(), led);
    }
}
