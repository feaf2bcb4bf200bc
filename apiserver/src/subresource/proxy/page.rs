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
    Plain,
    Gzip(Box<Gzip>),
}

struct Gzip {
    unpacked: GzDecoder<Vec<u8>>,
    packed: GzEncoder<Vec<u8>>,
}

impl Coding {
    /// `None` for what cannot be read, which passes as it is.
    fn of(headers: &HeaderMap) -> Option<Self> {
        match headers.get(CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
            None | Some(b"" | b"identity") => Some(Self::Plain),
            Some(b"gzip") => Some(Self::Gzip(Box::new(Gzip {
                unpacked: GzDecoder::new(Vec::new()),
                packed: GzEncoder::new(Vec::new(), Compression::fast()),
            }))),
            Some(_) => None,
        }
    }
}

struct Page {
    links: Links,
    coding: Coding,
}

impl Page {
    fn part(&mut self, part: &[u8]) -> io::Result<Vec<u8>> {
        match &mut self.coding {
            Coding::Plain => Ok(self.links.push(part)),
            Coding::Gzip(gzip) => {
                gzip.unpacked.write_all(part)?;
                gzip.packed.write_all(&self.links.push(&std::mem::take(gzip.unpacked.get_mut())))?;
                Ok(std::mem::take(gzip.packed.get_mut()))
            }
        }
    }

    fn end(mut self) -> io::Result<Vec<u8>> {
        match self.coding {
            Coding::Plain => Ok(self.links.finish()),
            Coding::Gzip(gzip) => {
                let Gzip { unpacked, mut packed } = *gzip;
                packed.write_all(&self.links.push(&unpacked.finish()?))?;
                packed.write_all(&self.links.finish())?;
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
        let coding = Coding::of(headers)?;
        headers.remove(CONTENT_LENGTH);
        Some(coding)
    }) else {
        return Body::new(body);
    };
    let begun = (body.into_data_stream(), Some(Page { links, coding }));
    Body::from_stream(stream::try_unfold(begun, async |(mut parts, page)| {
        let Some(mut page) = page else { return Ok(None) };
        match parts.next().await {
            Some(Ok(part)) => Ok(Some((Bytes::from(page.part(&part)?), (parts, Some(page))))),
            Some(Err(error)) => Err(io::Error::other(error)),
            None => Ok(Some((Bytes::from(page.end()?), (parts, None)))),
        }
    }))
}
