//! CPU tokens: one GNU make jobserver for everything that a run does.
//!
//! A pipe holds as many bytes as nodes and compilers may run at once. The scheduler takes a byte for each node it starts, and each
//! node's `make` takes more of those that are free for its own jobs, so that builds, configure steps and boots
//! overlap and no CPU idles while work is ready (GNU make manual, "POSIX Jobserver Interaction").

use std::io;

use jobserver::Acquired;
use jobserver::Client;
use jobserver::HelperThread;

/// The tokens of one run.
pub(super) struct Tokens {
    client: Client,
    /// Asks for tokens without blocking the scheduler.
    helper: HelperThread,
    total: usize,
    /// Asked for and not yet here.
    asked: usize,
    /// Here, and with no node yet.
    spare: Vec<Acquired>,
    /// With nodes.
    held: usize,
}

/// The tokens of a node.
#[derive(Default)]
pub(super) struct Held(Vec<Acquired>);

impl Tokens {
    /// Tokens of a jobserver with `total` of them; `got` hears of each that was asked for.
    pub(super) fn new(
        client: &Client,
        total: usize,
        got: impl FnMut(io::Result<Acquired>) + Send + 'static,
    ) -> io::Result<Self> {
        Ok(Self {
            client: client.clone(),
            helper: client.clone().into_helper_thread(got)?,
            total,
            asked: 0,
            spare: Vec::new(),
            held: 0,
        })
    }

    /// Takes tokens if enough are here; asks for the rest otherwise.
    pub(super) fn take(&mut self, cpus: usize) -> Option<Held> {
        let cpus = cpus.min(self.total);
        while self.spare.len() + self.asked < cpus {
            self.helper.request_token();
            self.asked += 1;
        }
        if self.spare.len() < cpus {
            return None;
        }
        self.held += cpus;
        Some(Held(self.spare.split_off(self.spare.len() - cpus)))
    }

    /// Takes in a token that came.
    pub(super) fn came(&mut self, token: Acquired) {
        self.asked = self.asked.saturating_sub(1);
        self.spare.push(token);
    }

    /// Gives back what nothing needs now.
    pub(super) fn spare(&mut self) {
        self.spare.clear();
    }

    /// Takes back a node's tokens. `last` says that nothing else runs: a build that was killed may have
    /// kept some, or a wild one have made more, and then the count is put right.
    pub(super) fn back(&mut self, held: Held, last: bool) {
        self.held = self.held.saturating_sub(held.0.len());
        // A wild build may have made tokens, even until the pipe is full, and then giving one back would wait.
        let taken = self.held + self.spare.len() + held.0.len();
        let most = self.total.saturating_sub(taken);
        while self.client.available().is_ok_and(|free| free > most) {
            if self.client.acquire_raw().is_err() {
                break;
            }
        }
        drop(held);
        if !last {
            return;
        }
        let (Ok(free), mine) = (self.client.available(), self.spare.len() + self.held) else {
            return;
        };
        for _ in (free + mine + self.asked)..self.total {
            let _ = self.client.release_raw();
        }
    }
}
