//! Debian's programs on the host.

use std::io;
use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::process::ExitStatus;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use crate::origins::OriginError;
use crate::origins::error::file;
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
    mut command: Command,
    program: &'static str,
    package: &'static str,
    cancel: &Cancel,
) -> Result<Said, OriginError> {
    command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OriginError::Missing { program, package },
        _ => file("run", Path::new(program))(error),
    })?;
    let read = |stream: Option<Box<dyn Read + Send>>| {
        thread::spawn(move || {
            let mut bytes = Vec::new();
            // What cannot be read ends with the program.
            let _ = stream.map(|mut stream| stream.read_to_end(&mut bytes));
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(child.stdout.take().map(|stream| Box::new(stream) as _));
    let err = read(child.stderr.take().map(|stream| Box::new(stream) as _));
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
        thread::sleep(TICK);
    };
    Ok(Said {
        status,
        out: out.join().unwrap_or_default(),
        err: err.join().unwrap_or_default(),
    })
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
    use std::time::Instant;

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
