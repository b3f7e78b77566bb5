//! Gentoo: stage3s of its mirrors, and packages added by Portage from a pinned snapshot of the ebuild repository.

mod base;
mod family;
mod gpkg;
mod image;
mod lists;
mod mirror;
mod names;
mod request;
mod resolve;
mod words;

pub(super) use family::Gentoo;
