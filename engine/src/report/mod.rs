//! Renderings of events and results: text, JSON, JUnit. Reports never decide.
