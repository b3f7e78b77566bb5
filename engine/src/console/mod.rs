//! Boot logs: verdict, test results, what the kernel complained about. Pure.
//!
//! ```text
//! bytes -> lines  (ANSI, CR, bad UTF-8, lines torn by printk), stamp (levels, times, callers, syslog)
//!       -> findings: class, title, function at fault   \
//!       -> ktap, ltp: test results, groups, plans       } -> BootResults
//!       -> markers of `/init`: reached, suite end      /
//! ```

mod findings;
mod ktap;
#[cfg(test)]
mod ktap_tests;
mod lines;
mod ltp;
mod reader;
mod results;
mod stamp;
#[cfg(test)]
mod tests;

pub use findings::Class;
pub use findings::Finding;
pub use findings::Place;
pub use lines::printable;
pub use reader::Console;
pub use results::BootResults;
pub use results::BootVerdict;
pub use results::End;
pub use results::Measurement;
pub use results::TestOutcome;
pub use results::TestResult;
