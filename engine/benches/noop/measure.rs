//! Wall time and memory of a whole process, by a process in between that does nothing else.

use std::env;
use std::path::Path;
use std::process::Command;
use std::process::ExitCode;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use nix::sys::resource::UsageWho;
use nix::sys::resource::getrusage;

use super::Done;

const ROLE: &str = "--measured";
const REPEATS: usize = 5;
/// What takes milliseconds is run more often, as one disturbed run in five is common.
const AT_LEAST: Duration = Duration::from_millis(500);

/// What the cheapest of several runs took.
#[derive(Clone, Copy)]
pub struct Cost {
    /// Wall time.
    pub seconds: f64,
    /// Largest resident set.
    pub mib: f64,
}

/// Runs a command a few times, each by this program in its other role.
pub fn best(command: &Command) -> Done<Cost> {
    let mut best: Option<Cost> = None;
    let (start, mut runs) = (Instant::now(), 0);
    while runs < REPEATS || start.elapsed() < AT_LEAST {
        runs += 1;
        let mut between = Command::new(env::current_exe()?);
        between
            .arg(ROLE)
            .arg(command.get_program())
            .args(command.get_args());
        between.current_dir(command.get_current_dir().unwrap_or(Path::new(".")));
        for (name, value) in command.get_envs() {
            between.env(name, value.unwrap_or_default());
        }
        let output = between.stderr(Stdio::inherit()).output()?;
        if !output.status.success() {
            return Err(format!("{command:?} ended with {}", output.status).into());
        }
        let text = String::from_utf8(output.stdout)?;
        let (seconds, kib) = text.trim().split_once(' ').ok_or("no measurement")?;
        let cost = Cost {
            seconds: seconds.parse()?,
            mib: kib.parse::<f64>()? / 1024.0,
        };
        if best.is_none_or(|best| cost.seconds < best.seconds) {
            best = Some(cost);
        }
    }
    best.ok_or_else(|| "nothing was measured".into())
}

/// The other role: runs the rest of the command line and prints seconds and KiB.
pub fn measured() -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != ROLE {
        return None;
    }
    let mut command = Command::new(arguments.next()?);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status();
    let seconds = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN);
    Some(match (status, usage) {
        (Ok(status), Ok(usage)) if status.success() => {
            println!("{seconds} {}", usage.max_rss());
            ExitCode::SUCCESS
        }
        _ => ExitCode::FAILURE,
    })
}
