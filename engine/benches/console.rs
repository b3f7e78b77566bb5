//! Consoles read: an ordinary boot, and a kernel that does nothing but complain; the goal is 50 MiB/s at least.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use engine::console::Console;
use engine::model::Judging;

const BYTES: usize = 16 << 20;

/// A log of the repository, again and again.
fn log(path: &str) -> Vec<u8> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
    let text = fs::read(tests.join(path)).expect("it is in the repository");
    text.iter().copied().cycle().take(BYTES).collect()
}

fn read(bytes: &[u8]) -> usize {
    let mut console = Console::new(Judging::default());
    for chunk in bytes.chunks(1 << 16) {
        console.push(chunk);
    }
    console.captured().findings.len()
}

fn console(criterion: &mut Criterion) {
    // What comes after the suite or a panic is not read: neither is in here.
    let boot =
        String::from_utf8_lossy(&log("console/passed.log")).replace("engine: suite", "a suite");
    let complaints =
        String::from_utf8_lossy(&log("judge/classes.txt")).replace("Kernel panic", "a panic");
    let mut group = criterion.benchmark_group("console");
    group.sample_size(10);
    for (name, text) in [("boot", boot), ("complaints", complaints)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(read(black_box(text.as_bytes()))));
        });
    }
    group.finish();
}

criterion_group!(benches, console);
criterion_main!(benches);
