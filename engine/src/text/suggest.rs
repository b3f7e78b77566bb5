//! "Did you mean": the nearest known name.

/// The candidate nearest to `written`, if it is near enough to be a misspelling.
pub fn did_you_mean<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let allowed = (written.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(written, candidate), candidate))
        .filter(|(distance, candidate)| {
            (1..=allowed).contains(distance) && *distance < candidate.chars().count()
        })
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_near_names_only() {
        assert_eq!(
            did_you_mean("requries", ["rootfs", "requires"]),
            Some("requires")
        );
        assert_eq!(did_you_mean("frobnicate", ["rootfs", "requires"]), None);
    }
}
