//! What a step sees and may do, and how its end is told.

use std::fs;
use std::fs::File;
use std::fs::Permissions;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::chown;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use engine::sandbox::Bind;
use engine::sandbox::Cancel;
use engine::sandbox::Exit;
use engine::sandbox::Layers;
use engine::sandbox::Limits;
use engine::sandbox::Mapping;
use engine::sandbox::Root;
use engine::sandbox::SandboxError;
use engine::sandbox::Spec;
use engine::sandbox::Stdio;
use engine::sandbox::User;

use super::world::World;

pub fn worker_sees_only_what_the_spec_gives(world: &World) {
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

pub fn image_is_never_changed(world: &World) {
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
pub fn the_machines_own_root_shows_binds(world: &World) {
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
pub fn builds_share_a_jobserver(world: &World) {
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

pub fn exits_are_passed_on(world: &World) {
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

pub fn failing_steps_are_named(world: &World) {
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

pub fn limits_apply(world: &World) {
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

pub fn root_of_the_image_needs_ids(world: &World) {
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

/// Kept trees lie below a step's own directory, and are not changed.
pub fn layers_are_seen_as_one(world: &World) {
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
