//! Symbol names: their shape, and where Kconfig files define them.

/// Whether `name` (without `CONFIG_`) can be a symbol: ASCII letters, digits and `_`.
pub(super) fn is_symbol(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Gives the names that the `config X` and `menuconfig X` lines of one Kconfig file define, in
/// order, with repetitions. A help text line of exactly that form is taken for a definition too.
pub fn symbols_defined(kconfig_text: &str) -> impl Iterator<Item = &str> {
    kconfig_text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        words
            .next()
            .filter(|word| matches!(*word, "config" | "menuconfig"))?;
        let name = words.next().filter(|name| is_symbol(name))?;
        words
            .next()
            .is_none_or(|word| word.starts_with('#'))
            .then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_are_found_and_prose_is_not() {
        let text = "\
# SPDX-License-Identifier: GPL-2.0-only
menuconfig ATA
\ttristate \"Serial ATA and Parallel ATA drivers (libata)\"
if ATA
  config ATA_PIIX # the usual one
\tdepends on PCI
\thelp
\t  config space access is needed for this
config 64BIT\r
\tdef_bool y
configuration FOO
config FOO-BAR
config
endif
";
        assert_eq!(
            symbols_defined(text).collect::<Vec<_>>(),
            ["ATA", "ATA_PIIX", "64BIT"]
        );
    }
}
