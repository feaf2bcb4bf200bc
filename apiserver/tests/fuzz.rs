//! The fuzz targets on the stable toolchain: over the corpus that is kept, and over chance bytes and changes to it.

use apiserver::fuzzing::TARGETS;
use proptest::prelude::*;
use std::path::Path;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus is checked in");
    let found: Vec<Vec<u8>> = files.map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect();
    assert!(!found.is_empty(), "{target} has a corpus");
    found
}

#[test]
fn the_corpus_holds() {
    for (name, target) in TARGETS {
        corpus(name).iter().for_each(|bytes| target(bytes));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn chance_bytes_hold(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    #[test]
    fn changes_to_the_corpus_hold(at in any::<usize>(), to in any::<u8>(), cut in any::<usize>(), pick in any::<usize>()) {
        for (name, target) in TARGETS {
            let all = corpus(name);
            let mut bytes = all[pick % all.len()].clone();
            if bytes.is_empty() {
                continue;
            }
            let length = bytes.len();
            bytes[at % length] = to;
            target(&bytes);
            bytes.truncate(cut % length);
            target(&bytes);
        }
    }
}
