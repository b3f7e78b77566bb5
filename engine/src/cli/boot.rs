//! `engine boot`: one boot, here or in a lab.

use clap::Args;

use super::complete::addresses;
use super::context::AtLab;
use super::context::Context;
use super::fault::Ending;
use super::fault::Fault;
use super::realize;
use super::realize::RealizeArgs;

const AFTER: &str = "\
Examples:
  engine boot linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general
  engine boot linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general --lab mylab";

/// Boot one address, here or in a lab, and print its console
///
/// What it takes is made first, and a boot that was done is not done again.
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct BootArgs {
    /// Address of a boot: SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/BOARD/SUITE
    #[arg(value_name = "ADDRESS", add = addresses())]
    address: String,
    #[command(flatten)]
    lab: AtLab,
    /// Boot again what failed
    #[arg(long)]
    retry_failed: bool,
}

pub(super) fn run(context: &Context, args: &BootArgs) -> Result<Ending, Fault> {
    let addresses = vec![args.address.clone()];
    let mut realize = RealizeArgs::default();
    realize.wanted.lab = args.lab.clone();
    realize.wanted.retry_failed = args.retry_failed;
    let ending = realize::realise(context, &realize, addresses.clone())?;
    let session = args.lab.session(context, &addresses)?;
    for (boot, console) in session.consoles(&addresses)? {
        context.terminal.say(&format!("console of {boot}:"));
        context.terminal.data(console)?;
    }
    Ok(ending)
}
