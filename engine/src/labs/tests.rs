//! What every kind of lab must do, run over the local QEMU with a stand-in for its program.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::Instant;

use super::Lab;
use super::LabError;
use super::QemuLab;
use crate::console::BootVerdict;
use crate::console::End;
use crate::jobs::BootJob;
use crate::model::QemuMachine;

/// What a machine does in a test.
struct Behaviour {
    prints: &'static str,
    complains: &'static str,
    then: Then,
}

enum Then {
    Exits(i32),
    Hangs,
    /// Prints a dot every 50 ms, for ever.
    Babbles,
    /// Dies of SIGABRT, as sparc64's QEMU does on a reboot.
    Aborts,
}

/// A lab, and a way to get machines that behave as asked.
trait Bench {
    fn lab(&self) -> &dyn Lab;
    fn job(&self, behaviour: &Behaviour) -> BootJob;
}

struct QemuBench {
    lab: QemuLab,
    folder: tempfile::TempDir,
}

impl QemuBench {
    fn new() -> Self {
        Self {
            lab: QemuLab::new(Duration::from_millis(300)),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    /// The process id that the last machine's script wrote down.
    fn pid_of(&self, name: &str) -> i32 {
        let text = fs::read_to_string(self.folder.path().join(name)).expect("the script wrote it");
        text.trim().parse().expect("a process id")
    }
}

impl Bench for QemuBench {
    fn lab(&self) -> &dyn Lab {
        &self.lab
    }

    fn job(&self, behaviour: &Behaviour) -> BootJob {
        let folder = self.folder.path();
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("the folder is writable");
            folder.join(name)
        };
        let console = write("console", behaviour.prints);
        let complaint = write("complaint", behaviour.complains);
        // The child shows that the whole process group is killed, not only its leader.
        let hang = "sleep 1000 & echo $! > child; wait";
        let then = match behaviour.then {
            Then::Exits(status) => format!("exit {status}"),
            Then::Hangs => hang.to_owned(),
            Then::Babbles => "while :; do printf .; sleep 0.05; done".to_owned(),
            Then::Aborts => "kill -ABRT $$".to_owned(),
        };
        let script = format!(
            "#!/bin/sh\ncd {}\n{OFFERS}echo $$ > leader\ncat {}\ncat {} >&2\n{then}\n",
            folder.display(),
            console.display(),
            complaint.display(),
        );
        let program = write("qemu", &script);
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("own file");
        job(&program)
    }
}

/// What a stand-in answers when asked what it has; every such question is counted.
const OFFERS: &str = "\
case \"$*\" in
'-M help') echo asked >> asked; printf 'Supported machines are:\\npc  Standard PC\\nisapc  Old PC\\n'; exit;;
--version) echo 'QEMU emulator version 7.2.22'; echo Copyright; exit;;
esac
echo \"$*\" > arguments
";

fn job(program: &Path) -> BootJob {
    BootJob {
        qemu: QemuMachine {
            binary: program.display().to_string(),
            machine: vec!["pc".to_owned()],
            cpu: String::new(),
            memory_mb: 64,
            console: "ttyS0".to_owned(),
            dtb: String::new(),
            disk: None,
            nic: String::new(),
            args: Vec::new(),
            cmdline: String::new(),
        },
        kernel: PathBuf::from("kernel"),
        root: PathBuf::from("initrd"),
        dtb: None,
        silence: Duration::from_secs(30),
        total: Duration::from_mins(1),
    }
}

const PASSED: &str =
    "engine: init reached\r\nKTAP version 1\r\n1..1\r\nok 1 a\r\nengine: suite exited 0\r\n";
const PANIC: &str = "[    0.100000] Kernel panic - not syncing: no init\r\n";

fn behaves(prints: &'static str, then: Then) -> Behaviour {
    Behaviour {
        prints,
        complains: "",
        then,
    }
}

/// The laws of a lab.
fn every_lab(bench: &dyn Bench) {
    let boot = |job: &BootJob| {
        let mut log = Vec::new();
        let boot = bench
            .lab()
            .boot(job, &mut log, &|| false)
            .expect("the machine runs");
        (
            boot,
            String::from_utf8(log).expect("the script prints text"),
        )
    };

    // The console is logged byte by byte, and judged.
    let (passed, log) = boot(&bench.job(&behaves(PASSED, Then::Exits(0))));
    assert_eq!(
        (passed.results.verdict, passed.end),
        (BootVerdict::Succeeded, End::Exited(0))
    );
    assert_eq!(log, PASSED);

    // A machine that dies badly, or halts, after the suite's end is no failed boot.
    for (then, end) in [(Then::Aborts, End::Killed), (Then::Hangs, End::Killed)] {
        let (halted, _) = boot(&bench.job(&behaves(PASSED, then)));
        assert_eq!(
            (halted.results.verdict, halted.end),
            (BootVerdict::Succeeded, end)
        );
    }

    // A panic is not waited for until silence.
    let (panicked, _) = boot(&bench.job(&behaves(PANIC, Then::Hangs)));
    assert_eq!(
        panicked.results.reason,
        "Kernel panic - not syncing: no init"
    );
    assert!(!panicked.is_hang());

    // Silence and the total limit end a machine; both may be a busy host.
    let short = Duration::from_millis(400);
    let stuck = BootJob {
        silence: short,
        ..bench.job(&behaves("Loading\n", Then::Hangs))
    };
    let (hung, _) = boot(&stuck);
    assert_eq!(
        (hung.end, hung.results.reason.as_str()),
        (End::Silence, "hung after: Loading")
    );
    assert!(hung.is_hang());
    let babble = BootJob {
        total: short,
        silence: short,
        ..bench.job(&behaves("", Then::Babbles))
    };
    let (babbled, log) = boot(&babble);
    assert_eq!(babbled.end, End::Total);
    assert!(babbled.is_hang() && log.len() > 1, "{log}");

    // Cancelled at once, whatever the machine does.
    let asked = Cell::new(0);
    let cancel = || asked.replace(asked.get() + 1) > 2;
    let start = Instant::now();
    let cancelled = bench.lab().boot(
        &bench.job(&behaves("", Then::Hangs)),
        &mut Vec::new(),
        &cancel,
    );
    assert!(
        matches!(cancelled, Err(LabError::Cancelled)),
        "{cancelled:?}"
    );
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[test]
fn qemu_is_a_lab() {
    every_lab(&QemuBench::new());
}

#[test]
fn a_qemu_that_does_not_start_is_broken() {
    let bench = QemuBench::new();
    let complains = "qemu: could not load kernel 'kernel'";
    let job = bench.job(&Behaviour {
        prints: "",
        complains,
        then: Then::Exits(1),
    });
    let mut log = Vec::new();
    let boot = bench
        .lab
        .boot(&job, &mut log, &|| false)
        .expect("the machine runs");
    assert_eq!(boot.results.verdict, BootVerdict::Broken);
    insta::assert_snapshot!(boot.results.reason, @"machine exited with status 1: qemu: could not load kernel 'kernel'");
    assert_eq!(
        String::from_utf8_lossy(&log),
        format!("[qemu] {complains}\n")
    );
}

#[test]
fn the_first_machine_that_qemu_offers_is_booted() {
    let bench = QemuBench::new();
    let mut job = bench.job(&behaves(PASSED, Then::Exits(0)));
    let read = |name: &str| fs::read_to_string(bench.folder.path().join(name)).expect("written");
    let boot = |job: &BootJob| {
        let mut log = Vec::new();
        let boot = bench.lab.boot(job, &mut log, &|| false)?;
        let log = String::from_utf8(log).expect("the script prints text");
        Ok::<_, LabError>((boot.machine, log))
    };
    job.qemu.machine = ["pc-2.11", "isapc,a=on", "pc"].map(String::from).to_vec();
    let (machine, log) = boot(&job).expect("the machine runs");
    assert_eq!(machine, "isapc,a=on");
    assert!(read("arguments").contains("-M isapc,a=on "));
    assert_eq!(
        log,
        format!("{PASSED}[qemu] the machine was `isapc,a=on`\n")
    );

    let missing = |machines: &[&str]| {
        let mut job = job.clone();
        job.qemu.machine = machines.iter().map(ToString::to_string).collect();
        let error = boot(&job)
            .expect_err("there is no such machine")
            .to_string();
        error.replace(&job.qemu.binary, "QEMU")
    };
    insta::assert_snapshot!(missing(&["pc-2.11", "q800"]), @"`QEMU` (QEMU emulator version 7.2.22) offers none of the machines `pc-2.11`, `q800`; `QEMU -M help` lists what it has");
    insta::assert_snapshot!(missing(&["q800,a=b"]), @"`QEMU` (QEMU emulator version 7.2.22) offers no machine `q800,a=b`; `QEMU -M help` lists what it has");
    assert_eq!(read("asked"), "asked\n", "asked once");
}

#[test]
fn a_missing_program_names_its_package() {
    let missing = QemuLab::default().boot(
        &job(Path::new("/nowhere/qemu-system-sparc64")),
        &mut Vec::new(),
        &|| false,
    );
    insta::assert_snapshot!(missing.expect_err("there is no such program"), @"`/nowhere/qemu-system-sparc64` is not installed (Debian package `qemu-system-sparc`)");
}

#[test]
fn a_log_that_can_not_be_written_ends_the_machine() {
    struct Full;
    impl std::io::Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let bench = QemuBench::new();
    let boot = bench.lab.boot(
        &bench.job(&behaves(PASSED, Then::Hangs)),
        &mut Full,
        &|| false,
    );
    assert!(matches!(boot, Err(LabError::Log(_))), "{boot:?}");
    assert!(is_gone(bench.pid_of("leader")));
}

#[test]
fn the_whole_process_group_is_killed() {
    let bench = QemuBench::new();
    let job = BootJob {
        silence: Duration::from_millis(300),
        ..bench.job(&behaves("Loading\n", Then::Hangs))
    };
    bench
        .lab
        .boot(&job, &mut Vec::new(), &|| false)
        .expect("the machine runs");
    assert!(is_gone(bench.pid_of("leader")));
    assert!(is_gone(bench.pid_of("child")));
}

/// A machine dies when the thread that watches it does, without anyone to kill it: here the
/// thread leaks the machine, and so never drops it.
#[test]
fn a_machine_does_not_outlive_its_thread() {
    let bench = QemuBench::new();
    let argv = [bench.job(&behaves("", Then::Hangs)).qemu.binary.into()];
    std::thread::spawn(move || {
        let machine = super::machine::Machine::start(&argv).expect("the script starts");
        std::thread::sleep(Duration::from_millis(300));
        std::mem::forget(machine);
    })
    .join()
    .expect("the thread ends");
    assert!(is_gone(bench.pid_of("leader")));
}

/// Whether a process ended, given a moment; a zombie of ours counts as ended.
fn is_gone(pid: i32) -> bool {
    (0..40).any(|_| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let gone = stat.is_empty() || stat.contains(") Z ");
        if !gone {
            std::thread::sleep(Duration::from_millis(50));
        }
        gone
    })
}
