//! Installing a compiled seccomp filter. This does not set no_new_privs, which is the pod author's choice.
#![expect(unsafe_code, reason = "the seccomp system call takes a pointer to the program")]

use std::io;

/// A filter program as it is kept on disk: eight bytes an instruction, in native order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program(Vec<libc::sock_filter>);

/// More instructions than the kernel takes (BPF_MAXINSNS) are refused when the program is read.
const INSTRUCTIONS_MAX: usize = 4096;

impl Program {
    pub(crate) fn from_instructions(instructions: impl IntoIterator<Item = (u16, u8, u8, u32)>) -> Self {
        Self(instructions.into_iter().map(|(code, jt, jf, k)| libc::sock_filter { code, jt, jf, k }).collect())
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * 8);
        for i in &self.0 {
            bytes.extend(i.code.to_ne_bytes());
            bytes.extend([i.jt, i.jf]);
            bytes.extend(i.k.to_ne_bytes());
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> io::Result<Self> {
        if bytes.is_empty() || !bytes.len().is_multiple_of(8) || bytes.len() / 8 > INSTRUCTIONS_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a seccomp program"));
        }
        let instruction = |c: &[u8]| libc::sock_filter {
            code: u16::from_ne_bytes([c[0], c[1]]),
            jt: c[2],
            jf: c[3],
            k: u32::from_ne_bytes([c[4], c[5], c[6], c[7]]),
        };
        Ok(Self(bytes.chunks_exact(8).map(instruction).collect()))
    }
}

/// Puts the calling thread under the filter.
pub(crate) fn install(program: &Program) -> io::Result<()> {
    let prog = libc::sock_fprog {
        len: u16::try_from(program.0.len()).map_err(|_| io::ErrorKind::InvalidData)?,
        filter: program.0.as_ptr().cast_mut(),
    };
    // SAFETY: `prog` and the instructions it points to outlive the call; the kernel copies and checks them, and does
    // not write.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const prog) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_survives_the_disk_and_garbage_is_refused() {
        let program = Program::from_instructions([(0x20, 0, 0, 4), (0x06, 1, 2, 0x7fff_0000)]);
        assert_eq!(Program::from_bytes(&program.to_bytes()).unwrap(), program);
        for bad in [&[][..], &[1, 2, 3], &vec![0; 8 * (INSTRUCTIONS_MAX + 1)]] {
            assert!(Program::from_bytes(bad).is_err());
        }
    }
}
