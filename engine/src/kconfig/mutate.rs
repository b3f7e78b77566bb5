//! Changes a part of a .config's switches, as a seed says.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Config;
use super::Value;

/// What `share` of [`mutate`] is out of.
pub const WHOLE_SHARE: u32 = 10_000;

/// A .config in which about `share` of 10,000 bool and tristate symbols have another value, but none that is `spared`. Which, and what they get,
/// follows from the seed and the symbol's name alone. Of those spared, what the parent does not speak of stays off, though its default be `y`
/// where another makes it visible.
///
/// What is wanted of a symbol that is off is written as kconfig takes it whatever its type: `y`, and `m` behind it, which a bool refuses.
/// `olddefconfig` must resolve it: flipped symbols may depend on others.
pub fn mutate(parent: &Config, seed: u32, share: u32, spared: &BTreeSet<&str>) -> String {
    let mut text = String::new();
    for (symbol, value) in parent.iter() {
        let number = number(seed, symbol);
        let even = number & 1 == 0;
        let flips =
            (number >> 1) % u64::from(WHOLE_SHARE) < u64::from(share) && !spared.contains(symbol);
        let name = format!("CONFIG_{symbol}");
        let _ = match value {
            Value::Module if flips && even => writeln!(text, "{name}=y"),
            Value::Yes | Value::Module if flips => writeln!(text, "# {name} is not set"),
            Value::No if flips && even => writeln!(text, "{name}=y\n{name}=m"),
            Value::No if flips => writeln!(text, "{name}=y"),
            Value::No => writeln!(text, "# {name} is not set"),
            value => writeln!(text, "{name}={value}"),
        };
    }
    for symbol in spared.iter().filter(|symbol| parent.get(symbol).is_none()) {
        let _ = writeln!(text, "# CONFIG_{symbol} is not set");
    }
    text
}

/// FNV-1a of seed and symbol, mixed as `SplitMix64` ends.
fn number(seed: u32, symbol: &str) -> u64 {
    let bytes = seed.to_le_bytes().into_iter().chain(symbol.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn config() -> impl Strategy<Value = Config> {
        let value = prop_oneof![Just("y"), Just("m"), Just("n"), Just("12"), Just("\"a b\"")];
        proptest::collection::btree_map("[A-Z][A-Z0-9_]{0,8}", value, 0..200).prop_map(|values| {
            let lines = values
                .iter()
                .map(|(symbol, value)| format!("CONFIG_{symbol}={value}\n"));
            Config::parse(&lines.collect::<String>()).unwrap()
        })
    }

    fn parsed(parent: &Config, seed: u32, share: u32, spared: &[&str]) -> Config {
        let spared = spared.iter().copied().collect();
        Config::parse(&mutate(parent, seed, share, &spared)).unwrap()
    }

    proptest! {
        #[test]
        fn none_changes_nothing_and_all_changes_every_switch(parent in config(), seed: u32) {
            prop_assert_eq!(&parsed(&parent, seed, 0, &[]), &parent);
            let all: Vec<&str> = parent.iter().map(|(symbol, _)| symbol).collect();
            prop_assert_eq!(&parsed(&parent, seed, WHOLE_SHARE, &all), &parent);
            let half = &all[all.len() / 2..];
            for (symbol, value) in parsed(&parent, seed, WHOLE_SHARE, half).iter() {
                let switch = matches!(value, Value::Yes | Value::Module | Value::No);
                let same = parent.get(symbol) == Some(value);
                prop_assert_eq!(same, !switch || half.contains(&symbol), "{}", symbol);
            }
        }

        #[test]
        fn a_larger_share_changes_more_of_the_same(parent in config(), seed: u32, share in 0..WHOLE_SHARE) {
            let less = parsed(&parent, seed, share / 2, &[]);
            let more = parsed(&parent, seed, share, &[]);
            for (symbol, value) in less.iter() {
                prop_assert!(parent.get(symbol) == Some(value) || more.get(symbol) == Some(value));
            }
        }
    }

    fn all(count: u32, value: &str) -> Config {
        let lines: Vec<String> = (0..count).map(|n| format!("CONFIG_S{n}={value}")).collect();
        Config::parse(&lines.join("\n")).unwrap()
    }

    /// The same on every machine, for ever: mutants are found again by their seeds.
    #[test]
    fn the_numbers_stay() {
        let parent = all(12, "m");
        let told = |seed| {
            let text = mutate(&parent, seed, 5000, &BTreeSet::new());
            let word =
                |line: &str| line.rsplit(['=', ' ']).next().unwrap_or_default()[..1].to_owned();
            text.lines().map(word).collect::<String>()
        };
        insta::assert_snapshot!([1, 2, 3].map(told).join(" "), @"ysmmmysssymm syyyymyymmmm msmymmymymmm");
    }

    #[test]
    fn the_share_is_about_right() {
        let parent = all(10_000, "y");
        let off = parsed(&parent, 7, 3300, &["OTHER"]);
        assert_eq!(off.get("OTHER"), Some(&Value::No));
        let off = off.iter().filter(|(_, value)| **value == Value::No).count();
        assert!((3150..3450).contains(&off), "{off}");
    }
}
