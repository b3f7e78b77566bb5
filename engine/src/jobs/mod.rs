//! Job documents: what a lab is asked to boot. Pure.
