//! Renderings: a run as JSON lines, JUnit and text, a graph as DOT and SVG. Reports never decide.

mod curve;
mod drawing;
mod json;
mod junit;
mod node;
#[cfg(test)]
mod sample;
mod summary;
mod svg;
mod value;

pub use curve::Line;
pub use curve::curves;
pub use drawing::Drawing;
pub use drawing::draw;
pub use json::json_line;
pub use junit::JunitError;
pub use junit::junit;
pub use summary::summary;
pub use svg::SvgError;
pub use svg::svg;
pub use value::readable;
