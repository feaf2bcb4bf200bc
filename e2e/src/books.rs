//! The program `books` at work: writers and readers whose books are compared when the test is through with the servers.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// Acknowledged writes without which the books say nothing.
const ENOUGH: u64 = 100;

pub struct Books {
    child: Child,
    said: BufReader<ChildStdout>,
    /// What does not agree, and what its client noticed on the way.
    complaints: tempfile::NamedTempFile,
}

impl Books {
    /// Starts the command and waits until all read and write.
    pub fn open(mut command: Command) -> Result<Self> {
        let complaints = tempfile::NamedTempFile::new()?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(complaints.reopen()?);
        let mut child = command.spawn().context("cannot start books")?;
        let mut said = BufReader::new(child.stdout.take().context("its output")?);
        let mut line = String::new();
        said.read_line(&mut line)?;
        ensure!(line == "books are open\n", "books: {line}{}", std::fs::read_to_string(&complaints)?);
        Ok(Self { child, said, complaints })
    }

    /// Ends the writing and compares; says how much there was, where nothing was lost, missed, repeated or out of order.
    pub fn balance(self) -> Result<()> {
        let counts = self.close()?;
        println!("books: {counts}");
        let count = |name: &str| counts[name].as_u64().context("a count");
        ensure!(count("acknowledged")? >= ENOUGH, "too little was written: {counts}");
        ensure!(count("expired")? == 0, "what happened seconds ago is remembered: {counts}");
        Ok(())
    }

    fn close(mut self) -> Result<Value> {
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.said.read_line(&mut line)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "books: {status}: {}", std::fs::read_to_string(&self.complaints)?);
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Books {
    fn drop(&mut self) {
        if self.child.stdin.is_some() {
            self.child.kill().and_then(|()| self.child.wait().map(drop)).expect("our own child");
        }
    }
}
