//! Labs of a project: which are used, what they say of themselves, and the jobs that boots would be there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::DriveError;
use super::Session;
use super::error::file;
use crate::console::printable;
use crate::graph::Place;
use crate::labs;
use crate::labs::LavaLabs;
use crate::labs::LavaServer;
use crate::model::LabKind;
use crate::model::LavaLab;
use crate::plan::Progress;
use crate::realise::RealiseError;
use crate::recipe::LavaTools;
use crate::recipe::Ticket;
use crate::recipe::lava_job;
use crate::recipe::tickets;
use crate::serve::Roots;
use crate::serve::Server;
use crate::spec::Kind;
use crate::spec::Spec;
use crate::text::did_you_mean;
use crate::text::with_causes;

/// How a run uses LAVA labs.
#[derive(Clone, Copy, Debug)]
pub struct LabOptions {
    /// Submits jobs and leaves their results to a later run.
    pub submit_only: bool,
    /// Gives variables of the environment, where tokens may be.
    pub environment: fn(&str) -> Option<OsString>,
}

/// What is known of one lab.
#[derive(Debug)]
pub struct LabView {
    /// Its name.
    pub name: String,
    /// Its URL; none for QEMU on this machine.
    pub url: Option<String>,
    /// Who the token's user is declared to be.
    pub user: Option<String>,
    /// Release and offer, or why the lab cannot be used.
    pub outlook: Option<Result<labs::Outlook, String>>,
    /// Boards that may be booted there: for each how many devices can now, or why none can.
    pub boards: BTreeMap<String, Result<usize, String>>,
}

/// A boot as a job of a lab.
#[derive(Debug)]
pub struct JobView {
    /// The boot's address.
    pub boot: String,
    /// The lab.
    pub lab: String,
    /// The job's YAML.
    pub yaml: String,
}

/// Stands for the address that a run would serve results at.
const ARTIFACTS: &str = "http://ARTIFACTS";

impl Session {
    /// Boots boards in one lab alone, by its name; `local` is QEMU on this machine also where it is not declared.
    pub fn at_lab(&mut self, name: &str) -> Result<(), DriveError> {
        let labs = &self.catalog.labs;
        let place = match labs.get(name).map(|lab| &lab.kind) {
            Some(LabKind::Lava(_)) => Place::Lava,
            Some(LabKind::Qemu) => Place::Qemu,
            None if name == "local" && labs.is_empty() => Place::Qemu,
            None => {
                let known: Vec<&str> = labs.keys().map(String::as_str).collect();
                return Err(DriveError::NoLab {
                    name: name.to_owned(),
                    similar: did_you_mean(name, known.iter().copied()).map(str::to_owned),
                    known: known.join(", "),
                });
            }
        };
        (self.lab, self.place) = (Some(name.to_owned()), place);
        Ok(())
    }

    /// Boots boards in LAVA labs alone.
    pub fn at_lava(&mut self) {
        self.place = Place::Lava;
    }

    /// The LAVA labs that may be used.
    fn lava_labs(&self) -> impl Iterator<Item = (&str, &LavaLab)> {
        let narrowed = self.lab.as_deref();
        let labs = self.catalog.labs.values();
        let labs = labs.filter(move |lab| narrowed.is_none_or(|name| name == lab.name));
        labs.filter_map(|lab| match &lab.kind {
            LabKind::Lava(lava) => Some((lab.name.as_str(), lava)),
            LabKind::Qemu => None,
        })
    }

    fn servers(&self, environment: fn(&str) -> Option<OsString>) -> Vec<LavaServer> {
        let labs = self.lava_labs();
        labs.map(|(name, lab)| LavaServer::new(name, lab, environment))
            .collect()
    }

    /// What boots in LAVA labs work with, where there are any; results are served for as long as this is held.
    pub(super) fn lava_tools(
        &self,
        options: &LabOptions,
        results: PathBuf,
    ) -> Option<Arc<LavaTools>> {
        let servers = self.servers(options.environment);
        if servers.is_empty() {
            return None;
        }
        let roots = Roots {
            store: Arc::clone(&self.store),
            results: Some(results),
        };
        // One for each address of this machine by which labs are reached.
        let running: Mutex<BTreeMap<SocketAddr, Server>> = Mutex::default();
        let serve = move |local: SocketAddr| -> io::Result<String> {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(server) = running.get(&local) {
                return Ok(server.url());
            }
            let server = Server::start(local, roots.clone())?;
            let url = server.url();
            running.insert(local, server);
            Ok(url)
        };
        Some(Arc::new(LavaTools {
            labs: LavaLabs::new(servers),
            serve: Box::new(serve),
            submit_only: options.submit_only,
        }))
    }

    /// Asks every lab who we are there and what it has.
    pub fn labs(
        &self,
        environment: fn(&str) -> Option<OsString>,
    ) -> Result<Vec<LabView>, DriveError> {
        let runtime = runtime()?;
        let mut views: Vec<LabView> = Vec::new();
        for lab in self.catalog.labs.values() {
            if let LabKind::Qemu = lab.kind {
                let boards = self.catalog.boards.values();
                let boards = boards.filter(|board| board.qemu.is_some());
                views.push(LabView {
                    name: lab.name.clone(),
                    url: None,
                    user: None,
                    outlook: None,
                    boards: boards.map(|board| (board.name.clone(), Ok(1))).collect(),
                });
            }
        }
        let asked = runtime.block_on(async {
            // A lab that is down keeps nobody from the others.
            let mut asked = Vec::new();
            for server in self.servers(environment) {
                let outlook = match server.standing().await {
                    Ok(()) => server.outlook().await,
                    Err(why) => Err(why),
                };
                asked.push((server, outlook));
            }
            asked
        });
        for (server, outlook) in asked {
            let boards = self.catalog.boards.values();
            let boards = boards.filter_map(|board| {
                let device = board.lava.as_ref()?;
                let may = device.labs.is_empty() || device.labs.contains(&server.name);
                let offer = may.then_some(outlook.as_ref().ok())??;
                let wanted = crate::jobs::device_type(&server.lab, &device.device_type);
                Some((board.name.clone(), offer.offer.good(wanted, &device.tags)))
            });
            views.push(LabView {
                boards: boards.collect(),
                name: server.name,
                url: Some(server.lab.url),
                user: Some(server.lab.user),
                outlook: Some(outlook),
            });
        }
        views.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(views)
    }

    /// The jobs that the named boots are in each lab that may boot them.
    pub fn jobs(&self, patterns: &[String]) -> Result<Vec<JobView>, DriveError> {
        let progress = self.progress(self.selection(patterns, None)?, false)?;
        let mut jobs = Vec::new();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            if let Spec::Lava(spec) = node.spec() {
                let inputs = progress.key_inputs(id);
                let inputs = progress.state(id).key().and(inputs);
                let inputs = inputs.ok_or_else(|| not_made(&progress, &node.name))?;
                let pinned = &spec.device.labs;
                for (lab, declared) in self.lava_labs() {
                    if !pinned.is_empty() && !pinned.iter().any(|name| name == lab) {
                        continue;
                    }
                    let base = declared.artifacts_url.as_deref().unwrap_or(ARTIFACTS);
                    let yaml =
                        lava_job(&self.store, &node.spec, &inputs, &node.name, declared, base)?;
                    jobs.push(JobView {
                        boot: node.name.to_string(),
                        lab: lab.to_owned(),
                        yaml,
                    });
                }
            }
        }
        Ok(jobs)
    }

    /// The consoles of boots that have a result, by address.
    pub fn consoles(&self, patterns: &[String]) -> Result<Vec<(String, String)>, DriveError> {
        let progress = self.progress(self.selection(patterns, None)?, false)?;
        let mut consoles = Vec::new();
        for id in progress.wanted() {
            let node = progress.graph().node(id);
            let key = progress
                .state(id)
                .key()
                .filter(|_| node.kind() == Kind::Boot);
            let record = key
                .map(|key| self.store.record(&key))
                .transpose()?
                .flatten();
            let digest = record.and_then(|record| record.outputs.get("console.log").copied());
            if let Some(digest) = digest {
                let text = self.store.read(&digest)?;
                consoles.push((node.name.to_string(), printable(&text)));
            }
        }
        Ok(consoles)
    }

    /// Jobs that are in labs and belong to boots of this project.
    pub fn submitted(&self) -> Vec<Ticket> {
        let builds: Vec<String> = self
            .catalog
            .builds()
            .iter()
            .map(ToString::to_string)
            .collect();
        let mut tickets = tickets(&self.store);
        tickets.retain(|ticket| {
            builds
                .iter()
                .any(|build| ticket.name.starts_with(&format!("{build}/")))
        });
        tickets
    }

    /// Cancels jobs of tickets where that can be done, and forgets them; says what became of each.
    pub fn forget(
        &self,
        tickets: &[Ticket],
        environment: fn(&str) -> Option<OsString>,
    ) -> Result<Vec<String>, DriveError> {
        let runtime = runtime()?;
        let servers = self.servers(environment);
        let mut told = Vec::new();
        for ticket in tickets {
            let server = servers.iter().find(|server| server.name == ticket.lab);
            let server = server.filter(|server| server.lab.url == ticket.url);
            let became = match (server, ticket.job) {
                (Some(server), Some(job)) => runtime.block_on(async {
                    match server.cancel(job).await {
                        Ok(()) => format!("job {job} of lab `{}` is cancelled", ticket.lab),
                        Err(error) => format!(
                            "job {job} of lab `{}` is forgotten, but was not cancelled: {}",
                            ticket.lab,
                            with_causes(&error)
                        ),
                    }
                }),
                (_, job) => format!(
                    "job {} of lab `{}` is forgotten; the lab is not declared any more",
                    job.map_or_else(|| "without a number".to_owned(), |job| job.to_string()),
                    ticket.lab
                ),
            };
            let path = self.store.root().join("lava");
            ticket.forget().map_err(file("remove a ticket in", &path))?;
            told.push(format!("{}: {became}", ticket.name));
        }
        Ok(told)
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, DriveError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Ok(runtime.map_err(RealiseError::Runtime)?)
}

/// Which input of a boot is missing.
fn not_made(progress: &Progress<'_>, boot: &str) -> DriveError {
    let graph = progress.graph();
    let id = graph.find(Kind::Boot, boot);
    let input = id.and_then(|id| {
        graph
            .inputs(id)
            .map(|(_, id)| id)
            .find(|id| !progress.state(*id).is_settled())
    });
    let (node, state) = input.map_or_else(
        || (boot.to_owned(), "it was not made".to_owned()),
        |id| {
            (
                graph.node(id).full_name(),
                super::explain::describe(progress.state(id)),
            )
        },
    );
    DriveError::NotYet { node, state }
}
