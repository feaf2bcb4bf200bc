//! An Accept header: an answer that is offered, or none.
#![no_main]

use apiserver::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::accept(bytes));
