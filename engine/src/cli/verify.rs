//! `engine verify`.

use clap::Args;

use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

/// Later
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {}

pub(super) fn run(context: &Context, _: &VerifyArgs) -> Result<Ending, Fault> {
    context.store()?;
    Ok(Ending::Good)
}
