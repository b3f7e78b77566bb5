//! The commands, and which file carries each out.

use clap::Parser;
use clap::Subcommand;

use super::boards;
use super::boot;
use super::check;
use super::completions;
use super::context::Context;
use super::context::Global;
use super::coverage;
use super::doc;
use super::explore;
use super::fault::Ending;
use super::fault::Fault;
use super::gc;
use super::graph;
use super::init;
use super::jobs;
use super::judge;
use super::labs;
use super::log;
use super::man;
use super::matrix;
use super::plan;
use super::realize;
use super::results;
use super::serve;
use super::shell;
use super::show;
use super::update;
use super::verify;
use super::why;

const AFTER: &str = "\
Addresses:
  SOURCE/ARCH/DEFCONFIG/TOOLCHAIN               a build
  SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/BOARD/SUITE   a boot of it
  KIND:NAME                                     any node, such as `image:kbuild`
  `*` matches within a component, `**` across components.

Exit codes:
  0  all good
  1  something that was wanted failed
  2  a fault in the definitions or on the command line
  3  a fault of the environment; also a run that was interrupted
  4  a fault of the engine";

/// Builds and boots Linux kernels as definitions declare them, and remembers what it did
#[derive(Debug, Parser)]
#[command(name = "engine", version, max_term_width = 100, after_help = AFTER)]
#[command(disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Init(init::InitArgs),
    Check(check::CheckArgs),
    Update(update::UpdateArgs),
    Plan(plan::PlanArgs),
    // Not a visible alias: shells would offer that one in its place.
    #[command(alias = "realise")]
    Realize(realize::RealizeArgs),
    Results(results::ResultsArgs),
    Matrix(matrix::MatrixArgs),
    Log(log::LogArgs),
    Judge(judge::JudgeArgs),
    Boards(boards::BoardsArgs),
    Boot(boot::BootArgs),
    Explore(explore::ExploreArgs),
    Coverage(coverage::CoverageArgs),
    Labs(labs::LabsArgs),
    Jobs(jobs::JobsArgs),
    Serve(serve::ServeArgs),
    Why(why::WhyArgs),
    Show(show::ShowArgs),
    Graph(graph::GraphArgs),
    Shell(shell::ShellArgs),
    Gc(gc::GcArgs),
    Verify(verify::VerifyArgs),
    Doc(doc::DocArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

impl Command {
    /// Carries the command out.
    pub(super) fn run(&self, context: &Context) -> Result<Ending, Fault> {
        match self {
            Self::Init(args) => init::run(context, args),
            Self::Check(args) => check::run(context, args),
            Self::Update(args) => update::run(context, args),
            Self::Plan(args) => plan::run(context, args),
            Self::Realize(args) => realize::run(context, args),
            Self::Results(args) => results::run(context, args),
            Self::Matrix(args) => matrix::run(context, args),
            Self::Log(args) => log::run(context, args),
            Self::Judge(args) => judge::run(context, args),
            Self::Boards(args) => boards::run(context, args),
            Self::Boot(args) => boot::run(context, args),
            Self::Explore(args) => explore::run(context, args),
            Self::Coverage(args) => coverage::run(context, args),
            Self::Labs(args) => labs::run(context, args),
            Self::Jobs(args) => jobs::run(context, args),
            Self::Serve(args) => serve::run(context, args),
            Self::Why(args) => why::run(context, args),
            Self::Show(args) => show::run(context, args),
            Self::Graph(args) => graph::run(context, args),
            Self::Shell(args) => shell::run(context, args),
            Self::Gc(args) => gc::run(context, args),
            Self::Verify(args) => verify::run(context, args),
            Self::Doc(args) => doc::run(context, args),
            Self::Completions(args) => completions::run(context, args),
            Self::Man(args) => man::run(context, args),
        }
    }
}
