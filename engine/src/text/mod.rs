//! Files, spans and diagnostics as plain data, with one plain-text rendering of them, amounts for people, and expressions that are constants.
//!
//! A diagnostic says what is wrong, shows where, and says what to do next:
//!
//! ```text
//! error: a board has no field `requries`
//!  --> main.rhai:5:5
//!   |
//! 5 |     requries: cfg("SMP"),
//!   |     ^^^^^^^^
//!   = help: did you mean `requires`?
//! ```

mod amounts;
mod causes;
mod diagnostic;
mod expression;
mod render;
mod source;
mod spelling;
mod suggest;

pub use amounts::counted;
pub use amounts::date;
pub use amounts::duration;
pub use amounts::size;
pub use causes::with_causes;
pub use diagnostic::Diagnostic;
pub use diagnostic::Label;
pub use expression::regex;
pub use source::SourceText;
pub use source::Span;
pub use spelling::Spelling;
pub use suggest::did_you_mean;
