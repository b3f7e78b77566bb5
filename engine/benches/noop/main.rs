//! A run that has nothing to do, beside ninja and nix-build on the same graph; one line per size.
//!
//! `cargo bench --bench noop` measures 1,000, 10,000 and 100,000 nodes; `-- 1000` only that size.
//! Each number is the best of at least five whole processes with everything in the page cache. All tools
//! work in one directory, in memory where `/dev/shm` is, so that making the graphs does not wait
//! for a disk. Nix needs a quarter of an hour to build 10,000 trivial derivations, so it is asked
//! for larger graphs only if `$ENGINE_BENCH_FULL` is set.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "what a benchmark measures is its output, and it is told how much by the environment"
)]

mod measure;
mod peers;
mod project;

use std::env;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use measure::Cost;

type Done<T = ()> = Result<T, Box<dyn Error>>;

const SIZES: [usize; 3] = [1_000, 10_000, 100_000];
/// The largest graph that Nix is asked to build.
const NIX_NODES: usize = 2_000;

fn main() -> ExitCode {
    if let Some(code) = measure::measured() {
        return code;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("noop: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Done {
    let asked: Vec<usize> = env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let sizes = if asked.is_empty() {
        SIZES.to_vec()
    } else {
        asked
    };
    let memory = Path::new("/dev/shm");
    let dir = if memory.is_dir() {
        tempfile::tempdir_in(memory)?
    } else {
        tempfile::tempdir()?
    };
    let full = env::var_os("ENGINE_BENCH_FULL").is_some();
    for size in sizes {
        let dir = dir.path().join(size.to_string());
        let (nodes, graph) = project::make(&dir, size)?;
        let engine = project::noop(&dir, nodes)?;
        let ninja = peers::ninja(&dir.join("ninja"), &graph)?;
        let nix = if nodes <= NIX_NODES || full {
            peers::nix(&dir.join("nix"), &graph)?
        } else {
            Err("needs-ENGINE_BENCH_FULL")
        };
        let seconds = |peer: Result<Cost, &'static str>| match peer {
            Ok(cost) => (
                format!("{:.3}", cost.seconds),
                format!("{:.2}", engine.seconds / cost.seconds),
            ),
            Err(why) => (why.to_owned(), "-".to_owned()),
        };
        let (ninja_s, ratio_ninja) = seconds(ninja);
        let (nix_s, ratio_nix) = seconds(nix);
        println!(
            "noop nodes={nodes} engine_s={:.3} ninja_s={ninja_s} nix_s={nix_s} \
             ratio_ninja={ratio_ninja} ratio_nix={ratio_nix} engine_mib={:.0}",
            engine.seconds, engine.mib,
        );
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(())
}
