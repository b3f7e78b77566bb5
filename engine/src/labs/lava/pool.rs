//! All labs of a project: jobs go to the one that is likely to boot them first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::OwnedSemaphorePermit;

use super::LavaError;
use super::LavaServer;
use crate::spec::LavaSpec;

/// How long a lab that failed is asked last.
const SHUNNED: Duration = Duration::from_mins(10);

/// The LAVA labs of a run.
#[derive(Debug, Default)]
pub struct LavaLabs {
    servers: Vec<Arc<LavaServer>>,
    /// By lab, in this run.
    fortunes: Mutex<BTreeMap<String, Fortune>>,
}

/// When a lab failed last and succeeded last.
#[derive(Clone, Copy, Debug, Default)]
struct Fortune {
    failed: Option<Instant>,
    succeeded: Option<Instant>,
}

/// A lab for a job, with a slot of it.
pub struct Placed {
    /// The lab.
    pub server: Arc<LavaServer>,
    /// Held while the job is there.
    pub slot: OwnedSemaphorePermit,
}

impl LavaLabs {
    /// Labs, all of which may be used.
    pub fn new(servers: Vec<LavaServer>) -> Self {
        Self {
            servers: servers.into_iter().map(Arc::new).collect(),
            fortunes: Mutex::default(),
        }
    }

    /// Every lab.
    pub fn servers(&self) -> &[Arc<LavaServer>] {
        &self.servers
    }

    /// A lab by name.
    pub fn named(&self, name: &str) -> Option<&Arc<LavaServer>> {
        self.servers.iter().find(|server| server.name == name)
    }

    /// Jobs that may be in all labs together.
    pub fn slots(&self) -> usize {
        let slots = self
            .servers
            .iter()
            .map(|server| server.lab.max_jobs as usize);
        slots.sum()
    }

    /// A slot of a lab by name, such as that of a job which is there already.
    pub async fn slot(&self, name: &str) -> Option<Placed> {
        let server = Arc::clone(self.named(name)?);
        let slot = Arc::clone(&server.slots).acquire_owned().await.ok()?;
        Some(Placed { server, slot })
    }

    /// Chooses a lab and waits for a slot of it: of those that have a good device and that may boot the board the one with the shortest
    /// queue for each device; one that failed a short while ago comes last, one that succeeded last comes first among equals.
    pub async fn place(&self, spec: &LavaSpec) -> Result<Placed, LavaError> {
        let pinned = &spec.device.labs;
        let may = |server: &&Arc<LavaServer>| pinned.is_empty() || pinned.contains(&server.name);
        let mut fit = Vec::new();
        let mut reasons = Vec::new();
        for server in self.servers.iter().filter(may) {
            match server.good(spec).await {
                Ok((good, waiting)) => {
                    let ours = (server.lab.max_jobs as usize)
                        .saturating_sub(server.slots.available_permits());
                    let (shunned, idle) = self.fortune(&server.name);
                    let load = (waiting.max(ours) * 1000) / good;
                    fit.push(((shunned, load, idle), server));
                }
                Err(why) => reasons.push(format!("`{}`: {why}", server.name)),
            }
        }
        let best = fit.into_iter().min_by_key(|(rank, _)| *rank);
        let Some((_, server)) = best else {
            if reasons.is_empty() {
                reasons.push("`--lab` leaves none that may boot the board".to_owned());
            }
            return Err(LavaError::NoDevice(reasons.join("; ")));
        };
        let slot = Arc::clone(&server.slots).acquire_owned().await;
        let slot = slot.map_err(|_| LavaError::Cancelled)?;
        Ok(Placed {
            server: Arc::clone(server),
            slot,
        })
    }

    /// Tells that a lab booted something, or failed to.
    pub async fn tell(&self, server: &LavaServer, good: bool) {
        {
            let mut fortunes = self.fortunes.lock().unwrap_or_else(PoisonError::into_inner);
            let fortune = fortunes.entry(server.name.clone()).or_default();
            fortune.failed = (!good).then(Instant::now);
            if good {
                fortune.succeeded = Some(Instant::now());
            }
        }
        if !good {
            server.forget_offer().await;
        }
    }

    /// Whether a lab failed a short while ago, and how long it has been since it succeeded.
    fn fortune(&self, name: &str) -> (bool, Duration) {
        let fortunes = self.fortunes.lock().unwrap_or_else(PoisonError::into_inner);
        let Fortune { failed, succeeded } = fortunes.get(name).copied().unwrap_or_default();
        let shunned = failed.is_some_and(|failed| failed.elapsed() < SHUNNED);
        (
            shunned,
            succeeded.map_or(Duration::MAX, |since| since.elapsed()),
        )
    }
}
