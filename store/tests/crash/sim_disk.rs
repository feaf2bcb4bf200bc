//! A disk in memory that forgets what was not synced, tears what was in flight, and fails on demand.

use parking_lot::Mutex;
use redb::StorageBackend;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

/// Bytes that a disk writes as a whole.
const SECTOR: usize = 512;

/// Bytes that a file system gives out at a time.
const BLOCK: usize = 4096;

/// SplitMix64: small, and the same on every machine.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Writing where nothing was written before finds no space; what is there can be overwritten, as on a file system.
    Full,
    /// Syncing fails.
    Sync,
    /// Everything fails: the machine is off.
    PowerCut,
}

#[derive(Debug)]
enum Operation {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug, Default)]
struct State {
    /// What survives for certain.
    durable: Vec<u8>,
    /// What readers see.
    seen: Vec<u8>,
    /// What was done since the last sync.
    in_flight: Vec<Operation>,
    /// Blocks that the file system has given out.
    allocated: BTreeSet<usize>,
    fault: Option<(u64, Fault)>,
}

impl State {
    /// Whether an operation of this kind fails; counts down to the fault.
    fn fails(&mut self, kinds: &[Fault]) -> io::Result<()> {
        let Some((left, fault)) = &mut self.fault else { return Ok(()) };
        if !kinds.contains(fault) {
            return Ok(());
        }
        if *left > 0 {
            *left -= 1;
            return Ok(());
        }
        Err(match fault {
            Fault::Full => io::ErrorKind::StorageFull.into(),
            Fault::Sync | Fault::PowerCut => io::Error::other("the disk failed"),
        })
    }
}

fn apply(image: &mut Vec<u8>, operation: &Operation) {
    match operation {
        Operation::Write { offset, bytes } => {
            let end = offset + bytes.len();
            image.resize(image.len().max(end), 0);
            image[*offset..end].copy_from_slice(bytes);
        }
        Operation::SetLen(len) => image.resize(*len, 0),
    }
}

#[derive(Debug, Default)]
pub(crate) struct SimDisk(Mutex<State>);

impl SimDisk {
    pub(crate) fn empty() -> Arc<Self> {
        Arc::default()
    }

    /// After so many more operations of its kind, `fault` strikes, and stays.
    pub(crate) fn fail_after(&self, operations: u64, fault: Fault) {
        self.0.lock().fault = Some((operations, fault));
    }

    pub(crate) fn cut_power_after(&self, operations: u64) {
        self.fail_after(operations, Fault::PowerCut);
    }

    pub(crate) fn heal(&self) {
        self.0.lock().fault = None;
    }

    /// What a new run finds: all that was synced, and of what was in flight any sectors, in any order.
    pub(crate) fn after_power_cut(&self, rng: &mut Rng) -> Arc<Self> {
        let state = self.0.lock();
        let mut image = state.durable.clone();
        for operation in &state.in_flight {
            match operation {
                Operation::SetLen(len) if rng.below(2) == 0 || *len > image.len() => {
                    image.resize(*len, 0);
                }
                Operation::SetLen(_) => {}
                Operation::Write { offset, bytes } => match rng.below(3) {
                    0 => {}
                    1 => apply(&mut image, operation),
                    _ => {
                        for (nth, sector) in bytes.chunks(SECTOR).enumerate() {
                            if rng.below(2) == 0 {
                                let offset = offset + nth * SECTOR;
                                apply(&mut image, &Operation::Write { offset, bytes: sector.to_vec() });
                            }
                        }
                    }
                },
            }
        }
        let allocated = (0..image.len().div_ceil(BLOCK)).collect();
        Arc::new(Self(Mutex::new(State { allocated, durable: image.clone(), seen: image, ..State::default() })))
    }

    fn change(&self, operation: Operation) -> io::Result<()> {
        let mut state = self.0.lock();
        state.fails(&[Fault::PowerCut])?;
        match &operation {
            Operation::Write { offset, bytes } => {
                let blocks = *offset / BLOCK..(offset + bytes.len()).div_ceil(BLOCK);
                if !blocks.clone().all(|block| state.allocated.contains(&block)) {
                    state.fails(&[Fault::Full])?;
                }
                state.allocated.extend(blocks);
            }
            Operation::SetLen(len) => {
                let _freed = state.allocated.split_off(&len.div_ceil(BLOCK));
            }
        }
        apply(&mut state.seen, &operation);
        state.in_flight.push(operation);
        Ok(())
    }
}

impl StorageBackend for SimDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.0.lock();
        let offset = offset as usize;
        let bytes = state.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.change(Operation::SetLen(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.0.lock();
        state.fails(&[Fault::Sync, Fault::PowerCut])?;
        let State { durable, seen, .. } = &mut *state;
        durable.clone_from(seen);
        state.in_flight.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.change(Operation::Write { offset: offset as usize, bytes: data.to_vec() })
    }
}
