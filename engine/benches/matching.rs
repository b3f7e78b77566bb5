//! One .config of 3,000 symbols against 10,000 boards; the goal is 5 ms at most.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use engine::kconfig::Config;
use engine::kconfig::Predicate;
use engine::matching::Needs;
use engine::matching::match_boards;
use engine::matching::matches_only;

const SYMBOLS: usize = 3_000;
const BOARDS: usize = 10_000;

/// A third of the symbols each is `y`, `m` and not set.
fn config_text() -> String {
    let mut text = String::from("# Linux/arm 6.1.192 Kernel Configuration\n");
    for index in 0..SYMBOLS {
        let _ = match index % 3 {
            0 => writeln!(text, "CONFIG_{}=y", symbol(index)),
            1 => writeln!(text, "CONFIG_{}=m", symbol(index)),
            _ => writeln!(text, "# CONFIG_{} is not set", symbol(index)),
        };
    }
    text
}

fn symbol(index: usize) -> String {
    format!("SERIAL_DRIVER_{}", index % SYMBOLS)
}

/// Boards as definitions have them: three needs, two alternatives and one that must not be.
fn boards() -> Vec<(String, Predicate)> {
    let cfg = |index: usize| Predicate::built_in(symbol(index));
    (0..BOARDS)
        .map(|board| {
            let first = board * 3 * 7;
            // Half of the boards ask for one symbol that is no `y`.
            let third = first + 6 + board % 2;
            let needs = cfg(first) & cfg(first + 3) & cfg(third);
            let requires = needs & (cfg(first + 1) | cfg(first + 9)) & !cfg(first + 2);
            (format!("board-{board}"), requires)
        })
        .collect()
}

fn matching(criterion: &mut Criterion) {
    let text = config_text();
    let config = Config::parse(&text).expect("the text is a .config");
    let boards = boards();
    let needs = || {
        boards.iter().map(|(board, requires)| Needs {
            board,
            requires,
            abi: None,
        })
    };
    assert_eq!(matches_only(&config, needs()).count(), BOARDS / 2);

    criterion.bench_function("parse/3k_symbols", |bencher| {
        bencher.iter(|| Config::parse(black_box(&text)));
    });
    criterion.bench_function("matches_only/10k_boards", |bencher| {
        bencher.iter(|| matches_only(black_box(&config), needs()).count());
    });
    criterion.bench_function("match_boards/10k_boards", |bencher| {
        bencher.iter(|| match_boards(black_box(&config), needs()));
    });
}

criterion_group!(benches, matching);
criterion_main!(benches);
