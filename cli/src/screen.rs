//! What the user reads: results on standard output, everything else on standard error. Tests put buffers in their place.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

type Sink = Arc<Mutex<dyn Write + Send>>;

#[derive(Clone)]
pub struct Screen {
    out: Sink,
    err: Sink,
}

impl Screen {
    pub fn terminal() -> Self {
        Self { out: Arc::new(Mutex::new(io::stdout())), err: Arc::new(Mutex::new(io::stderr())) }
    }

    pub fn new(out: Sink, err: Sink) -> Self {
        Self { out, err }
    }

    /// A line of the result.
    pub fn line(&self, text: &str) -> io::Result<()> {
        let mut out = lock(&self.out);
        writeln!(out, "{text}")?;
        out.flush()
    }

    /// Text of the result as it is, without a line end of ours.
    pub fn text(&self, text: &str) -> io::Result<()> {
        self.bytes(text.as_bytes())
    }

    pub fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = lock(&self.out);
        out.write_all(bytes)?;
        out.flush()
    }

    /// A line beside the result: warnings, errors, "nothing found".
    pub fn note(&self, text: &str) -> io::Result<()> {
        writeln!(lock(&self.err), "{text}")
    }

    pub fn error_bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let mut err = lock(&self.err);
        err.write_all(bytes)?;
        err.flush()
    }
}

/// A sink is never left half-changed by a panic, so a poisoned lock is as good as any.
fn lock<'a>(sink: &'a Mutex<dyn Write + Send + 'static>) -> MutexGuard<'a, dyn Write + Send + 'static> {
    sink.lock().unwrap_or_else(PoisonError::into_inner)
}
