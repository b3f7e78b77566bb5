//! What runs beside what: CPU tokens, memory, slots, nodes that only wait, and nodes that drivers add.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use jobserver::Client;
use store::Store;
use tempfile::TempDir;

use super::*;
use crate::graph::Graph;
use crate::graph::Node;
use crate::graph::NodeId;
use crate::graph::Output;
use crate::graph::Slot;
use crate::graph::Whole;
use crate::model::Abi;
use crate::model::RootfsFormat;
use crate::plan::Progress;
use crate::plan::State;
use crate::recipe::Broken;
use crate::recipe::Execute;
use crate::recipe::Finished;
use crate::recipe::Job;
use crate::recipe::Takes;
use crate::recipe::Waiting;
use crate::spec::Closed;
use crate::spec::RootfsSpec;
use crate::spec::Spec;

/// A node that is told from others by a text, which its recipe sees.
fn spec(text: &str) -> Closed {
    let spec = RootfsSpec {
        cc: String::new(),
        abi: Abi::X86_64,
        init: text.to_owned(),
        suite: None,
        shell: None,
        libc: None,
        format: RootfsFormat::Initramfs,
    };
    Spec::Rootfs(spec).into()
}

fn text(spec: &Spec) -> &str {
    match spec {
        Spec::Rootfs(spec) => &spec.init,
        _ => "",
    }
}

/// Counts what runs at once.
#[derive(Default)]
struct Counted {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Counted {
    fn enter(&self) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
    }

    fn leave(&self) {
        self.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Gives its text as output, after an act.
struct Acts {
    store: Arc<Store>,
    takes: Takes,
    counted: Arc<Counted>,
    act: Box<dyn Fn(&str) + Send + Sync>,
}

impl Acts {
    fn done(store: &Store, job: &Job) -> Finished {
        let digest = store.put_bytes(text(job.spec.spec()).as_bytes()).unwrap();
        let outputs = BTreeMap::from([("initrd".to_owned(), digest)]);
        Finished::success(outputs, String::new())
    }
}

impl Execute for Acts {
    fn takes(&self, spec: &Spec) -> Takes {
        match text(spec) {
            "cpu" => Takes {
                cpus: 1,
                ..Takes::default()
            },
            _ => self.takes.clone(),
        }
    }

    fn execute(&self, job: &Job) -> Result<Finished, Broken> {
        self.counted.enter();
        (self.act)(text(job.spec.spec()));
        self.counted.leave();
        Ok(Self::done(&self.store, job))
    }

    fn wait(&self, job: Job) -> Waiting {
        let (store, counted) = (Arc::clone(&self.store), Arc::clone(&self.counted));
        Box::pin(async move {
            counted.enter();
            tokio::time::sleep(Duration::from_millis(400)).await;
            counted.leave();
            assert!(text(job.spec.spec()) != "bug", "this is one");
            Ok(Self::done(&store, &job))
        })
    }
}

/// The order in which nodes were started.
#[derive(Default)]
struct Order(Mutex<Vec<String>>);

impl Observer for Order {
    fn event(&self, event: Event<'_>) {
        if let Event::NodeStarted { name, .. } = event {
            self.0.lock().unwrap().push(name.to_owned());
        }
    }
}

struct Ran {
    peak: usize,
    order: Vec<String>,
    report: RunReport,
}

/// How a test's run differs from others.
struct Setting {
    takes: Takes,
    jobs: usize,
    memory_mib: u64,
    jobserver: Option<Client>,
    act: Box<dyn Fn(&str) + Send + Sync>,
    estimate: fn(&Node) -> Estimate,
    demands: Option<Demands>,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            takes: Takes::default(),
            jobs: 2,
            memory_mib: u64::MAX,
            jobserver: None,
            act: Box::new(|_| thread::sleep(Duration::from_millis(20))),
            estimate: |_| Estimate::default(),
            demands: None,
        }
    }
}

fn run(graph: &Graph, setting: Setting) -> Ran {
    let dir = TempDir::new().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    let records = store.load_records().unwrap();
    let mut progress =
        Progress::new(graph.clone(), &|_| true, Box::new(Whole), &records, false).unwrap();
    let counted = Arc::new(Counted::default());
    let recipes: Arc<dyn Execute> = Arc::new(Acts {
        store: Arc::clone(&store),
        takes: setting.takes,
        counted: Arc::clone(&counted),
        act: setting.act,
    });
    let options = Options {
        jobs: setting.jobs,
        memory_mib: setting.memory_mib,
        keep_going: true,
        jobserver: setting.jobserver,
        estimate: &setting.estimate,
    };
    let order = Order::default();
    let demands = setting.demands;
    let report = realise(&mut progress, &store, &recipes, &options, &order, demands).unwrap();
    Ran {
        peak: counted.peak.load(Ordering::SeqCst),
        order: order.0.into_inner().unwrap(),
        report,
    }
}

fn add(graph: &mut Graph, name: &str, inputs: &[NodeId]) -> NodeId {
    let inputs: Vec<_> = inputs
        .iter()
        .map(|from| (Slot::Initrd, *from, Output::Initrd))
        .collect();
    let node = Node {
        name: name.into(),
        spec: spec(name),
    };
    graph.add(node, &inputs)
}

fn apart(count: usize) -> Graph {
    let mut graph = Graph::default();
    for index in 0..count {
        add(&mut graph, &format!("node-{index}"), &[]);
    }
    graph
}

fn one_cpu() -> Takes {
    Takes {
        cpus: 1,
        ..Takes::default()
    }
}

#[test]
fn as_many_run_as_there_are_cpus() {
    for jobs in [1, 2, 5] {
        let takes = one_cpu();
        let ran = run(
            &apart(12),
            Setting {
                takes,
                jobs,
                ..Setting::default()
            },
        );
        assert_eq!((ran.peak, ran.order.len()), (jobs, 12));
    }
}

#[test]
fn what_takes_more_cpus_than_there_are_runs_alone() {
    let takes = Takes {
        cpus: 7,
        ..Takes::default()
    };
    let ran = run(
        &apart(4),
        Setting {
            takes,
            ..Setting::default()
        },
    );
    assert_eq!((ran.peak, ran.order.len()), (1, 4));
}

#[test]
fn memory_is_shared_and_what_is_too_large_runs_alone() {
    for (needs, peak) in [(400, 2), (600, 1), (5000, 1)] {
        let setting = Setting {
            takes: Takes {
                memory_mib: needs,
                ..Takes::default()
            },
            jobs: 8,
            memory_mib: 1000,
            ..Setting::default()
        };
        let ran = run(&apart(6), setting);
        assert_eq!((ran.peak, ran.order.len()), (peak, 6), "{needs}");
    }
}

#[test]
fn a_slot_bounds_what_takes_no_cpu() {
    let takes = Takes {
        slot: Some(("lab".to_owned(), 3)),
        ..Takes::default()
    };
    let ran = run(
        &apart(10),
        Setting {
            takes,
            ..Setting::default()
        },
    );
    assert_eq!((ran.peak, ran.order.len()), (3, 10));
}

#[test]
fn the_longest_path_is_first() {
    let mut graph = Graph::default();
    add(&mut graph, "long", &[]);
    let begin = add(&mut graph, "begin", &[]);
    let middle = add(&mut graph, "middle", &[begin]);
    add(&mut graph, "end", &[middle]);
    add(&mut graph, "short", &[]);
    let setting = Setting {
        takes: one_cpu(),
        jobs: 1,
        estimate: |node| Estimate {
            ms: match &*node.name {
                "long" => 25,
                "short" => 1,
                _ => 10,
            },
            ..Estimate::default()
        },
        ..Setting::default()
    };
    assert_eq!(
        run(&graph, setting).order,
        ["begin", "long", "middle", "end", "short"]
    );
}

/// A build that was killed keeps tokens of the jobserver, and a wild one makes some.
#[test]
fn lost_and_surplus_tokens_are_put_right() {
    for wild in [false, true] {
        let client = Client::new(2).unwrap();
        let acts = client.clone();
        let mut graph = Graph::default();
        // It runs alone: what is lost is missed, and made good, when nothing else runs.
        let first = add(&mut graph, "first", &[]);
        for index in 0..8 {
            add(&mut graph, &format!("node-{index}"), &[first]);
        }
        let setting = Setting {
            takes: one_cpu(),
            jobserver: Some(client),
            act: Box::new(move |text| {
                if text == "first" && wild {
                    (0..50).for_each(|_| acts.release_raw().unwrap());
                } else if text == "first" {
                    acts.acquire_raw().unwrap();
                }
                thread::sleep(Duration::from_millis(20));
            }),
            ..Setting::default()
        };
        let ran = run(&graph, setting);
        assert_eq!((ran.peak, ran.order.len()), (2, 9), "wild: {wild}");
    }
}

fn threads() -> usize {
    fs::read_dir("/proc/self/task").unwrap().count()
}

/// A thousand nodes that wait for other machines hold neither threads nor CPU tokens.
#[test]
fn a_thousand_wait_at_once_on_no_thread_while_others_run() {
    const WAITING: usize = 1000;
    let mut graph = apart(WAITING);
    let most = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&most);
    add(&mut graph, "cpu", &[]);
    let before = threads();
    let setting = Setting {
        takes: Takes {
            slot: Some(("lab".to_owned(), WAITING)),
            waits: true,
            ..Takes::default()
        },
        act: Box::new(move |_| {
            thread::sleep(Duration::from_millis(300));
            seen.fetch_max(threads(), Ordering::SeqCst);
        }),
        ..Setting::default()
    };
    let ran = run(&graph, setting);
    assert!(ran.peak >= WAITING, "{}", ran.peak);
    let most = most.load(Ordering::SeqCst);
    assert!(
        most > 0 && most < before + 10,
        "{most} threads, {before} before"
    );
    assert!(ran.report.nodes.iter().all(|node| node.reason.is_empty()));
}

#[test]
fn a_waiting_node_that_hits_a_bug_is_told() {
    let mut graph = Graph::default();
    add(&mut graph, "bug", &[]);
    let takes = Takes {
        waits: true,
        ..Takes::default()
    };
    let ran = run(
        &graph,
        Setting {
            takes,
            ..Setting::default()
        },
    );
    let [node] = &ran.report.nodes[..] else {
        panic!("there is one node");
    };
    assert!(node.reason.contains("the engine failed"), "{}", node.reason);
}

/// A driver adds nodes in answer to what others gave, while what is declared runs.
#[test]
fn a_driver_adds_a_thousand_nodes_in_answer_to_results() {
    const ADDED: usize = 1000;
    let (demand, demands) = Demand::new();
    let driver = thread::spawn(move || {
        let (told, settled) = std::sync::mpsc::channel();
        let declared = demand
            .find(crate::spec::Kind::Rootfs, "node-0")
            .unwrap()
            .unwrap();
        let ask = |index: usize, from: NodeId, answer: &str| {
            let draft = Draft {
                name: format!("added-{index}"),
                spec: spec(&format!("{index} after {answer}")),
                inputs: vec![(Slot::Initrd, from, Output::Initrd)],
            };
            let id = demand.add(draft.clone()).unwrap();
            // The same again is the same node.
            assert_eq!(demand.add(draft).unwrap(), id);
            demand.ask(id, &told).unwrap();
        };
        (0..8).for_each(|index| ask(index, declared, "nothing"));
        let (mut added, mut answers) = (8, 0);
        while answers < ADDED {
            let Settled { id, state } = settled.recv().unwrap();
            answers += 1;
            let State::Done { content, .. } = state else {
                panic!("{state:?}");
            };
            if added < ADDED {
                ask(added, id, &format!("{content:?}"));
                added += 1;
            }
        }
        let taken = Draft {
            name: "added-0".to_owned(),
            spec: spec("another"),
            inputs: vec![],
        };
        let error = demand.add(taken).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`rootfs:added-0` is another node already"
        );
        added
    });
    let setting = Setting {
        takes: one_cpu(),
        jobs: 4,
        act: Box::new(|text| {
            let declared = text.starts_with("node");
            thread::sleep(Duration::from_millis(if declared { 20 } else { 0 }));
        }),
        estimate: |node| Estimate {
            ms: if node.name.starts_with("added") {
                1
            } else {
                10
            },
            ..Estimate::default()
        },
        demands: Some(demands),
        ..Setting::default()
    };
    let ran = run(&apart(40), setting);
    assert_eq!(driver.join().unwrap(), ADDED);
    assert_eq!(ran.report.nodes.len(), 40 + ADDED);
    let place = |name: &str| ran.order.iter().position(|started| started == name);
    assert!(place("added-0") < place("node-39"), "both run at once");
}
