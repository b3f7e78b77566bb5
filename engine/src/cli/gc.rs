//! `engine gc`.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

/// Later
#[derive(Debug, Args)]
pub(super) struct GcArgs {}

pub(super) fn run(context: &Context, _: &GcArgs) -> Result<Ending, Fault> {
    context.store()?;
    Ok(Ending::Good)
}
