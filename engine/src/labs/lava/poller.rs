//! One question for all jobs of a lab, as often as they are worth it.
//!
//! LAVA's events may be switched off or lost, so states are asked for. Whoever waits for a job asks; the first of them asks the server for
//! everyone's, and the others take what it heard.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::Mutex;

use super::JobState;
use super::LavaError;
use super::client::Client;
use super::devices::text;

/// How often the server is asked while few jobs are there, and at most so seldom.
const OFTEN: Duration = Duration::from_secs(1);
const SELDOM: Duration = Duration::from_secs(20);
/// Jobs that one question is about: each row of the answer has a whole definition.
const AT_ONCE: usize = 50;
/// Jobs for which a second more between two questions is right.
const JOBS_A_SECOND: usize = 20;
/// How long a job is asked for after its waiter last looked.
const ALIVE: Duration = Duration::from_mins(1);

#[derive(Debug, Default)]
pub(super) struct Poller(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    asked: Option<Instant>,
    /// States, and when their waiters last looked.
    jobs: BTreeMap<u64, (JobState, Instant)>,
}

impl Poller {
    /// Waits for the next answer; gives the state of a job where it is not what was known.
    pub(super) async fn state(
        &self,
        client: Arc<Client>,
        job: u64,
        known: &JobState,
    ) -> Result<Option<JobState>, LavaError> {
        let wait = {
            let mut all = self.0.lock().await;
            let now = Instant::now();
            let entry = all.jobs.entry(job);
            entry.or_insert_with(|| (JobState::default(), now)).1 = now;
            let interval = all.interval();
            all.asked.map_or(Duration::ZERO, |asked| {
                interval.saturating_sub(asked.elapsed())
            })
        };
        tokio::time::sleep(wait).await;
        let mut all = self.0.lock().await;
        let due = all
            .asked
            .is_none_or(|asked| asked.elapsed() >= all.interval());
        if due {
            all.asked = Some(Instant::now());
            all.ask(&client).await?;
        }
        let state = all.jobs.get(&job).map(|(state, _)| state.clone());
        let state = state.filter(|state| !state.state.is_empty() && state != known);
        if state
            .as_ref()
            .is_some_and(|state| state.state == "Finished")
        {
            all.jobs.remove(&job);
        }
        Ok(state)
    }
}

impl Known {
    fn interval(&self) -> Duration {
        let more = self.jobs.len() / JOBS_A_SECOND;
        let more = Duration::from_secs(u64::try_from(more).unwrap_or(0));
        (OFTEN + more).min(SELDOM)
    }

    async fn ask(&mut self, client: &Client) -> Result<(), LavaError> {
        self.jobs.retain(|_, (_, looked)| looked.elapsed() < ALIVE);
        let ids: Vec<u64> = self.jobs.keys().copied().collect();
        for some in ids.chunks(AT_ONCE) {
            let some: Vec<String> = some.iter().map(ToString::to_string).collect();
            let some = some.join(",");
            let query = [("id__in", some.as_str()), ("ordering", "id")];
            let rows = client.list("ask after the jobs", "jobs/", &query).await?;
            for row in rows {
                let id = row["id"].as_u64().unwrap_or_default();
                if let Some((state, _)) = self.jobs.get_mut(&id) {
                    *state = JobState {
                        state: text(&row["state"]),
                        health: text(&row["health"]),
                        device: text(&row["actual_device"]),
                    };
                }
            }
        }
        Ok(())
    }
}
