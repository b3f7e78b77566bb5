//! `engine jobs`: boots as jobs of LAVA's.

use std::fmt::Write as _;

use clap::Args;

use super::complete::addresses;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;

const AFTER: &str = "\
Examples:
  engine jobs linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general
  engine jobs '**' --lab mylab";

/// Print boots as the YAML of LAVA jobs, one for each lab that may boot them
///
/// Kernels and root filesystems must be there already. `http://ARTIFACTS` stands for the address that a run serves results at, where the
/// lab has no `artifacts_url`.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct JobsArgs {
    /// Addresses of boots, with `*` and `**`
    #[arg(value_name = "ADDRESS", required = true, add = addresses())]
    addresses: Vec<String>,
    /// Only for this lab
    #[arg(long, value_name = "LAB")]
    lab: Option<String>,
}

pub(super) fn run(context: &Context, args: &JobsArgs) -> Result<Ending, Fault> {
    let mut session = context.session(&args.addresses)?;
    match &args.lab {
        Some(lab) => session.at_lab(lab)?,
        None => session.at_lava(),
    }
    let jobs = session.jobs(&args.addresses)?;
    if jobs.is_empty() {
        session.matched(&args.addresses, None)?;
        let fault = Fault::user("these addresses name no boot that a LAVA lab may run");
        return Err(fault.help("`engine boards` lists which boards fit; a board needs the field `lava`, and a lab of LAVA's must be declared"));
    }
    let mut text = String::new();
    for job in &jobs {
        // Writing to a string cannot fail.
        let _ = write!(text, "---\n# {} in lab {}\n{}", job.boot, job.lab, job.yaml);
        if !text.ends_with('\n') {
            text.push('\n');
        }
    }
    context.terminal.data(text)?;
    session.matched(&args.addresses, None)?;
    Ok(Ending::Good)
}
