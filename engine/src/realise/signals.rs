//! What ends a run from outside.

use std::io;
use std::sync::Mutex;
use std::sync::OnceLock;
use std::sync::PoisonError;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::unbounded_channel;

/// SIGINT, SIGTERM and SIGHUP while a run goes on. The first ends the run; the second, and any when no run goes on any more, ends the
/// engine at once. Sandboxes die with it, and the store is never half-written.
pub(super) struct Signals {
    told: UnboundedReceiver<()>,
}

/// Who is told of the next signal: from the first run on there is one who listens, as the signals have lost their own meaning then.
static NEXT: Mutex<Option<UnboundedSender<()>>> = Mutex::new(None);
static LISTENS: OnceLock<Result<(), io::ErrorKind>> = OnceLock::new();

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        let (sender, told) = unbounded_channel();
        *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender);
        let listens = LISTENS.get_or_init(|| listen().map_err(|error| error.kind()));
        listens.map_err(io::Error::from)?;
        Ok(Self { told })
    }

    /// Waits for the first one.
    pub(super) async fn next(&mut self) {
        if self.told.recv().await.is_none() {
            // Another run of this process hears it.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        NEXT.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// Starts the thread that hears signals for as long as the process lives.
fn listen() -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _inside = runtime.enter();
        (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        )
    };
    let hear = move || {
        loop {
            runtime.block_on(any(&mut interrupt, &mut terminate, &mut hangup));
            let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner).take();
            if next.is_none_or(|run| run.send(()).is_err()) {
                #[expect(clippy::exit, reason = "this is what was asked for, whatever goes on")]
                std::process::exit(3);
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(hear)?;
    Ok(())
}

async fn any(first: &mut Signal, second: &mut Signal, third: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
        _ = third.recv() => {}
    }
}
