//! A job from its submission to its end, with its console read as it comes.

use std::io;
use std::io::Write;
use std::time::Duration;
use std::time::Instant;

use super::Entry;
use super::JobEnd;
use super::JobState;
use super::LavaError;
use super::LavaServer;
use crate::console::Console;
use crate::console::End;
use crate::model::Judging;
use crate::sandbox::Cancel;
use crate::text::with_causes;

/// How often `cancel` is looked at.
const TICK: Duration = Duration::from_millis(100);
/// How long the server may take to cancel a job when the run ends.
const FAREWELL: Duration = Duration::from_millis(600);
/// How long a job may go on after the suite's end or a panic: LAVA ends it itself where its monitor saw that.
const GRACE: Duration = Duration::from_secs(15);
/// Workers send their logs some seconds late.
const LATE: Duration = Duration::from_secs(10);
/// The longest pause between two questions to a server that does not answer.
const MOST_PAUSE: Duration = Duration::from_secs(15);

/// What is wanted of a job that is followed.
pub struct Watch<'a> {
    /// Seconds of silence after which it counts as hung.
    pub silence_secs: u32,
    /// Seconds after which it is ended, from the kernel's first line.
    pub total_secs: u32,
    /// Seconds that it may wait for a device.
    pub queue_secs: u32,
    /// Seconds that it may take there; LAVA has the same limit, where its worker is alive.
    pub limit_secs: u32,
    /// How long the server may give no answer.
    pub lost_secs: u64,
    /// What of the kernel's complaints and of the tests fails it.
    pub judging: &'a Judging,
    /// Ends it early.
    pub cancel: &'a Cancel,
    /// Takes what the machine prints.
    pub console: &'a mut (dyn Write + Send),
    /// Takes that and what LAVA says went wrong.
    pub brief: &'a mut (dyn Write + Send),
    /// Takes everything, LAVA's own words too.
    pub log: &'a mut (dyn Write + Send),
    /// Takes a line for the user.
    pub note: &'a (dyn Fn(&str) + Send + Sync),
}

/// A job that ended.
pub struct Followed {
    /// What the machine printed.
    pub console: Console,
    /// Why it was ended here, if it was.
    pub ended: Option<End>,
    /// The device.
    pub device: String,
    /// What LAVA says of it.
    pub job: JobEnd,
}

/// What is known of a job under way.
struct Progress {
    console: Console,
    state: JobState,
    /// Lines of the log that were read.
    lines: usize,
    /// When it was first seen in the state that it is in.
    since: Instant,
    last_line: Instant,
    kernel: Option<Instant>,
    over: Option<Instant>,
    ended: Option<End>,
    /// LAVA ends the job.
    finalises: bool,
    /// What LAVA typed since then, which the console echoes.
    typed: Vec<String>,
}

impl LavaServer {
    /// Follows a job to its end. A run that is cancelled cancels the job too.
    pub async fn follow(&self, job: u64, watch: &mut Watch<'_>) -> Result<Followed, LavaError> {
        let mut progress = Progress {
            console: Console::new(watch.judging.clone()),
            state: JobState::default(),
            lines: 0,
            since: Instant::now(),
            last_line: Instant::now(),
            kernel: None,
            over: None,
            ended: None,
            finalises: false,
            typed: Vec::new(),
        };
        let mut lost: Option<Instant> = None;
        let mut pause = TICK;
        loop {
            let cancel = watch.cancel.clone();
            if let Some(secs) = progress.is_late(watch) {
                self.farewell(job).await?;
                return Err(LavaError::Late {
                    lab: self.name.clone(),
                    job,
                    state: progress.state.state,
                    secs,
                });
            }
            let step = tokio::select! {
                () = cancelled(&cancel) => {
                    self.farewell(job).await?;
                    return Err(LavaError::Cancelled);
                }
                step = self.step(job, &mut progress, watch) => step,
            };
            match step {
                Ok(true) => break,
                Ok(false) => (lost, pause) = (None, TICK),
                Err(error) => {
                    let since = *lost.get_or_insert_with(Instant::now);
                    let secs = since.elapsed().as_secs();
                    if secs >= watch.lost_secs {
                        return Err(LavaError::Lost {
                            lab: self.name.clone(),
                            job,
                            secs,
                            last: with_causes(&error),
                        });
                    }
                    if pause == TICK {
                        (watch.note)(&format!(
                            "lab `{}`: {}; asks again for up to {} s",
                            self.name,
                            with_causes(&error),
                            watch.lost_secs
                        ));
                    }
                    pause = (pause * 2).min(MOST_PAUSE);
                    tokio::select! {
                        () = cancelled(&cancel) => return Err(LavaError::Cancelled),
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        let end = self.results(job, &progress.state.health).await?;
        Ok(Followed {
            console: progress.console,
            ended: progress.ended,
            device: progress.state.device,
            job: end,
        })
    }

    /// Looks at the job once; says whether it is finished.
    async fn step(
        &self,
        job: u64,
        progress: &mut Progress,
        watch: &mut Watch<'_>,
    ) -> Result<bool, LavaError> {
        if let Some(state) = self.state(job, &progress.state).await? {
            if state.state == "Running" && progress.state.state != "Running" {
                progress.last_line = Instant::now();
                (watch.note)(&format!(
                    "job {job} of lab `{}` runs on {}",
                    self.name, state.device
                ));
            }
            progress.state = state;
            progress.since = Instant::now();
        }
        let finished = progress.state.state == "Finished";
        if !finished && progress.state.state != "Running" {
            return Ok(false);
        }
        let (entries, lines) = self.log(job, progress.lines).await?;
        progress.lines += lines;
        for entry in &entries {
            progress.take(entry, watch).map_err(written)?;
        }
        if finished {
            // A last look may have found only a part.
            return Ok(lines == 0);
        }
        if progress.ended.is_none()
            && let Some(end) = progress.is_enough(watch)
        {
            progress.ended = Some(end);
            self.cancel(job).await?;
        }
        Ok(false)
    }

    /// Cancels a job, but not for long.
    async fn farewell(&self, job: u64) -> Result<(), LavaError> {
        match tokio::time::timeout(FAREWELL, self.cancel(job)).await {
            Ok(told) => told,
            Err(_) => Err(LavaError::NotCancelled {
                lab: self.name.clone(),
                job,
            }),
        }
    }
}

impl Progress {
    fn take(&mut self, entry: &Entry, watch: &mut Watch<'_>) -> io::Result<()> {
        let line = entry.line();
        writeln!(watch.log, "{line}")?;
        if entry.is_brief() {
            writeln!(watch.brief, "{line}")?;
        }
        self.finalises |= entry.is_end();
        if let Some(input) = entry.input()
            && self.finalises
        {
            self.typed.push(input.to_owned());
        }
        let echo = |text: &str| {
            self.typed
                .iter()
                .any(|typed| text.trim_end().ends_with(typed))
        };
        if let Entry::Console(text) = entry
            && !echo(text)
        {
            self.last_line = Instant::now();
            if self.kernel.is_none() && text.contains("Linux version ") {
                self.kernel = Some(Instant::now());
            }
            writeln!(watch.console, "{text}")?;
            self.console.push(text.as_bytes());
            self.console.push(b"\n");
        }
        Ok(())
    }

    /// Whether it has been waiting or running for too long: a worker that is gone ends no job.
    fn is_late(&self, watch: &Watch<'_>) -> Option<u64> {
        let secs = match self.state.state.as_str() {
            "Running" => watch.limit_secs,
            _ => watch.queue_secs,
        };
        let late = self.since.elapsed() >= Duration::from_secs(secs.into()) + 6 * LATE;
        late.then(|| self.since.elapsed().as_secs())
    }

    /// Why the job is ended here, if it is.
    fn is_enough(&mut self, watch: &Watch<'_>) -> Option<End> {
        let kernel = self.kernel?;
        if self.console.is_over() {
            let over = *self.over.get_or_insert_with(Instant::now);
            return (over.elapsed() >= GRACE).then_some(End::Killed);
        }
        let limit = |secs: u32| Duration::from_secs(secs.into()) + LATE;
        if kernel.elapsed() >= limit(watch.total_secs) {
            return Some(End::Total);
        }
        (self.last_line.elapsed() >= limit(watch.silence_secs)).then_some(End::Silence)
    }
}

/// What `work` gives, or nothing once the run is cancelled.
pub async fn unless_cancelled<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        () = cancelled(cancel) => None,
        done = work => Some(done),
    }
}

/// Returns once the run is cancelled.
async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(TICK).await;
    }
}

fn written(error: io::Error) -> LavaError {
    LavaError::Log(error)
}

/// Computes beside everything that waits.
pub async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}
