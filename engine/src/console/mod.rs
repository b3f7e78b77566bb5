//! Boot logs: verdict, test results, failure lines. Pure.
//!
//! ```text
//! bytes -> lines  (ANSI, CR, bad UTF-8, lines torn by printk)
//!       -> kernel: failure lines, call trace      \
//!       -> KTAP: test results, subtests, plans     } -> BootResults
//!       -> markers of `/init`: reached, suite end /
//! ```

mod failure;
mod ktap;
mod lines;
mod reader;
mod results;
#[cfg(test)]
mod tests;

pub use lines::printable;
pub use reader::Console;
pub use results::BootResults;
pub use results::BootVerdict;
pub use results::End;
pub use results::TestOutcome;
pub use results::TestResult;
