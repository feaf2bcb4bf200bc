//! A body in YAML: a tree or an error, whatever the bytes.
#![no_main]

use apiserver::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::yaml(bytes));
