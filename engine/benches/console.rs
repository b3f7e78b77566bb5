//! Consoles read: an ordinary boot, and a kernel that does nothing but complain; the goal is 50 MiB/s at least.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::path::PathBuf;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use engine::console::Console;
use engine::model::Judging;

const BYTES: usize = 16 << 20;

/// A file of the repository's tests.
fn tests(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests")
        .join(path)
}

fn repeated(text: &str) -> String {
    text.repeat(BYTES / text.len())
}

fn read(bytes: &[u8]) -> usize {
    let mut console = Console::new(Judging::default());
    for chunk in bytes.chunks(1 << 16) {
        console.push(chunk);
    }
    console.captured().findings.len()
}

fn console(criterion: &mut Criterion) {
    // What comes after the suite or a panic is not read: the one stands at the end, the other nowhere.
    let passed = fs::read_to_string(tests("console/passed.log")).expect("it is in the repository");
    let said: Vec<&str> = passed
        .lines()
        .filter(|line| line.starts_with('['))
        .collect();
    let boot = [repeated(&(said.join("\n") + "\n")), passed.clone()].concat();
    let classes = fs::read_to_string(tests("judge/classes.txt")).expect("it is in the repository");
    let complaints = repeated(&classes.replace("Kernel panic", "a panic"));
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
