//! Asking a running graph for nodes, from another thread.
//!
//! A *driver* (an exploration, a minimisation) holds a [`Demand`]. It adds nodes whose specs it made, wants nodes that are there, and is
//! told when they are settled; what it adds next may depend on that. The run goes on until nothing runs and every
//! `Demand` is dropped.

use std::collections::BTreeMap;
use std::sync::mpsc;

use thiserror::Error;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::mpsc::unbounded_channel;

use crate::graph::GrowError;
use crate::graph::Node;
use crate::graph::NodeId;
use crate::graph::Output;
use crate::graph::Slot;
use crate::plan::Progress;
use crate::plan::State;
use crate::spec::Closed;
use crate::spec::Kind;

/// A node to add.
#[derive(Clone, Debug)]
pub struct Draft {
    /// A name that no other node of its kind has.
    pub name: String,
    /// What it is.
    pub spec: Closed,
    /// Nodes that are there already, and what is taken of them.
    pub inputs: Vec<(Slot, NodeId, Output)>,
}

/// A node that is settled.
#[derive(Clone, Debug)]
pub struct Settled {
    /// Which.
    pub id: NodeId,
    /// What became of it.
    pub state: State,
}

/// Why a running graph did not do what it was asked.
#[derive(Debug, Error)]
pub enum DemandError {
    /// Another node has the name.
    #[error("`{0}` is another node already")]
    NameTaken(String),
    /// An input is no node of this graph.
    #[error("`{0}` takes a node that is not there")]
    NoInput(String),
    /// Nothing more is started.
    #[error("the run ends: {0}")]
    Ending(String),
    /// The run is over.
    #[error("the run is over")]
    Over,
    /// The graph could not grow.
    #[error(transparent)]
    Grow(#[from] GrowError),
}

/// A way to ask a running graph; cheap to clone, and sent between threads.
#[derive(Clone, Debug)]
pub struct Demand(UnboundedSender<Request>);

/// The run's end of it.
#[derive(Debug)]
pub struct Demands(UnboundedReceiver<Request>);

#[derive(Debug)]
pub(super) enum Request {
    Add(Draft, mpsc::Sender<Result<NodeId, DemandError>>),
    Find(Kind, String, mpsc::Sender<Option<NodeId>>),
    Ask(NodeId, mpsc::Sender<Settled>),
    Again(NodeId, mpsc::Sender<Settled>),
    Note(String),
    Stop(&'static str),
}

/// What a driver has the run itself do.
pub(super) enum Command {
    Note(String),
    Stop(&'static str),
}

impl Demand {
    /// A demand, and what a run is to be given to serve it.
    pub fn new() -> (Self, Demands) {
        let (sender, receiver) = unbounded_channel();
        (Self(sender), Demands(receiver))
    }

    /// Adds a node and wants it. The same draft again gives the same node.
    pub fn add(&self, draft: Draft) -> Result<NodeId, DemandError> {
        let (reply, answer) = mpsc::channel();
        self.send(Request::Add(draft, reply))?;
        answer.recv().map_err(|_| DemandError::Over)?
    }

    /// Finds a node of the graph by kind and name.
    pub fn find(&self, kind: Kind, name: &str) -> Result<Option<NodeId>, DemandError> {
        let (reply, answer) = mpsc::channel();
        self.send(Request::Find(kind, name.to_owned(), reply))?;
        answer.recv().map_err(|_| DemandError::Over)
    }

    /// Wants a node; `told` hears when it is settled, at once if it is.
    pub fn ask(&self, id: NodeId, told: &mpsc::Sender<Settled>) -> Result<(), DemandError> {
        self.send(Request::Ask(id, told.clone()))
    }

    /// Runs a node that has a result once more; `told` hears what comes of it. The new result stands in the store.
    pub fn again(&self, id: NodeId, told: &mpsc::Sender<Settled>) -> Result<(), DemandError> {
        self.send(Request::Again(id, told.clone()))
    }

    /// Tells whoever watches the run a line.
    pub fn note(&self, text: &str) -> Result<(), DemandError> {
        self.send(Request::Note(text.to_owned()))
    }

    /// Ends the run: what runs is cancelled, and nothing more is started.
    pub fn stop(&self, reason: &'static str) -> Result<(), DemandError> {
        self.send(Request::Stop(reason))
    }

    /// Wants a node and waits until it is settled.
    pub fn wait(&self, id: NodeId) -> Result<State, DemandError> {
        let (told, settled) = mpsc::channel();
        self.ask(id, &told)?;
        drop(told);
        let settled = settled.recv().map_err(|_| DemandError::Over)?;
        Ok(settled.state)
    }

    fn send(&self, request: Request) -> Result<(), DemandError> {
        self.0.send(request).map_err(|_| DemandError::Over)
    }
}

/// What a run keeps of its drivers.
pub(super) struct Drivers {
    demands: Option<Demands>,
    /// Nodes by kind and name; made when somebody first asks.
    names: Option<BTreeMap<(Kind, Box<str>), NodeId>>,
    asked: BTreeMap<NodeId, Vec<mpsc::Sender<Settled>>>,
}

impl Drivers {
    pub(super) fn new(demands: Option<Demands>) -> Self {
        Self {
            demands,
            names: None,
            asked: BTreeMap::new(),
        }
    }

    /// Whether more may be asked.
    pub(super) fn live(&self) -> bool {
        self.demands.is_some()
    }

    /// The next request; never comes where there are no drivers (any more).
    pub(super) async fn next(&mut self) -> Option<Request> {
        match &mut self.demands {
            None => std::future::pending().await,
            Some(demands) => demands.0.recv().await,
        }
    }

    /// Serves a request; `None` says that the last driver is gone. What the run itself must do is given back.
    pub(super) fn serve(
        &mut self,
        request: Option<Request>,
        progress: &mut Progress<'_>,
        stopped: Option<&str>,
    ) -> Option<Command> {
        match request {
            None => self.demands = None,
            Some(Request::Note(text)) => return Some(Command::Note(text)),
            Some(Request::Stop(reason)) => return Some(Command::Stop(reason)),
            Some(Request::Again(id, told)) => {
                if id.index() < progress.graph().len() && stopped.is_none() {
                    progress.force([id]);
                }
                self.asked.entry(id).or_default().push(told);
                if id.index() < progress.graph().len() && progress.state(id).is_settled() {
                    self.tell(id, progress);
                }
            }
            Some(Request::Add(draft, reply)) => {
                let added = match stopped {
                    None => self.add(draft, progress),
                    Some(reason) => Err(DemandError::Ending(reason.to_owned())),
                };
                // A driver that does not wait for the answer is gone.
                let _ = reply.send(added);
            }
            Some(Request::Find(kind, name, reply)) => {
                let found = self.names(progress).get(&(kind, name.into())).copied();
                let _ = reply.send(found);
            }
            Some(Request::Ask(id, told)) => {
                if id.index() < progress.graph().len() && stopped.is_none() {
                    // What cannot be wanted is told as it stands.
                    let _ = progress.want(id);
                }
                self.asked.entry(id).or_default().push(told);
                if id.index() < progress.graph().len() && progress.state(id).is_settled() {
                    self.tell(id, progress);
                }
            }
        }
        None
    }

    /// Tells those who asked for a node that is settled.
    pub(super) fn tell(&mut self, id: NodeId, progress: &Progress<'_>) {
        for told in self.asked.remove(&id).unwrap_or_default() {
            let state = progress.state(id).clone();
            let _ = told.send(Settled { id, state });
        }
    }

    fn add(&mut self, draft: Draft, progress: &mut Progress<'_>) -> Result<NodeId, DemandError> {
        let full = || format!("{}:{}", draft.spec.kind(), draft.name);
        if draft
            .inputs
            .iter()
            .any(|(_, from, _)| from.index() >= progress.graph().len())
        {
            return Err(DemandError::NoInput(full()));
        }
        let key = (draft.spec.kind(), draft.name.as_str().into());
        if let Some(id) = self.names(progress).get(&key).copied() {
            let graph = progress.graph();
            let mut there: Vec<_> = graph
                .inputs(id)
                .map(|(input, from)| (input.slot, from, input.output))
                .collect();
            let mut asked = draft.inputs.clone();
            there.sort_unstable();
            asked.sort_unstable();
            if graph.node(id).spec != draft.spec || there != asked {
                return Err(DemandError::NameTaken(full()));
            }
            progress.want(id)?;
            return Ok(id);
        }
        let name = draft.name.into();
        let spec = draft.spec;
        Ok(progress.add(Node { name, spec }, &draft.inputs)?)
    }

    /// Takes in nodes that came into the graph since.
    fn names(&mut self, progress: &Progress<'_>) -> &BTreeMap<(Kind, Box<str>), NodeId> {
        let graph = progress.graph();
        let names = self.names.get_or_insert_default();
        // Names are unique, so their count says how far the graph was looked at.
        for id in graph.ids().skip(names.len()) {
            let node = graph.node(id);
            names.insert((node.kind(), node.name.clone()), id);
        }
        names
    }
}
