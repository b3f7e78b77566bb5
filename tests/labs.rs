//! What every kind of lab must do, run over the local QEMU: a stand-in for its program in an image, and the real one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use engine::console::BootVerdict;
use engine::console::End;
use engine::jobs::BootJob;
use engine::jobs::Programs;
use engine::labs::Lab;
use engine::labs::LabError;
use engine::labs::QemuLab;
use engine::model::Accel;
use engine::model::DiskBus;
use engine::model::QemuDisk;
use engine::sandbox::Sandbox;

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

/// Images in which a shell script stands in for QEMU.
struct QemuBench {
    lab: QemuLab,
    folder: tempfile::TempDir,
    images: AtomicU32,
    /// How long a hanging machine sleeps: a number that no other process has.
    sleep: u32,
}

fn sandbox() -> Sandbox {
    Sandbox::new(PathBuf::from(env!("CARGO_BIN_EXE_engine"))).unwrap()
}

impl QemuBench {
    fn new() -> Self {
        Self {
            lab: QemuLab::with_grace(sandbox(), Duration::from_millis(300)),
            folder: tempfile::tempdir().unwrap(),
            images: AtomicU32::new(0),
            sleep: 100_000 + std::process::id(),
        }
    }

    /// Whether a machine's child is gone, given a moment.
    fn is_gone(&self) -> bool {
        (0..40).any(|_| {
            let gone = running(&format!("sleep\0{}", self.sleep)) == 0;
            if !gone {
                std::thread::sleep(Duration::from_millis(50));
            }
            gone
        })
    }
}

/// How many processes have some words in their command line.
fn running(words: &str) -> usize {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| String::from_utf8_lossy(line).contains(words))
        .count()
}

impl Bench for QemuBench {
    fn lab(&self) -> &dyn Lab {
        &self.lab
    }

    fn job(&self, behaviour: &Behaviour) -> BootJob {
        let number = self.images.fetch_add(1, Ordering::Relaxed);
        let image = self.folder.path().join(number.to_string());
        let bin = image.join("bin");
        for dir in ["bin", "dev", "proc", "tmp", "boot"] {
            fs::create_dir_all(image.join(dir)).unwrap();
        }
        fs::copy("/bin/busybox", bin.join("busybox")).unwrap();
        for applet in ["sh", "cat", "sleep", "printf", "kill", "echo"] {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
        }
        fs::write(image.join("console"), behaviour.prints).unwrap();
        fs::write(image.join("complaint"), behaviour.complains).unwrap();
        let sleep = self.sleep;
        let then = match behaviour.then {
            Then::Exits(status) => format!("exit {status}"),
            // The child shows that all of it is killed, not only the first process.
            Then::Hangs => format!("sleep {sleep} & wait"),
            Then::Babbles => "while :; do printf .; sleep 0.05; done".to_owned(),
            Then::Aborts => "kill -ABRT $$".to_owned(),
        };
        let script = format!("#!/bin/sh\n{OFFERS}cat /console\ncat /complaint >&2\n{then}\n");
        let program = bin.join("qemu-system-x86_64");
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let file = self.folder.path().join("file");
        fs::write(&file, "a file of the boot").unwrap();
        BootJob {
            programs: Programs::Image(image),
            kernel: file.clone(),
            root: file,
            silence: Duration::from_secs(30),
            total: Duration::from_mins(1),
            qemu: engine::model::QemuMachine {
                machine: vec!["pc".to_owned()],
                memory_mb: 64,
                console: "ttyS0".to_owned(),
                ..BootJob::question("qemu-system-x86_64").qemu
            },
            ..BootJob::question("qemu-system-x86_64")
        }
    }
}

/// What a stand-in answers when asked what it has.
const OFFERS: &str = "\
case \"$*\" in
'-M help') printf 'Supported machines are:\\npc  Standard PC\\nisapc  Old PC\\n'; exit;;
--version) echo 'QEMU emulator version 7.2.22'; echo Copyright; exit;;
esac
[ \"$3\" != -echo ] || echo \"$*\"
";

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
    assert_eq!(panicked.results.reason, "kernel panic: no init");
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
    let bench = QemuBench::new();
    every_lab(&bench);
    assert!(bench.is_gone());
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
    let boot = bench.lab.boot(&job, &mut log, &|| false).unwrap();
    assert_eq!(boot.results.verdict, BootVerdict::Broken);
    assert_eq!(boot.version, "QEMU emulator version 7.2.22");
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
    let boot = |job: &BootJob| {
        let mut log = Vec::new();
        let boot = bench.lab.boot(job, &mut log, &|| false)?;
        let log = String::from_utf8(log).unwrap();
        Ok::<_, LabError>((boot.machine, log))
    };
    job.qemu.machine = ["pc-2.11", "isapc,a=on", "pc"].map(String::from).to_vec();
    let (machine, log) = boot(&job).unwrap();
    assert_eq!(machine, "isapc,a=on");
    assert_eq!(
        log,
        format!("{PASSED}[qemu] the machine was `isapc,a=on`\n")
    );

    let missing = |machines: &[&str]| {
        let mut job = job.clone();
        job.qemu.machine = machines.iter().map(ToString::to_string).collect();
        boot(&job).unwrap_err().to_string()
    };
    insta::assert_snapshot!(missing(&["pc-2.11", "q800"]), @"`qemu-system-x86_64` (QEMU emulator version 7.2.22) offers none of the machines `pc-2.11`, `q800`; `qemu-system-x86_64 -M help` lists what it has");
    insta::assert_snapshot!(missing(&["q800,a=b"]), @"`qemu-system-x86_64` (QEMU emulator version 7.2.22) offers no machine `q800,a=b`; `qemu-system-x86_64 -M help` lists what it has");
}

#[test]
fn a_missing_program_names_its_package() {
    let boot = |job: &BootJob| {
        let lab = QemuLab::new(sandbox());
        lab.boot(job, &mut Vec::new(), &|| false).unwrap_err()
    };
    insta::assert_snapshot!(boot(&BootJob::question("qemu-system-nothing")), @"`qemu-system-nothing` is not installed (Debian package `qemu-system-misc`)");
    let bench = QemuBench::new();
    let mut job = bench.job(&behaves("", Then::Hangs));
    job.qemu.binary = "qemu-system-sparc64".to_owned();
    insta::assert_snapshot!(boot(&job), @"`qemu-system-sparc64` is not installed (Debian package `qemu-system-sparc`)");
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
    assert!(bench.is_gone());
}

#[test]
fn all_of_a_machine_is_killed() {
    let bench = QemuBench::new();
    let job = BootJob {
        silence: Duration::from_millis(600),
        ..bench.job(&behaves("Loading\n", Then::Hangs))
    };
    bench.lab.boot(&job, &mut Vec::new(), &|| false).unwrap();
    assert!(bench.is_gone());
}

/// The header of a bzImage, and nothing that could run (Documentation/arch/x86/boot.rst).
fn kernel() -> Vec<u8> {
    let mut kernel = vec![0; 64 << 10];
    kernel[0x1f1] = 1; // setup_sects
    kernel[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel[0x206..0x208].copy_from_slice(&[0x0f, 0x02]); // protocol 2.15
    kernel[0x211] = 1; // loaded high
    kernel[0x22c..0x230].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]); // initrd_addr_max
    kernel
}

/// The real QEMU on a machine without a kernel: what it says, and how it ends.
fn real(binary: &str, change: impl FnOnce(&mut BootJob)) -> Result<String, LabError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, kernel()).unwrap();
    let mut job = BootJob {
        kernel: file.clone(),
        root: file,
        silence: Duration::from_secs(3),
        total: Duration::from_secs(20),
        ..BootJob::question(binary)
    };
    change(&mut job);
    let mut log = Vec::new();
    let boot = QemuLab::new(sandbox()).boot(&job, &mut log, &|| false)?;
    assert!(boot.version.contains("QEMU emulator version"), "{boot:?}");
    Ok(format!(
        "{}\n{}",
        String::from_utf8_lossy(&log),
        boot.results.reason
    ))
}

/// What a definition could write to reach further than its boot.
#[test]
fn a_board_does_no_harm() {
    for binary in [
        "/bin/sh",
        "../bin/sh",
        "sh",
        "qemu-img",
        "qemu-system-x86_64 -S",
    ] {
        let refused = real(binary, |_| ()).unwrap_err();
        assert!(
            matches!(refused, LabError::NotQemu(_)),
            "{binary}: {refused}"
        );
    }
    let secret = tempfile::NamedTempFile::new().unwrap();
    fs::write(secret.path(), "a secret of the host").unwrap();
    let secret = secret.path().display().to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let written = std::env::temp_dir().join(format!("engine-harm-{}", std::process::id()));
    let path = written.display();
    let attempts = [
        format!("-drive file={secret},format=raw,if=ide"),
        "-drive file=/etc/passwd,format=raw,if=ide".to_owned(),
        "-fw_cfg name=opt/a,file=/etc/shadow".to_owned(),
        format!("-device loader,file={secret}"),
        "-initrd /root/.profile".to_owned(),
        format!("-chardev socket,id=c,host=127.0.0.1,port={port} -device isa-serial,chardev=c"),
        format!("-netdev socket,id=n,connect=127.0.0.1:{port} -device e1000,netdev=n"),
    ];
    for attempt in &attempts {
        let said = real("qemu-system-x86_64", |job| {
            job.qemu.args = attempt.split(' ').map(str::to_owned).collect();
        });
        let said = said.unwrap();
        let refused = [
            "No such file",
            "could not",
            "Could not",
            "failed",
            "Network is unreachable",
            "can't",
        ];
        assert!(
            refused.iter().any(|word| said.contains(word)),
            "{attempt}: {said}"
        );
        assert!(!said.contains("secret"), "{said}");
    }
    // These are allowed, and reach only what is thrown away with the sandbox.
    for allowed in [
        format!("-chardev file,id=c,path={path} -device isa-serial,chardev=c"),
        format!("-D {path} -d cpu_reset"),
    ] {
        real("qemu-system-x86_64", |job| {
            job.qemu.args = allowed.split(' ').map(str::to_owned).collect();
        })
        .unwrap();
        assert!(!written.exists(), "{allowed}");
    }
    // A user network of QEMU's own finds no network to go through.
    assert!(
        listener.accept().is_err(),
        "something came out of the sandbox"
    );
}

/// Every program that the project's boards name finds its modules and its firmware.
#[test]
fn the_real_programs_find_what_they_need() {
    let machines = [
        ("qemu-system-x86_64", "pc"),
        ("qemu-system-i386", "pc"),
        ("qemu-system-arm", "virt"),
        ("qemu-system-aarch64", "virt"),
        ("qemu-system-mips", "malta"),
        ("qemu-system-ppc", "g3beige"),
        ("qemu-system-ppc64", "pseries"),
        ("qemu-system-riscv64", "virt"),
        ("qemu-system-sparc64", "sun4u"),
        ("qemu-system-m68k", "q800"),
        ("qemu-system-hppa", "hppa"),
        ("qemu-system-alpha", "clipper"),
    ];
    let mut text = String::new();
    for (binary, machine) in machines {
        let said = real(binary, |job| {
            job.qemu.machine = vec![machine.to_owned()];
            job.qemu.args = vec!["-S".to_owned()];
            job.silence = Duration::from_millis(700);
        });
        let said = said.unwrap().replace('\n', " ");
        for bad in [
            "firmware",
            "bios",
            "BIOS",
            "ROM",
            "accel",
            "module",
            "shared libr",
        ] {
            assert!(!said.contains(bad), "{binary} {machine}: {said}");
        }
        writeln!(text, "{binary} {machine}: {said}").unwrap();
    }
    println!("{text}");
}

/// A disk is opened below the place where the sandbox shows it, and QEMU can write its snapshot.
#[test]
fn a_disk_is_where_the_command_line_has_it() {
    let said = real("qemu-system-x86_64", |job| {
        job.qemu.disk = Some(QemuDisk {
            root: "/dev/sda".to_owned(),
            bus: DiskBus::Interface("ide".to_owned()),
        });
        job.qemu.args = vec!["-S".to_owned()];
        job.silence = Duration::from_millis(700);
    });
    let said = said.unwrap();
    assert!(
        !said.contains("[qemu]") || said.contains("kernel"),
        "{said}"
    );
}

/// Where it may not be opened, or is not there, QEMU says so: it is asked for, and shown.
#[test]
fn kvm_is_asked_for_on_the_command_line() {
    let said = real("qemu-system-x86_64", |job| {
        job.accel = Accel::Kvm;
        job.qemu.args = vec!["-S".to_owned()];
        job.silence = Duration::from_millis(700);
    });
    match said {
        Ok(said) => assert!(!said.contains("tcg"), "{said}"),
        Err(error) => assert!(!Path::new("/dev/kvm").exists(), "{error}"),
    }
}

/// The engine's death by SIGKILL takes the machine with it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test is its own victim when told so"
)]
fn a_killed_engine_leaves_no_qemu() {
    const MARK: &str = "engine-lab-victim";
    if std::env::var_os("LAB_VICTIM").is_some() {
        real("qemu-system-x86_64", |job| {
            job.qemu.args = vec!["-S".to_owned(), "-name".to_owned(), MARK.to_owned()];
            job.silence = Duration::from_mins(2);
            job.total = Duration::from_mins(2);
        })
        .unwrap();
        return;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_killed_engine_leaves_no_qemu"])
        .env("LAB_VICTIM", "1")
        .spawn()
        .unwrap();
    let wait = |wanted: bool| {
        (0..200).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            (running(&format!("-name\0{MARK}")) > 0) == wanted
        })
    };
    assert!(wait(true), "no machine was started");
    victim.kill().unwrap();
    victim.wait().unwrap();
    assert!(wait(false), "the machine outlives its engine");
}
