//! Any bytes, and the property that `FUZZ_TARGET` names.
#![no_main]

use apiserver::fuzzing::{Property, TARGETS};
use std::sync::LazyLock;

static PROPERTY: LazyLock<Property> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").expect("FUZZ_TARGET names what must hold: a folder of corpus/");
    let found = TARGETS.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("no property is called {wanted:?}: the folders of corpus/ are")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| PROPERTY(bytes));
