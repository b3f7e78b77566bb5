//! Source texts, spans and diagnostics as plain data; drawing them is the terminal's business.
