//! Sandboxes on this machine: as root, as a user with subordinate ids, as a user without.
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "world/user.rs"]
mod user;

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;
use std::thread;
use std::time::Duration;
use std::time::Instant;
use std::time::UNIX_EPOCH;

use engine::model::Abi;
use engine::sandbox::Bind;
use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use engine::sandbox::Layers;
use engine::sandbox::Limits;
use engine::sandbox::Mapping;
use engine::sandbox::Root;
use engine::sandbox::Sandbox;
use engine::sandbox::SandboxError;
use engine::sandbox::Spec;
use engine::sandbox::Stdio;
use engine::sandbox::User;
use engine::sandbox::abi_of;
use nix::sys::signal::Signal;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use nix::unistd::geteuid;
use user::USER;
use user::skip;

const APPLETS: &str = "sh cat chown env hostname id kill ls mkdir rmdir sleep stat touch";

/// A uid with neither a name nor subordinate ids.
const STRANGER: &str = "23457";

/// Runs each scenario as root, as [`USER`] and as [`STRANGER`].
macro_rules! scenarios {
    ($($name:ident)*) => {
        mod as_root { $(#[test] fn $name() { super::as_root(super::$name); })* }
        mod as_user {
            $(#[test] fn $name() {
                super::as_user(concat!("as_user::", stringify!($name)), super::$name);
            })*
        }
        mod as_stranger {
            $(#[test] fn $name() {
                super::as_stranger(concat!("as_stranger::", stringify!($name)), super::$name);
            })*
        }
    };
}

scenarios! {
    worker_sees_only_what_the_spec_gives
    image_is_never_changed
    the_machines_own_root_shows_binds
    layers_are_seen_as_one
    builds_share_a_jobserver
    exits_are_passed_on
    failing_steps_are_named
    limits_apply
    root_of_the_image_needs_ids
    foreign_programs_are_emulated
    wall_limit_kills_the_tree
    cancelling_kills_the_tree
    killing_the_engine_kills_the_tree
    killing_the_helper_is_an_error
    terminal_is_lent
    archives_are_unpacked_and_removed
    archives_cannot_escape
    odd_archives_are_unpacked_right
    top_directory_is_stripped
}

fn worker_sees_only_what_the_spec_gives(world: &World) {
    let mut spec = world.spec(
        "id -u; id -g; hostname; pwd; env; ls /; ls /src; touch /src/x; cat /proc/net/dev;
         cat /proc/self/status; echo made > /out/file; echo in > /tmp/x; echo gone > /dev/null",
    );
    spec.env.insert("B".to_owned(), "two words".to_owned());
    let (exit, log) = world.run(&spec);
    assert_eq!(exit.unwrap(), Exit::Code(0), "{log}");
    let (uid, gid) = (world.sandbox.worker_uid(), world.sandbox.worker_gid());
    assert!(
        log.starts_with(&format!("{uid}\n{gid}\nbox\n/out\n")),
        "{log}"
    );
    let mut env: Vec<&str> = log
        .lines()
        .skip(4)
        .take_while(|line| *line != "bin")
        .collect();
    // The shell itself adds these two to what it was given.
    env.retain(|line| !["PWD=/out", "SHLVL=1"].contains(line));
    env.sort_unstable();
    assert_eq!(env, ["B=two words", "PATH=/bin"]);
    assert!(log.contains("\nbin\ndev\nout\nproc\nsrc\ntmp\n"), "{log}");
    assert!(
        log.contains("touch: /src/x: Read-only file system\n"),
        "{log}"
    );
    let devices = log
        .lines()
        .filter(|line| line.contains(": "))
        .filter(|line| {
            line.split_once(':')
                .is_some_and(|(_, rest)| rest.split_whitespace().count() == 16)
        });
    assert_eq!(
        devices
            .map(|line| line.trim()[..3].to_owned())
            .collect::<Vec<_>>(),
        ["lo:"]
    );
    for line in ["CapEff:\t0000000000000000", "NoNewPrivs:\t1"] {
        assert!(log.contains(line), "{line} in {log}");
    }
    let made = fs::metadata(world.path("out/file")).unwrap();
    assert_eq!((made.uid(), made.gid()), (uid, gid));
    assert_eq!(
        fs::read_to_string(world.path("out/file")).unwrap(),
        "made\n"
    );
}

fn image_is_never_changed(world: &World) {
    let mut spec = world.spec("touch /bin/new /here/x && ls /bin/new /data/there");
    spec.user = world.root_or_worker();
    // A target that a link in the image leads elsewhere stays inside.
    symlink("/data", world.path("root/link")).unwrap();
    fs::write(world.path("out/there"), "").unwrap();
    for (source, target) in [("out", "/link"), ("out", "/here")] {
        let source = world.path(source);
        spec.binds.push(Bind {
            source,
            target: target.into(),
            read_only: false,
        });
    }
    fs::set_permissions(world.path("root/bin"), Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(world.path("root/data")).unwrap();
    let (exit, log) = world.run(&spec);
    assert_eq!(
        (exit.unwrap(), &*log),
        (Exit::Code(0), "/bin/new\n/data/there\n")
    );
    assert!(!world.path("root/bin/new").exists());
    assert!(!world.path("root/here").exists() && !world.path("root/.host").exists());
    assert!(world.path("out/x").exists());
}

/// The directory lies in one the user alone may pass, and is seen past that.
fn layers_are_seen_as_one(world: &World) {
    let worker = (world.sandbox.worker_uid(), world.sandbox.worker_gid());
    let give = |path: &Path| chown(path, Some(worker.0), Some(worker.1)).unwrap();
    for (file, text) in [
        ("a:b,c/kept", "old"),
        ("a:b,c/changed", "old"),
        ("a:b,c/gone", "old"),
        ("a:b,c/dir/x", "old"),
        ("bottom/changed", "oldest"),
        ("bottom/base", "oldest"),
    ] {
        let (file, dir) = (
            world.path(file),
            world.path(file).parent().unwrap().to_owned(),
        );
        fs::create_dir_all(&dir).unwrap();
        fs::write(&file, text).unwrap();
        give(&dir);
        give(&file);
    }
    let old = UNIX_EPOCH + Duration::from_secs(1_000_000);
    File::open(world.path("a:b,c/kept"))
        .unwrap()
        .set_modified(old)
        .unwrap();
    let lowers = vec![world.path("a:b,c"), world.path("bottom")];
    let layers = Layers::new(world.path("out/up"), lowers);
    for dir in [layers.upper(), &*layers.work()] {
        fs::create_dir(dir).unwrap();
        give(dir);
    }
    let mut spec = world.spec(
        "cat /layers/kept /layers/changed /layers/base; stat -c %Y /layers/kept; echo new > /layers/changed
         rm -r /layers/gone /layers/dir; mkdir /layers/dir; echo new > /layers/dir/y; ls /layers /layers/dir; ls -A /",
    );
    spec.layers = Some((layers.clone(), "/layers".into()));
    let (exit, log) = world.run(&spec);
    assert_eq!(exit.unwrap(), Exit::Code(0), "{log}");
    assert!(log.starts_with("oldoldoldest1000000\n"), "{log}");
    assert!(
        log.contains("/layers:\nbase\nchanged\ndir\nkept\n\n/layers/dir:\ny\n"),
        "{log}"
    );
    assert!(!log.contains(".layers"), "{log}");
    // The same as is seen from outside.
    let read = |path: &str| fs::read_to_string(layers.file(path)?).ok();
    let seen = ["kept", "changed", "base", "gone", "dir/x", "dir/y"].map(read);
    let seen = seen.map(Option::unwrap_or_default);
    assert_eq!(seen, ["old", "new\n", "oldest", "", "", "new\n"]);
    assert_eq!(
        fs::read_to_string(world.path("a:b,c/changed")).unwrap(),
        "old"
    );
    // What the kernel left for itself can be removed, and then all of it.
    world.sandbox.remove(&layers.work()).unwrap();
    fs::remove_dir_all(world.path("out/up")).unwrap();
}

fn the_machines_own_root_shows_binds(world: &World) {
    let own = tempfile::tempdir_in("/var/tmp").unwrap();
    fs::set_permissions(&own, Permissions::from_mode(0o777)).unwrap();
    let own = own.path().display();
    let mut spec = world.spec(&format!(
        "for dir in / /etc {own}; do (: > $dir/escaped) 2>/dev/null && echo $dir; done; echo made > /tmp/file; ls /tmp"
    ));
    spec.root = Root::Host;
    spec.env
        .insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    spec.user = world.root_or_worker();
    spec.binds = vec![Bind {
        source: world.path("out"),
        target: "/tmp".into(),
        read_only: false,
    }];
    spec.cwd = "/".into();
    fs::set_permissions(&world.dir, Permissions::from_mode(0o700)).unwrap();
    let (exit, log) = world.run(&spec);
    assert_eq!((exit.unwrap(), &*log), (Exit::Code(0), "file\n"));
    assert_eq!(fs::read(world.path("out/file")).unwrap(), b"made\n");
}

/// Two of this machine's `make`, each with the one job that it may always run, share the only free token.
fn builds_share_a_jobserver(world: &World) {
    const MAKEFILE: &str = "all: a b c d e f
a b c d e f:
\t@: > now.$@; ls now.* | wc -l; sleep 0.2; rm now.$@
";
    fs::write(world.path("out/Makefile"), MAKEFILE).unwrap();
    let client = jobserver::Client::new(1).unwrap();
    let build = |name: &str| {
        let mut spec = world.spec("");
        spec.root = Root::Host;
        let path = "/usr/bin:/bin".to_owned();
        spec.env.insert("PATH".to_owned(), path);
        let targets = name.to_owned();
        spec.argv = ["make", "-C", "/tmp"].map(str::to_owned).to_vec();
        spec.argv.extend(targets.split(' ').map(str::to_owned));
        spec.user = world.root_or_worker();
        spec.binds = vec![Bind {
            source: world.path("out"),
            target: "/tmp".into(),
            read_only: false,
        }];
        spec.cwd = "/".into();
        let log = tempfile::tempfile().unwrap();
        let output = Stdio::Log(log.try_clone().unwrap());
        let exit = world
            .sandbox
            .run_sharing(&spec, output, &Cancel::new(), Some(&client));
        let mut text = String::new();
        (&log).seek(SeekFrom::Start(0)).unwrap();
        (&log).read_to_string(&mut text).unwrap();
        assert_eq!(exit.unwrap(), Exit::Code(0), "{text}");
        text
    };
    let texts = thread::scope(|scope| {
        let one = scope.spawn(|| build("a b c"));
        let two = scope.spawn(|| build("d e f"));
        [one.join().unwrap(), two.join().unwrap()].concat()
    });
    assert!(!texts.contains("jobserver unavailable"), "{texts}");
    let counts = texts.lines().filter_map(|line| line.parse::<u32>().ok());
    let counts: Vec<u32> = counts.collect();
    assert_eq!(
        (counts.len(), counts.iter().max()),
        (6, Some(&3)),
        "{texts}"
    );
    assert_eq!(client.available().unwrap(), 1);
}

fn exits_are_passed_on(world: &World) {
    for (script, expected) in [
        ("exit 0", Exit::Code(0)),
        ("exit 77", Exit::Code(77)),
        ("kill -9 $$", Exit::Signal(9)),
        ("kill -15 $$", Exit::Signal(15)),
        // Left behind, it must neither delay nor outlive the command.
        ("sleep 1000 & exit 3", Exit::Code(3)),
        // What every program may expect, though Rust ignores it: death by SIGPIPE.
        ("kill -13 $$", Exit::Signal(13)),
    ] {
        let (exit, log) = world.run(&world.spec(script));
        assert_eq!(exit.unwrap(), expected, "{script}: {log}");
    }
}

fn failing_steps_are_named(world: &World) {
    let fails = |change: &dyn Fn(&mut Spec)| {
        let mut spec = world.spec("exit 0");
        change(&mut spec);
        world
            .run(&spec)
            .0
            .unwrap_err()
            .to_string()
            .replace(world.dir.to_str().unwrap(), "[DIR]")
    };
    let texts = [
        fails(&|spec| spec.argv = vec!["make".to_owned()]),
        fails(&|spec| spec.argv.clear()),
        fails(&|spec| spec.cwd = "/nowhere".into()),
        fails(&|spec| spec.cwd = "/bin/sh".into()),
        fails(&|spec| spec.root = Root::Image(world.path("root/missing"))),
        fails(&|spec| {
            spec.root = Root::Host;
            spec.binds[0].target = "/missing".into();
        }),
        fails(&|spec| spec.binds[0].source.push("missing")),
        fails(&|spec| spec.binds[0].target = "a/../b".into()),
        fails(&|spec| spec.binds[0].target = "/bin/sh/x".into()),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    sandbox: cannot run `make` in `/out`: No such file or directory
    sandbox: cannot run the command: it is empty
    sandbox: cannot enter `/nowhere`: No such file or directory
    sandbox: cannot enter `/bin/sh`: it is no directory
    sandbox: cannot find `[DIR]/root/missing`: No such file or directory
    sandbox: cannot find `/missing`: No such file or directory
    sandbox: cannot find `[DIR]/src/missing`: No such file or directory
    sandbox: cannot bind on `a/../b`: the target is not an absolute path without `..`
    sandbox: cannot make `/bin/sh/x`: Not a directory
    ");
}

fn limits_apply(world: &World) {
    let mut spec = world.spec(
        "ulimit -n; ulimit -c; ulimit -f; (for i in 1 2 3 4 5 6 7 8 9; do sleep 9 & done) || echo no;
         cat /dev/zero > /out/big",
    );
    spec.limits = Limits {
        wall: None,
        nofile: Some(100),
        file_size: Some(1 << 20),
        processes: Some(8),
    };
    let (exit, log) = world.run(&spec);
    exit.unwrap();
    assert!(log.starts_with("100\n0\n2048\n"), "{log}");
    assert!(log.contains("can't fork"), "{log}");
    assert_eq!(
        fs::metadata(world.path("out/big")).map_or(1 << 20, |big| big.len()),
        1 << 20
    );
}

fn root_of_the_image_needs_ids(world: &World) {
    let mut spec = world.spec("id -u; touch /bin/x; chown 33:44 /bin/x && stat -c %u:%g /bin/x");
    spec.user = User::Root;
    match (world.sandbox.mapping(), world.run(&spec)) {
        (Mapping::Single { .. }, (Err(error @ SandboxError::NeedsSubids { .. }), _)) => {
            insta::assert_snapshot!(error, @"making images as user `23457` needs subordinate ids: `/etc/subuid` has no range of 65535 ids for `23457`; install `newuidmap` and `newgidmap` (package `uidmap`, or `shadow`) and add the line `23457:100000:65536` to `/etc/subuid` and `/etc/subgid`");
        }
        (_, (exit, log)) => {
            assert_eq!((exit.unwrap(), &*log), (Exit::Code(0), "0\n33:44\n"));
        }
    }
}

/// A program for arm64: writes `arm64` and ends with exit code 7.
fn foreign_program() -> Vec<u8> {
    let code: [u32; 8] = [
        0xd280_0020, // mov x0, #1
        0x1000_00e1, // adr x1, the text
        0xd280_00c2, // mov x2, #6
        0xd280_0808, // mov x8, #64: write
        0xd400_0001, // svc #0
        0xd280_00e0, // mov x0, #7
        0xd280_0ba8, // mov x8, #93: exit
        0xd400_0001, // svc #0
    ];
    let text = b"arm64\n";
    let (start, address) = (64 + 56, 0x40_0000_u64);
    let size = (start + size_of_val(&code) + text.len()) as u64;
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    program.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [address + start as u64, 64, 0] {
        program.extend(word.to_le_bytes());
    }
    program.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // One segment, to read and execute.
    program.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, address, address, size, size, 0x1_0000] {
        program.extend(word.to_le_bytes());
    }
    assert_eq!(program.len(), start);
    program.extend(code.iter().flat_map(|word| word.to_le_bytes()));
    program.extend(text);
    program
}

fn foreign_programs_are_emulated(world: &World) {
    let registered = || {
        let entries = fs::read_dir("/proc/sys/fs/binfmt_misc")
            .into_iter()
            .flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = registered();
    let program = world.path("root/bin/hello");
    fs::write(&program, foreign_program()).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut spec = world.spec("hello; code=$?; ls /proc/sys/fs/binfmt_misc; exit $code");
    assert_eq!(world.sandbox.emulator(Abi::X86_64).unwrap(), None);
    assert_eq!(abi_of(&world.path("root")), Some(Abi::X86_64));
    spec.emulator = world.sandbox.emulator(Abi::Aarch64).unwrap();
    assert!(spec.emulator.is_some());
    let users = [User::Worker, world.root_or_worker()];
    for user in users {
        spec.user = user;
        let (exit, log) = world.run(&spec);
        assert_eq!(exit.unwrap(), Exit::Code(7), "{log}");
        // Nothing but the sandbox's own entry, whatever the machine has.
        assert_eq!(log, "arm64\nqemu-aarch64\nregister\nstatus\n");
    }
    if registered().is_empty() {
        // Neither another sandbox nor the machine runs such programs.
        assert_eq!(
            Command::new(&program).status().unwrap_err().raw_os_error(),
            Some(8)
        );
    }
    spec.emulator = None;
    spec.argv = vec!["/bin/hello".to_owned()];
    let error = world.run(&spec).0.unwrap_err();
    insta::assert_snapshot!(error, @"sandbox: cannot run `/bin/hello` in `/out`: Exec format error");
    assert_eq!(registered(), before);
    insta::assert_snapshot!(world.sandbox.emulator(Abi::Ia64).unwrap_err(), @"programs for `ia64` need an emulator on this machine, and none is known for them");
}

fn wall_limit_kills_the_tree(world: &World) {
    let (mut spec, mark) = world.sleepers();
    spec.limits.wall = Some(Duration::from_secs(1));
    let (exit, log) = world.run(&spec);
    assert_eq!(exit.unwrap(), Exit::TimedOut, "{log}");
    assert!(world.path("out/started").exists());
    assert_eq!(processes(&mark), Vec::<String>::new());
}

fn cancelling_kills_the_tree(world: &World) {
    let (spec, mark) = world.sleepers();
    let cancel = Cancel::new();
    let exit = thread::scope(|scope| {
        let run = scope.spawn(|| world.run_until(&spec, &cancel).0);
        world.wait_for_start();
        assert!(!processes(&mark).is_empty());
        cancel.cancel();
        run.join().unwrap()
    });
    assert_eq!(exit.unwrap(), Exit::Cancelled);
    assert_eq!(processes(&mark), Vec::<String>::new());
    // What is cancelled stays so.
    assert_eq!(world.run_until(&spec, &cancel).0.unwrap(), Exit::Cancelled);
}

fn killing_the_engine_kills_the_tree(world: &World) {
    let (spec, mark) = world.sleepers();
    let mut engine = driver("log", &spec, world).spawn().unwrap();
    // Nothing may fail before the kill, or the engine would live on: hence no assertion here.
    let started = eventually(Duration::from_secs(20), || processes(&mark).len() >= 3);
    engine.kill().unwrap();
    engine.wait().unwrap();
    assert!(started, "the tree did not start");
    // Nobody is left to wait for the end of the tree, so it may take a moment.
    within(Duration::from_secs(5), || processes(&mark).is_empty());
}

fn killing_the_helper_is_an_error(world: &World) {
    let (spec, mark) = world.sleepers();
    let error = thread::scope(|scope| {
        let run = scope.spawn(|| world.run(&spec).0);
        world.wait_for_start();
        let children = fs::read_dir("/proc/self/task").unwrap().map(|thread| {
            fs::read_to_string(thread.unwrap().path().join("children")).unwrap_or_default()
        });
        for pid in children.collect::<String>().split_whitespace() {
            kill(Pid::from_raw(pid.parse().unwrap()), Signal::SIGKILL).unwrap();
        }
        run.join().unwrap().unwrap_err()
    });
    assert_eq!(
        error.to_string(),
        "sandbox: the helper ended with signal: 9 (SIGKILL) before its command did"
    );
    within(Duration::from_secs(5), || processes(&mark).is_empty());
}

fn terminal_is_lent(world: &World) {
    let spec =
        world.spec("read line; echo got $line; test -t 0 && test -t 1 && test -t 2; exit $?");
    let driver = driver("terminal", &spec, world);
    let command: Vec<&str> = driver.get_args().filter_map(|arg| arg.to_str()).collect();
    let program = driver.get_program().to_str().unwrap();
    let mut script = Command::new("script")
        .args([
            "-qec",
            &format!(
                "{program} {}; read line; echo after $line",
                command.join(" ")
            ),
            "/dev/null",
        ])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .envs(
            driver
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        )
        .spawn()
        .unwrap_or_else(|error| missing(&format!("`script` (package bsdutils): {error}")));
    let mut input = script.stdin.take().unwrap();
    input.write_all(b"typed\nmore\n").unwrap();
    let output = script.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("got typed") && text.contains("Code(0)"),
        "{text}"
    );
    // Only the terminal's foreground job may read.
    assert!(text.contains("after more"), "{text}");
}

fn archives_are_unpacked_and_removed(world: &World) {
    let dest = world.path("unpacked");
    let tar = sample();
    let compressed = zstd::encode_all(&*tar, 1).unwrap();
    let mut xz = Vec::new();
    io::copy(&mut liblzma::read::XzEncoder::new(&*tar, 0), &mut xz).unwrap();
    let mut gzip = Vec::new();
    let level = flate2::Compression::fast();
    io::copy(&mut flate2::read::GzEncoder::new(&*tar, level), &mut gzip).unwrap();
    for archive in [&tar, &compressed, &xz, &gzip] {
        fs::write(world.path("a.tar"), archive).unwrap();
        world
            .sandbox
            .unpack(&world.path("a.tar"), &dest, false, &Cancel::new())
            .unwrap();
        let meta = |name: &str| fs::symlink_metadata(dest.join(name)).unwrap();
        assert_eq!(meta("etc/passwd").mode() & 0o7777, 0o4644);
        assert_eq!(
            (meta("etc/passwd").mtime(), meta("etc").mtime()),
            (1_000_000, 2_000_000)
        );
        assert_eq!(meta("etc").mode() & 0o7777, 0o555);
        assert_eq!(meta("etc/hard").ino(), meta("etc/passwd").ino());
        assert_eq!(
            fs::read_link(dest.join("etc/soft")).unwrap(),
            Path::new("/etc/passwd")
        );
        assert!(dest.join("dev").is_dir() && !dest.join("dev/null").exists());
        let owner = (meta("etc/passwd").uid(), meta("etc/passwd").gid());
        let expected = match world.sandbox.mapping() {
            Mapping::Identity => (33, 44),
            Mapping::Subids { uids, gids, .. } => (uids.start + 33, gids.start + 44),
            Mapping::Single { uid, gid, .. } => (*uid, *gid),
        };
        assert_eq!(owner, expected);
        world.sandbox.remove(&dest).unwrap();
        assert!(!dest.exists());
    }
    world.sandbox.remove(&dest).unwrap();
}

fn archives_cannot_escape(world: &World) {
    let dest = world.path("deep/unpacked");
    let outside = world.path("deep/outside");
    fs::create_dir_all(&outside).unwrap();
    let linked = |link: &str| {
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_link(&mut header(tar::EntryType::Symlink, 0, 0o777), "a", link)
            .unwrap();
        append(&mut tar, "a/file", b"x");
        tar.into_inner().unwrap()
    };
    let mut up = tar::Builder::new(Vec::new());
    let mut dots = header(tar::EntryType::Regular, 1, 0o644);
    dots.as_old_mut().name[..14].copy_from_slice(b"../outside/one");
    dots.set_cksum();
    up.append(&dots, &b"x"[..]).unwrap();
    let mut hard = tar::Builder::new(Vec::new());
    let secret = world.path("a.tar");
    hard.append_link(&mut header(tar::EntryType::Link, 0, 0o644), "a", &secret)
        .unwrap();
    for tar in [
        linked("../outside"),
        linked(outside.to_str().unwrap()),
        up.into_inner().unwrap(),
        hard.into_inner().unwrap(),
    ] {
        fs::write(&secret, tar).unwrap();
        let error = world
            .sandbox
            .unpack(&secret, &dest, false, &Cancel::new())
            .unwrap_err()
            .to_string();
        assert!(error.contains("unpack `"), "{error}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert_eq!(fs::metadata(&secret).unwrap().nlink(), 1);
        world.sandbox.remove(&dest).unwrap();
    }
    fs::write(&secret, &sample()[..700]).unwrap();
    let error = world
        .sandbox
        .unpack(&secret, &dest, false, &Cancel::new())
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("failed to read entire block"), "{error}");
    world.sandbox.remove(&dest).unwrap();
}

/// Absolute paths, a sparse file, a capability, and xz in blocks as pixz writes them.
fn odd_archives_are_unpacked_right(world: &World) {
    let dest = world.path("odd");
    let mut tar = tar::Builder::new(Vec::new());
    let mut absolute = header(tar::EntryType::Regular, 1, 0o644);
    absolute.as_old_mut().name[..9].copy_from_slice(b"/absolute");
    absolute.set_cksum();
    tar.append(&absolute, &b"x"[..]).unwrap();
    // VFS_CAP_REVISION_2 with CAP_NET_RAW, as ping has it.
    let capability = [1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    tar.append_pax_extensions([("SCHILY.xattr.security.capability", &capability[..])])
        .unwrap();
    append(&mut tar, "./ping", b"ping");
    let mut archive = tar.into_inner().unwrap();
    archive.truncate(archive.len() - 1024);
    // By GNU tar, which alone writes the old form of sparse files.
    let sparse = fs::File::create(world.path("sparse")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, b"end", (1 << 20) - 3).unwrap();
    let made = Command::new("tar")
        .args(["--create", "--sparse", "--format=gnu", "--file=-", "sparse"])
        .current_dir(world.path("."))
        .output()
        .unwrap();
    assert!(made.status.success() && made.stdout.len() < 100_000);
    archive.extend(made.stdout);
    fs::write(world.path("blocks"), archive).unwrap();
    let blocks = Command::new("xz")
        .args(["--block-size=4096", "--stdout"])
        .arg(world.path("blocks"))
        .output()
        .unwrap();
    assert!(blocks.status.success());
    fs::write(world.path("a.tar"), blocks.stdout).unwrap();
    let unpacked = world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, false, &Cancel::new());
    unpacked.unwrap();
    assert_eq!(fs::read(dest.join("absolute")).unwrap(), b"x");
    assert_eq!(fs::read(dest.join("ping")).unwrap(), b"ping");
    let sparse = fs::read(dest.join("sparse")).unwrap();
    assert_eq!(
        (sparse.len(), &sparse[(1 << 20) - 3..]),
        (1 << 20, &b"end"[..])
    );
    let blocks = fs::metadata(dest.join("sparse")).unwrap().blocks();
    assert!(blocks * 512 <= 1 << 20);
    world.sandbox.remove(&dest).unwrap();
}

fn top_directory_is_stripped(world: &World) {
    let dest = world.path("stripped");
    let mut tar = tar::Builder::new(Vec::new());
    append(&mut tar, "linux-6.1/Makefile", b"all:\n");
    append(&mut tar, "linux-6.1/linux-6.1/file", b"");
    fs::write(world.path("a.tar"), tar.into_inner().unwrap()).unwrap();
    world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, true, &Cancel::new())
        .unwrap();
    assert_eq!(fs::read_to_string(dest.join("Makefile")).unwrap(), "all:\n");
    assert!(dest.join("linux-6.1/file").exists());
    assert_eq!(fs::read_dir(&dest).unwrap().count(), 2);
    world.sandbox.remove(&dest).unwrap();

    fs::write(world.path("a.tar"), sample()).unwrap();
    let error = world
        .sandbox
        .unpack(&world.path("a.tar"), &dest, true, &Cancel::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("it does not hold one top directory, but `dev`, `etc`"),
        "{error}"
    );
    world.sandbox.remove(&dest).unwrap();
}

fn header(kind: tar::EntryType, size: u64, mode: u32) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(mode);
    header.set_uid(33);
    header.set_gid(44);
    header.set_mtime(1_000_000);
    header
}

fn append(tar: &mut tar::Builder<Vec<u8>>, path: &str, data: &[u8]) {
    let mut header = header(tar::EntryType::Regular, data.len() as u64, 0o4644);
    tar.append_data(&mut header, path, data).unwrap();
}

/// Everything an image holds that is not just a file.
fn sample() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut directory = header(tar::EntryType::Directory, 0, 0o555);
    directory.set_mtime(2_000_000);
    tar.append_data(&mut directory, "./", io::empty()).unwrap();
    tar.append_data(&mut directory, "./etc/", io::empty())
        .unwrap();
    let refused = [
        ("SCHILY.xattr.trusted.x", &b"1"[..]),
        ("SCHILY.xattr.security.x", b"1"),
    ];
    tar.append_pax_extensions(refused).unwrap();
    append(&mut tar, "./etc/passwd", b"root:x:0:0\n");
    let (mut soft, mut hard) = (
        header(tar::EntryType::Symlink, 0, 0o777),
        header(tar::EntryType::Link, 0, 0o644),
    );
    tar.append_link(&mut soft, "./etc/soft", "/etc/passwd")
        .unwrap();
    tar.append_link(&mut hard, "./etc/hard", "./etc/passwd")
        .unwrap();
    tar.append_data(&mut directory, "./dev/", io::empty())
        .unwrap();
    let mut null = header(tar::EntryType::Char, 0, 0o666);
    tar.append_data(&mut null, "./dev/null", io::empty())
        .unwrap();
    tar.into_inner().unwrap()
}

/// A temporary directory with an image of busybox, a source, an output, and the sandbox to try.
struct World {
    dir: PathBuf,
    sandbox: Sandbox,
    _temp: tempfile::TempDir,
}

impl World {
    fn new() -> World {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().to_owned();
        fs::set_permissions(&dir, Permissions::from_mode(0o755)).unwrap();
        for name in ["root/bin", "src", "out"] {
            fs::create_dir_all(dir.join(name)).unwrap();
        }
        let busybox = ["/bin/busybox", "/usr/bin/busybox"]
            .into_iter()
            .find(|p| Path::new(p).exists());
        let busybox = busybox.unwrap_or_else(|| missing("busybox (package busybox-static)"));
        fs::copy(busybox, dir.join("root/bin/busybox")).unwrap();
        for name in APPLETS.split(' ') {
            symlink("busybox", dir.join("root/bin").join(name)).unwrap();
        }
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_engine").into()).unwrap();
        let worker = (Some(sandbox.worker_uid()), Some(sandbox.worker_gid()));
        chown(dir.join("out"), worker.0, worker.1).unwrap();
        World {
            dir,
            sandbox,
            _temp: temp,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn spec(&self, script: &str) -> Spec {
        let bind = |name: &str, read_only| Bind {
            source: self.path(name),
            target: Path::new("/").join(name),
            read_only,
        };
        Spec {
            root: Root::Image(self.path("root")),
            emulator: None,
            binds: vec![bind("src", true), bind("out", false)],
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            env: BTreeMap::from([("PATH".to_owned(), "/bin".to_owned())]),
            cwd: "/out".into(),
            user: User::Worker,
            devices: Vec::new(),
            limits: Limits::default(),
            hostname: "box".to_owned(),
            layers: None,
            tmp_size: 64 << 20,
        }
    }

    /// A command with a tree of processes below it that all ask to be left alone, and the number
    /// that marks them in `/proc`.
    fn sleepers(&self) -> (Spec, String) {
        let mark = (1_000_000 + std::process::id()).to_string();
        let script = format!(
            "trap '' TERM INT HUP; (sleep {mark} & sleep {mark}) & touch /out/started; sleep {mark}"
        );
        (self.spec(&script), mark)
    }

    fn wait_for_start(&self) {
        within(Duration::from_secs(20), || {
            self.path("out/started").exists()
        });
    }

    fn run(&self, spec: &Spec) -> (Result<Exit, SandboxError>, String) {
        self.run_until(spec, &Cancel::new())
    }

    fn run_until(&self, spec: &Spec, cancel: &Cancel) -> (Result<Exit, SandboxError>, String) {
        let log = File::create(self.path("log")).unwrap();
        let exit = self.sandbox.run(spec, Stdio::Log(log), cancel);
        (exit, fs::read_to_string(self.path("log")).unwrap())
    }

    fn root_or_worker(&self) -> User {
        match self.sandbox.mapping() {
            Mapping::Single { .. } => User::Worker,
            _ => User::Root,
        }
    }
}

/// A process that runs `spec` as an engine would: this test program again, see [`engine_process`].
fn driver(stdio: &str, spec: &Spec, world: &World) -> Command {
    let file = world.path("spec.json");
    fs::write(&file, serde_json::to_vec(spec).unwrap()).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--nocapture", "--exact", "engine_process"]);
    command
        .env("SANDBOX_SPEC", file)
        .env("SANDBOX_STDIO", stdio);
    command
}

#[test]
#[ignore = "the process that other tests start and kill"]
fn engine_process() {
    let spec =
        serde_json::from_slice(&fs::read(variable("SANDBOX_SPEC").unwrap()).unwrap()).unwrap();
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_engine").into()).unwrap();
    let stdio = match variable("SANDBOX_STDIO").as_deref() {
        Some("terminal") => Stdio::Terminal,
        _ => Stdio::Log(tempfile::tempfile().unwrap()),
    };
    println!("{:?}", sandbox.run(&spec, stdio, &Cancel::new()));
}

/// Command lines of all processes on this machine that have `mark` in them.
fn processes(mark: &str) -> Vec<String> {
    let line = |entry: io::Result<fs::DirEntry>| fs::read(entry.ok()?.path().join("cmdline")).ok();
    fs::read_dir("/proc")
        .unwrap()
        .filter_map(line)
        .map(|line| String::from_utf8_lossy(&line).into_owned())
        .filter(|line| line.contains(mark))
        .collect()
}

fn within(limit: Duration, what: impl Fn() -> bool) {
    assert!(eventually(limit, what), "not within {limit:?}");
}

fn eventually(limit: Duration, what: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if what() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

fn as_root(scenario: fn(&World)) {
    if geteuid().is_root() {
        scenario(&World::new());
    } else {
        skip("root");
    }
}

fn as_user(test: &str, scenario: fn(&World)) {
    if !geteuid().is_root() {
        return scenario(&World::new());
    }
    match user::make() {
        Ok(()) => again(test, &format!("--reuid={USER}"), USER),
        Err(lacks) => skip(&lacks),
    }
}

fn as_stranger(test: &str, scenario: fn(&World)) {
    if geteuid().is_root() {
        again(test, &format!("--reuid={STRANGER}"), STRANGER);
    } else if geteuid().to_string() == STRANGER {
        scenario(&World::new());
    } else {
        skip("root, to become a user without subordinate ids");
    }
}

/// Runs one test of this program as another user.
fn again(test: &str, user: &str, group: &str) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new("setpriv")
        .args([user, &format!("--regid={group}"), "--clear-groups", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .current_dir("/")
        .env("INSTA_UPDATE", "no")
        .output()
        .unwrap_or_else(|error| missing(&format!("`setpriv` (package util-linux): {error}")));
    let said = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(
        status.success() && said.contains("1 passed"),
        "as {group}: {said}"
    );
}

fn missing(what: &str) -> ! {
    panic!("this test needs {what}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "how a test speaks to the process it starts"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
