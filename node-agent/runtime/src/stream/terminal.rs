//! Reading and writing a terminal's main side without blocking.

use crate::sys::register::register;
use rustix::termios::{Winsize, tcsetwinsize};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

#[derive(Debug)]
pub(super) struct Terminal {
    main: AsyncFd<OwnedFd>,
}

impl Terminal {
    pub(super) fn new(main: OwnedFd) -> io::Result<Self> {
        let flags = rustix::fs::fcntl_getfl(&main)?;
        rustix::fs::fcntl_setfl(&main, flags | rustix::fs::OFlags::NONBLOCK)?;
        Ok(Self { main: register(main)? })
    }

    /// Nothing at the end, which a terminal tells by an error.
    pub(super) async fn read(&self, buffer: &mut [u8]) -> usize {
        let read = self.main.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut *buffer)?));
        read.await.unwrap_or(0)
    }

    pub(super) async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let n = self.main.async_io(Interest::WRITABLE, |fd| Ok(rustix::io::write(fd, bytes)?)).await?;
            bytes = &bytes[n..];
        }
        Ok(())
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) -> io::Result<()> {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(tcsetwinsize(self.main.get_ref(), size)?)
    }
}
