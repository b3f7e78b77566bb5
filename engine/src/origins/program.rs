//! Programs of the host that origins run.

use std::io;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use super::OriginError;
use super::error::file;
use crate::sandbox::Cancel;

/// Between two looks at a program that runs.
const TICK: Duration = Duration::from_millis(20);

/// How a program ended, and all it said.
#[derive(Debug)]
pub(super) struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs a program to its end, or until it is cancelled.
pub(super) fn run(
    command: Command,
    program: &'static str,
    package: &'static str,
    cancel: &Cancel,
) -> Result<Said, OriginError> {
    Ok(watched(command, program, package, cancel, |_, _| true)?.unwrap_or_else(|said| said))
}

/// The same, while `goes_on` says so of what it said last on standard error and of how long it has been silent; else what it said until then,
/// as an error.
pub(super) fn watched(
    mut command: Command,
    program: &'static str,
    package: &'static str,
    cancel: &Cancel,
    mut goes_on: impl FnMut(&str, Duration) -> bool,
) -> Result<Result<Said, Said>, OriginError> {
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OriginError::Missing { program, package },
        _ => file("run", Path::new(program))(error),
    })?;
    let out = Heard::read(child.stdout.take());
    let err = Heard::read(child.stderr.take());
    let mut stalled = false;
    let status = loop {
        if let Some(status) = child
            .try_wait()
            .map_err(file("wait for", Path::new(program)))?
        {
            break status;
        }
        if cancel.is_cancelled() {
            let _ = child.kill();
            let _ = child.wait();
            // Its own children may hold the pipes open: nobody waits for the readers.
            return Err(OriginError::Cancelled);
        }
        let silent = out.silent().min(err.silent());
        if !stalled && !goes_on(&err.last_line(), silent) {
            stalled = true;
            let _ = child.kill();
        }
        thread::sleep(TICK);
    };
    if stalled {
        let err = err.text();
        let out = String::new();
        return Ok(Err(Said { status, out, err }));
    }
    Ok(Ok(Said {
        status,
        out: out.all(),
        err: err.all(),
    }))
}

/// What has come of one stream of a program.
struct Heard {
    bytes: Arc<Mutex<(Vec<u8>, Instant)>>,
    reader: thread::JoinHandle<()>,
}

impl Heard {
    fn read(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new((Vec::new(), Instant::now())));
        let to = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut part = vec![0; 1 << 16];
            // What cannot be read ends with the program.
            if let Some(mut stream) = stream {
                while let Ok(count @ 1..) = stream.read(&mut part) {
                    let mut heard = to.lock().unwrap_or_else(PoisonError::into_inner);
                    heard.0.extend_from_slice(&part[..count]);
                    heard.1 = Instant::now();
                }
            }
        });
        Self { bytes, reader }
    }

    fn silent(&self) -> Duration {
        let heard = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        heard.1.elapsed()
    }

    /// The last line that is whole, or was before another took its place.
    fn last_line(&self) -> String {
        let heard = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let end = heard.0.len().saturating_sub(1 << 10);
        let text = String::from_utf8_lossy(&heard.0[end..]);
        let mut lines = text.split(['\r', '\n']).rev();
        lines.nth(1).unwrap_or_default().to_owned()
    }

    fn text(&self) -> String {
        let heard = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard.0).into_owned()
    }

    fn all(self) -> String {
        let _ = self.reader.join();
        let heard = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&heard.0).into_owned()
    }
}

impl Said {
    /// Its standard output, where it succeeded.
    pub(super) fn output(self, command: &'static str) -> Result<String, OriginError> {
        if self.status.success() {
            return Ok(self.out);
        }
        Err(OriginError::Failed {
            command,
            message: errors(&self.err),
        })
    }
}

/// The errors in what a program of apt's said.
pub(super) fn errors(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("E: "))
        .map(str::trim)
        .collect();
    if lines.is_empty() {
        text.trim().to_owned()
    } else {
        lines.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cancelled_program_is_killed() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 100 & sleep 100"]);
        let cancel = Cancel::new();
        let waiting = cancel.clone();
        let ender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            waiting.cancel();
        });
        let start = Instant::now();
        let result = run(command, "sh", "dash", &cancel);
        assert!(matches!(result, Err(OriginError::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(1));
        ender.join().unwrap();
    }

    #[test]
    fn errors_are_those_of_apt_or_all() {
        assert_eq!(errors("W: a\nE: b\nE: c\n"), "b; c");
        assert_eq!(errors(" usage\n"), "usage");
    }
}
