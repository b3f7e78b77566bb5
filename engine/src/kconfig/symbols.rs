//! Symbol names: their shape.

/// Whether `name` (without `CONFIG_`) can be a symbol: ASCII letters, digits and `_`.
pub(super) fn is_symbol(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
