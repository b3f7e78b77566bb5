//! The store that tests on real input share, so that packages, images and kernels are made once.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test's world may look where it is told to, and fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// `$ENGINE_TEST_STORE`, else below `target`; it is there.
pub fn shared_store() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-store");
    let store = std::env::var_os("ENGINE_TEST_STORE").map_or(root, PathBuf::from);
    fs::create_dir_all(&store).unwrap();
    store
}
