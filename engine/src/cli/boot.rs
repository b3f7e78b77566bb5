//! `engine boot`: one boot, here or in a lab.

use clap::Args;

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
#[derive(Debug, Args)]
#[command(after_help = AFTER)]
pub(super) struct BootArgs {
    #[command(flatten)]
    realize: RealizeArgs,
}

pub(super) fn run(context: &Context, args: &BootArgs) -> Result<Ending, Fault> {
    let addresses = args.realize.wanted.addresses.clone();
    if addresses.is_empty() {
        return Err(Fault::user("`engine boot` takes the address of a boot")
            .help("SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/BOARD/SUITE; `engine boards` lists which boards fit"));
    }
    let ending = realize::realise(context, &args.realize, addresses.clone())?;
    let session = args.realize.wanted.lab.session(context)?;
    for (boot, console) in session.consoles(&addresses)? {
        context.terminal.say(&format!("console of {boot}:"));
        context.terminal.data(console)?;
    }
    Ok(ending)
}
