//! Amounts for people.

use chrono::DateTime;

/// `512 B`, `3.4 MiB`, `1.2 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // In tenths, to stay with whole numbers.
    let mut tenths = u128::from(bytes) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// `1 build`, `3 builds`.
pub fn counted(count: impl TryInto<u64>, one: &str, many: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A duration to the second: `0.4s`, `14s`, `1m05s`, `1h02m07s`.
pub fn duration(ms: u64) -> String {
    let secs = ms / 1000;
    match secs {
        0..10 => format!("{secs}.{}s", ms % 1000 / 100),
        10..60 => format!("{secs}s"),
        60..3600 => format!("{}m{:02}s", secs / 60, secs % 60),
        _ => format!("{}h{:02}m{:02}s", secs / 3600, secs / 60 % 60, secs % 60),
    }
}

/// A day, such as `2026-01-31`, of seconds since 1970 (UTC).
pub fn date(secs: u64) -> String {
    let time = i64::try_from(secs)
        .ok()
        .and_then(|secs| DateTime::from_timestamp(secs, 0));
    time.map_or_else(
        || format!("{secs} s"),
        |time| time.format("%Y-%m-%d").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_grow_with_the_amount() {
        let shown = [0, 1023, 1024, 3_600_000, 1_300_000_000, u64::MAX].map(size);
        insta::assert_snapshot!(shown.join(", "), @"0 B, 1023 B, 1.0 KiB, 3.4 MiB, 1.2 GiB, 16777215.9 TiB");
    }

    #[test]
    fn durations_keep_their_seconds() {
        let shown = [0, 440, 59_999, 65_000, 3_599_999, 3_720_000].map(duration);
        insta::assert_snapshot!(shown.join(", "), @"0.0s, 0.4s, 59s, 1m05s, 59m59s, 1h02m00s");
    }
}
