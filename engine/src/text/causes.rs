//! Errors with their causes.

use std::error::Error;

/// An error with its causes to the last, one line; a cause that is told already is not repeated.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let told = cause.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("cannot ask")]
    struct Asked(#[source] Sent);

    #[derive(Debug, Error)]
    #[error("cannot send: {0}")]
    struct Sent(#[source] io::Error);

    #[test]
    fn the_last_cause_is_kept() {
        let error = Asked(Sent(io::ErrorKind::ConnectionRefused.into()));
        assert_eq!(
            with_causes(&error),
            "cannot ask: cannot send: connection refused"
        );
    }
}
