//! A body in protobuf: a tree that can be written again, or an error, whatever the bytes.
#![no_main]

use apiserver::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzzing::protobuf(bytes));
