//! The header `Range`, RFC 9110 section 14.

/// What of a file is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// All of it: nothing was asked, or what is not understood, which is then ignored.
    Whole,
    /// From a byte to another, both included.
    Part(u64, u64),
    /// What there is not.
    Unsatisfiable,
}

/// Reads a header for a file of a size. Of several ranges none is given.
pub(super) fn parse(header: &str, size: u64) -> Range {
    let Some(range) = header.strip_prefix("bytes=") else {
        return Range::Whole;
    };
    let Some((first, last)) = range.split_once('-') else {
        return Range::Whole;
    };
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    match (number(first.trim()), number(last.trim())) {
        (Some(first), _) if first >= size && last.trim().is_empty() => Range::Unsatisfiable,
        (Some(first), None) if last.trim().is_empty() => Range::Part(first, size - 1),
        (Some(first), Some(last)) if first <= last && first < size => {
            Range::Part(first, last.min(size - 1))
        }
        (Some(first), Some(last)) if first <= last => Range::Unsatisfiable,
        (None, Some(0)) if first.trim().is_empty() => Range::Unsatisfiable,
        (None, Some(last)) if first.trim().is_empty() => match size {
            0 => Range::Unsatisfiable,
            _ => Range::Part(size.saturating_sub(last), size - 1),
        },
        _ => Range::Whole,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_range_as_the_rfc_has_it() {
        for (header, expected) in [
            ("bytes=0-0", Range::Part(0, 0)),
            ("bytes=5-", Range::Part(5, 9)),
            ("bytes=5-99", Range::Part(5, 9)),
            ("bytes=-3", Range::Part(7, 9)),
            ("bytes=-99", Range::Part(0, 9)),
            ("bytes=-0", Range::Unsatisfiable),
            ("bytes=10-", Range::Unsatisfiable),
            ("bytes=10-11", Range::Unsatisfiable),
            ("bytes=5-4", Range::Whole),
            ("bytes=0-1,4-5", Range::Whole),
            ("lines=0-1", Range::Whole),
            ("bytes=-", Range::Whole),
            ("bytes=99999999999999999999-", Range::Unsatisfiable),
        ] {
            assert_eq!(parse(header, 10), expected, "{header}");
        }
        assert_eq!(parse("bytes=0-", 0), Range::Unsatisfiable);
    }

    proptest! {
        #[test]
        fn a_part_lies_in_the_file(header in "bytes=[0-9]{0,4}-[0-9]{0,4}", size in 0_u64..3000) {
            if let Range::Part(first, last) = parse(&header, size) {
                prop_assert!(first <= last && last < size);
            }
        }
    }
}
