//! One lab: its standing and offer as a run knows them, and what is done with a job there.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use reqwest::StatusCode;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::sync::OnceCell;
use tokio::sync::Semaphore;
use url::Url;

use super::Entry;
use super::JobEnd;
use super::LavaError;
use super::Offer;
use super::Token;
use super::client::Client;
use super::devices::text;
use super::poller::Poller;
use super::results;
use super::standing;
use crate::jobs::device_type;
use crate::model::LavaLab;
use crate::spec::LavaSpec;
use crate::text::with_causes;

/// How long what a lab offers is taken for true.
const OFFER_AGE: Duration = Duration::from_secs(30);
/// Jobs looked at to find one that was submitted when the engine was killed.
const LOOK_BACK: &str = "50";

/// Where a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobState {
    /// LAVA's word, such as `Running`.
    pub state: String,
    /// LAVA's word, once it is finished.
    pub health: String,
    /// The device it runs on; empty while it waits.
    pub device: String,
}

/// A LAVA server, for one run.
#[derive(Debug)]
pub struct LavaServer {
    /// Its name in the definitions.
    pub name: String,
    /// How it is used.
    pub lab: LavaLab,
    client: Result<Arc<Client>, String>,
    standing: OnceCell<Result<(), String>>,
    offer: Mutex<Option<(Instant, Arc<Offer>)>>,
    /// Jobs that may be there at once.
    pub(super) slots: Arc<Semaphore>,
    poller: Poller,
}

/// What a lab says of itself, for people.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// Release of LAVA.
    pub version: String,
    /// What it offers.
    pub offer: Offer,
}

impl LavaServer {
    /// A lab with the token that its definition names; where there is none, that is told when the lab is used.
    pub fn new(name: &str, lab: &LavaLab, environment: fn(&str) -> Option<OsString>) -> Self {
        let client = Token::read(&lab.token, environment)
            .map_err(LavaError::from)
            .and_then(|token| Client::new(&lab.url, &lab.user, token));
        let client = client.map(Arc::new).map_err(|error| with_causes(&error));
        Self {
            name: name.to_owned(),
            lab: lab.clone(),
            client,
            standing: OnceCell::new(),
            offer: Mutex::default(),
            slots: Arc::new(Semaphore::new(lab.max_jobs as usize)),
            poller: Poller::default(),
        }
    }

    fn client(&self) -> Result<&Arc<Client>, String> {
        self.client.as_ref().map_err(Clone::clone)
    }

    fn good_client(&self) -> Result<&Arc<Client>, LavaError> {
        self.client().map_err(LavaError::NoDevice)
    }

    /// Checks once a run who we are there.
    pub async fn standing(&self) -> Result<(), String> {
        let checked = self.standing.get_or_init(|| async {
            let client = self.client()?;
            let checked = standing::check(client, &self.lab.user).await;
            checked.map_err(|error| with_causes(&error))
        });
        checked.await.clone()
    }

    /// What it offers, at most half a minute old.
    pub async fn offer(&self) -> Result<Arc<Offer>, String> {
        let mut kept = self.offer.lock().await;
        if let Some((since, offer)) = &*kept
            && since.elapsed() < OFFER_AGE
        {
            return Ok(Arc::clone(offer));
        }
        let offer = Offer::ask(self.client()?).await;
        let offer = Arc::new(offer.map_err(|error| with_causes(&error))?);
        *kept = Some((Instant::now(), Arc::clone(&offer)));
        Ok(offer)
    }

    /// Forgets what it offers, so that it is asked again.
    pub(super) async fn forget_offer(&self) {
        *self.offer.lock().await = None;
    }

    /// Release and offer.
    pub async fn outlook(&self) -> Result<Outlook, String> {
        let version = self
            .client()?
            .get("ask for the release", "system/version/", &[]);
        let version = version.await.map_err(|error| with_causes(&error))?;
        let offer = self.offer().await?;
        Ok(Outlook {
            version: text(&version["version"]),
            offer: (*offer).clone(),
        })
    }

    /// How many devices can boot it now and how many jobs wait for them, or why none can.
    pub(super) async fn good(&self, spec: &LavaSpec) -> Result<(usize, usize), String> {
        self.standing().await?;
        let offer = self.offer().await?;
        let wanted = device_type(&self.lab, &spec.device.device_type);
        let good = offer.good(wanted, &spec.device.tags)?;
        Ok((good, offer.queue.get(wanted).copied().unwrap_or(0)))
    }

    /// The address of this machine by which it reaches the lab.
    pub async fn local_address(&self) -> Result<SocketAddr, String> {
        let url = Url::parse(&self.lab.url).map_err(|error| error.to_string())?;
        let host = url.host_str().unwrap_or_default().to_owned();
        let port = url.port_or_known_default().unwrap_or(80);
        let connected = tokio::net::TcpStream::connect((host, port)).await;
        let local = connected.and_then(|stream| stream.local_addr());
        let mut local = local.map_err(|error| format!("cannot reach {}: {error}", self.lab.url))?;
        local.set_port(0);
        Ok(local)
    }

    /// The page of a job.
    pub fn page(&self, job: u64) -> String {
        let base = self.client.as_ref().map_or("", |client| client.base());
        format!("{base}scheduler/job/{job}")
    }

    /// Submits a job.
    pub async fn submit(&self, yaml: &str) -> Result<u64, LavaError> {
        self.good_client()?.submit(yaml).await
    }

    /// A job of ours that has a ticket: one whose number was not learnt, as the engine ended when it was submitted.
    pub async fn find(&self, ticket: &str) -> Result<Option<u64>, LavaError> {
        let query = [
            ("ordering", "-id"),
            ("submitter__username", self.lab.user.as_str()),
            ("limit", LOOK_BACK),
        ];
        let page = self
            .good_client()?
            .get("look for the job", "jobs/", &query)
            .await?;
        let rows = page["results"].as_array().map_or(&[][..], Vec::as_slice);
        let ours = |row: &&Value| {
            let definition = row["original_definition"].as_str().unwrap_or_default();
            row["submitter"] == *self.lab.user && definition.contains(ticket)
        };
        Ok(rows.iter().find(ours).and_then(|row| row["id"].as_u64()))
    }

    /// Where a job is, once that changes from what was known; `Ok(None)` where nothing changed for a while.
    pub async fn state(&self, job: u64, known: &JobState) -> Result<Option<JobState>, LavaError> {
        let client = Arc::clone(self.good_client()?);
        self.poller.state(client, job, known).await
    }

    /// The lines of a job's log from one on, and how many those were.
    pub async fn log(&self, job: u64, from: usize) -> Result<(Vec<Entry>, usize), LavaError> {
        let (path, from) = (format!("jobs/{job}/logs/"), from.to_string());
        let what = "read the job's log";
        let client = self.good_client()?;
        let (status, body) = client.answer(what, &path, &[("start", &from)]).await?;
        if status == StatusCode::NOT_FOUND {
            // There is no line yet, or none after the last.
            return Ok((Vec::new(), 0));
        }
        if !status.is_success() {
            return Err(LavaError::Status {
                what,
                status: status.as_u16(),
                message: String::new(),
            });
        }
        let text = String::from_utf8_lossy(&body);
        // The last line may be torn where it is just written.
        let whole = if text.ends_with('\n') {
            &*text
        } else {
            text.rsplit_once('\n').map_or("", |(whole, _)| whole)
        };
        let whole = if whole.is_empty() && text.starts_with("- ") && text.ends_with('}') {
            &*text
        } else {
            whole
        };
        let lines: Vec<&str> = whole.lines().collect();
        let entries = lines.iter().filter_map(|line| Entry::parse(line)).collect();
        Ok((entries, lines.len()))
    }

    /// What a job that ended came to.
    pub async fn results(&self, job: u64, health: &str) -> Result<JobEnd, LavaError> {
        results::ask(self.good_client()?, job, health).await
    }

    /// Cancels a job.
    pub async fn cancel(&self, job: u64) -> Result<(), LavaError> {
        let path = format!("jobs/{job}/cancel/");
        let client = self.good_client()?;
        client.get("cancel the job", &path, &[]).await.map(drop)
    }

    /// Whether a job is there at all.
    pub async fn exists(&self, job: u64) -> Result<bool, LavaError> {
        let path = format!("jobs/{job}/");
        let (status, _) = self
            .good_client()?
            .answer("ask after the job", &path, &[])
            .await?;
        Ok(status != StatusCode::NOT_FOUND)
    }
}
