//! A real LAVA server, scheduler and worker on the loopback (`tests/lab/lab.sh`), with kernels that are built here.
//!
//! One lab for all of it, so one test: what may happen at once does, and what disturbs the lab comes last.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "what fails here fails the test, which runs the machine's programs"
)]

#[expect(dead_code, reason = "these tests pin by `engine update`")]
#[path = "../world.rs"]
mod world;

mod lab;
mod schema;
#[path = "../world/store.rs"]
mod shared;
#[expect(dead_code, reason = "these tests need root")]
#[path = "../world/user.rs"]
mod user;

use std::fs;
use std::path::Path;
use std::process::Child;
use std::process::Stdio;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use lab::Lab;
use world::Ended;
use world::World;

const BUILD: &str = "linux-6.1/x86_64/tiny/gcc";

/// What keeps a lab from being brought up on this machine.
fn lacks_lava() -> Option<String> {
    let root = fs::metadata("/proc/self").map(|facts| std::os::unix::fs::MetadataExt::uid(&facts));
    if !matches!(root, Ok(0)) {
        return Some("root".to_owned());
    }
    let programs = [
        ("/usr/bin/lava-server", "lava-server"),
        ("/usr/bin/lava-worker", "lava-dispatcher"),
        ("/usr/lib/postgresql", "postgresql"),
        ("/etc/default/tftpd-hpa", "tftpd-hpa"),
    ];
    let lacks = programs.iter().find(|(path, _)| !Path::new(path).exists());
    lacks.map(|(_, package)| format!("the package {package}"))
}

/// The project on the store that tests on real input share, and the user whose token it has.
struct Project {
    world: World,
    token: String,
}

impl Project {
    fn new(lab: &Lab, user: &str) -> Self {
        let world = World::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/lava/project");
        for entry in fs::read_dir(root).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            world.write(&name, &fs::read_to_string(&path).unwrap());
        }
        // What an earlier run of the tests booted is booted again: its root filesystem is another.
        let init = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stdlib/init.c");
        let init = fs::read_to_string(init).unwrap();
        world.write(
            "init.c",
            &format!("{init}\nconst char run[] = \"{}\";\n", lab.run),
        );
        world.edit("main.rhai", "http://127.0.0.1:18080", &lab.url);
        world.edit("main.rhai", "\"alice\"", &format!("\"{user}\""));
        Self {
            world,
            token: lab.token(user),
        }
    }

    fn command(&self, arguments: &str) -> std::process::Command {
        let words: Vec<&str> = arguments.split_whitespace().collect();
        let mut command = self.world.command(&words);
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("LAVA_TOKEN", &self.token)
            .env("ENGINE_STORE", shared::shared_store());
        command
    }

    fn run(&self, arguments: &str) -> Ended {
        self.world.run(&mut self.command(arguments))
    }

    fn good(&self, arguments: &str) -> Ended {
        let ended = self.run(arguments);
        assert_eq!(ended.code, Some(0), "{arguments}: {ended}");
        ended
    }

    fn start(&self, arguments: &str) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// A file that the last boot left.
    fn result(&self, below: &str) -> String {
        let path = format!("project/results/{BUILD}/boots/{below}");
        fs::read_to_string(self.world.path(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }
}

/// The lines of a summary that tell boots, without times.
fn verdicts(ended: &Ended) -> String {
    let boots = ended.stdout.lines().filter(|line| line.contains(" boot "));
    let boots = boots.filter(|line| !line.starts_with("failed:") && !line.starts_with("broken:"));
    let line = |line: &str| {
        let verdict = line.split_whitespace().next().unwrap();
        let name = line.rsplit(' ').next().unwrap();
        format!("{verdict} {}", name.trim_start_matches(BUILD))
    };
    let mut lines: Vec<String> = boots.map(line).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn kernels_are_booted_in_a_real_lab() {
    if let Some(lacks) = lacks_lava() {
        return user::skip(&lacks);
    }
    let lab = Lab::up();
    let project = Project::new(&lab, "alice");
    project.good("update");
    project.good("realize --until kernel");

    whoever_has_rights_is_refused(&lab, &project);
    the_lab_is_told(&project);
    all_kinds_of_labs_agree(&project);
    what_only_lava_runs(&project);
    a_board_without_a_device_is_told(&project);
    a_lab_that_is_down_does_not_fail_the_others(&project);
    jobs_that_wait_are_gathered(&lab, &project);
    an_interrupt_cancels_and_a_kill_is_resumed(&lab, &project);
    a_server_that_goes_away_is_waited_for(&lab, &project);
    what_others_do_to_a_job_is_broken(&lab, &project);
}

fn whoever_has_rights_is_refused(lab: &Lab, pinned: &Project) {
    let lock = fs::read_to_string(pinned.world.path("project/engine.lock")).unwrap();
    let refused = |user: &str, token: &str| {
        let mut project = Project::new(lab, user);
        project.world.write("engine.lock", &lock);
        if !token.is_empty() {
            token.clone_into(&mut project.token);
        }
        let told = project.run("labs").stdout;
        let line = told.lines().find(|line| line.contains("cannot be used"));
        line.unwrap_or(&told).trim().to_owned()
    };
    let told = [
        refused("sam", ""),
        refused("root", ""),
        refused("alice", "0123456789abcdef0123456789abcdef01234567"),
        refused("alice", &lab.token("sam")),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    cannot be used: user `sam` is staff of the lab (it may call `system.set_user_groups`): a CI that anyone's patches lead must not have such rights; use an ordinary user
    cannot be used: user `root` is a superuser of the lab (it may read `permissions/devicetypes/`): a CI that anyone's patches lead must not have such rights; use an ordinary user
    cannot be used: the server does not know the token of user `alice`
    cannot be used: the token is that of user `sam`, and the lab is declared for `alice`
    ");
    // The same before a job: nothing is submitted.
    let before = lab.jobs();
    let project = Project::new(lab, "sam");
    project.world.write("engine.lock", &lock);
    let ended = project.run(&format!("realize --lab lava {BUILD}/pc/general"));
    assert_eq!(ended.code, Some(3), "{ended}");
    assert!(
        ended.stdout.contains("user `sam` is staff of the lab"),
        "{ended}"
    );
    assert_eq!(lab.jobs(), before);
}

fn the_lab_is_told(project: &Project) {
    let told = project.good("labs").stdout.replace(&lab::url(), "URL");
    let json = project.good("labs --json").stdout;
    let json: Vec<serde_json::Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(json[1]["boards"]["pc"]["good"], 2, "{json:?}");
    assert_eq!(json[1]["boards"]["broken"]["good"], 0, "{json:?}");
    insta::assert_snapshot!(told, @r"
    here: QEMU on this machine
      boards: broken, pc, pc-disk, pc-shell, unknown

    lava: URL (LAVA 2023.01), ordinary user `alice`
      TYPE    DEVICES               QUEUE
      broken  1 Bad, 1 Maintenance  0
      qemu    2 Good                0
      x86     1 Good                0
      broken: 2 devices of type `broken`: 1 Bad, 1 Maintenance
      netboot: 1 good device
      pc: 2 good devices
      pc-disk: 2 good devices
      pc-shell: 1 good device
      unknown: it has no device type `qemuu`; did you mean `qemu`?
    ");
}

/// The same kernel and suites in QEMU here and in LAVA: the same verdicts, for the same reasons.
fn all_kinds_of_labs_agree(project: &Project) {
    let wanted = [
        "pc/general",
        "pc-disk/general",
        "pc/panic",
        "pc/fails",
        "pc/hangs",
    ];
    let wanted: Vec<String> = wanted
        .iter()
        .map(|boot| format!("{BUILD}/{boot}"))
        .collect();
    let wanted = wanted.join(" ");
    let mut told = Vec::new();
    for lab in ["here", "lava"] {
        let ended = project.run(&format!("realize -k --lab {lab} {wanted}"));
        assert_eq!(ended.code, Some(1), "{ended}");
        told.push(verdicts(&ended));
        for boot in ["pc/panic", "pc/fails", "pc/hangs"] {
            let results = project.result(&format!("{boot}/results.json"));
            let results: serde_json::Value = serde_json::from_str(&results).unwrap();
            let (reason, signature) = (&results["reason"], &results["signature"]);
            told.push(format!("{boot}: {reason} {signature}"));
        }
    }
    let (here, lava) = told.split_at(told.len() / 2);
    assert_eq!(here, lava);
    insta::assert_snapshot!(here.join("\n"), @r#"
    failed /pc/fails
    failed /pc/hangs
    failed /pc/panic
    succeeded /pc-disk/general
    succeeded /pc/general
    pc/panic: "kernel panic: sysrq triggered crash" "kernel panic: sysrq triggered crash"
    pc/fails: "test `adds` failed: expected 3 got 4" "test `adds` failed: expected NUM got NUM"
    pc/hangs: "hung after: 1..1" "hung after: NUM..NUM"
    "#);
    // The second time nothing is submitted.
    let again = project.good(&format!("realize --lab lava {BUILD}/pc/general"));
    assert!(again.stderr.contains("nothing to do"), "{again}");
}

/// LAVA's test shell, by QEMU and on a machine that is booted over a network.
fn what_only_lava_runs(project: &Project) {
    let wanted = ["pc-shell/smoke", "pc-shell/red", "netboot/smoke"];
    let wanted: Vec<String> = wanted
        .iter()
        .map(|boot| format!("{BUILD}/{boot}"))
        .collect();
    let ended = project.run(&format!("realize -k {}", wanted.join(" ")));
    assert_eq!(ended.code, Some(1), "{ended}");
    insta::assert_snapshot!(verdicts(&ended), @r"
    failed /pc-shell/red
    succeeded /netboot/smoke
    succeeded /pc-shell/smoke
    ");
    let results = project.result("pc-shell/smoke/results.json");
    for part in ["smoke/uname", "42.5", "bogomips", "qemu-01"] {
        assert!(results.contains(part), "{part}: {results}");
    }
    let red = project.result("pc-shell/red/results.json");
    assert!(red.contains("test `red/breaks` failed"), "{red}");
    assert!(project.result("netboot/smoke/console.log").contains("iPXE"));
    // Downloaded with its digest, which the worker checked.
    let job = project.result("netboot/smoke/job.yaml");
    assert!(
        job.contains("sha256sum") && job.contains(&format!("job_name: '{BUILD}/netboot/smoke'")),
        "{job}"
    );
    let printed = project.good(&format!("jobs {BUILD}/netboot/smoke")).stdout;
    assert!(printed.contains("http://ARTIFACTS/blobs/"), "{printed}");
}

fn a_board_without_a_device_is_told(project: &Project) {
    let ended = project.run(&format!(
        "realize -k --lab lava {BUILD}/broken/general {BUILD}/unknown/general"
    ));
    assert_eq!(ended.code, Some(3), "{ended}");
    let reasons = ended
        .stdout
        .lines()
        .filter(|line| line.contains("no lab boots it"));
    let reasons: Vec<&str> = reasons.map(str::trim).collect();
    insta::assert_snapshot!(reasons.join("\n"), @r"
    no lab boots it now: `lava`: 2 devices of type `broken`: 1 Bad, 1 Maintenance
    no lab boots it now: `lava`: it has no device type `qemuu`; did you mean `qemu`?
    ");
}

/// `--submit-only`, with what `engine serve` serves, and `engine labs gather`.
fn jobs_that_wait_are_gathered(lab: &Lab, project: &Project) {
    let alone = project.run(&format!(
        "realize --submit-only --lab lava --retry-failed {BUILD}/pc/fails"
    ));
    assert_eq!(alone.code, Some(3), "{alone}");
    assert!(alone.stdout.contains("has no `artifacts_url`"), "{alone}");

    let port = lab::PORT + 10;
    let mut serving = project.start(&format!("serve --listen 127.0.0.1:{port}"));
    project.world.edit(
        "main.rhai",
        "deploy_secs: 120",
        &format!("deploy_secs: 120, artifacts_url: \"http://127.0.0.1:{port}\""),
    );
    let boots = format!("--retry-failed {BUILD}/pc/fails {BUILD}/pc/panic");
    let left = project.good(&format!("realize -k --submit-only --lab lava {boots}"));
    assert!(left.stderr.contains("`engine labs gather`"), "{left}");
    let before = lab.jobs();
    let gathered = project.run("labs gather -k --lab lava --retry-failed");
    assert_eq!(gathered.code, Some(1), "{gathered}");
    assert_eq!(lab.jobs(), before, "{gathered}");
    insta::assert_snapshot!(verdicts(&gathered), @r"
    failed /pc/fails
    failed /pc/panic
    ");
    let none = project.good("labs gather");
    assert!(
        none.stderr.contains("no job of this project is in a lab"),
        "{none}"
    );

    // What was left and is another boot now: told, and cancelled where that is wanted.
    project.world.edit("hangs.c", "1..1", "1..2");
    project.good(&format!(
        "realize --submit-only --lab lava {BUILD}/pc/hangs"
    ));
    let job = *lab.jobs().last().unwrap();
    project.world.edit("hangs.c", "1..2", "1..1");
    let told = project.run("labs gather --lab lava");
    assert!(
        told.stderr.contains("1 job is of other definitions"),
        "{told}"
    );
    let forgot = project.run("labs gather --forget --lab lava").stderr;
    let line = format!("job {job} of lab `lava` is cancelled");
    assert!(forgot.contains(&line), "{forgot}");
    wait_for(|| (lab.state(job) == "Finished").then_some(()));
    assert_eq!(lab.health(job), "Canceled");
    serving.kill().unwrap();
    serving.wait().unwrap();
    let served = format!(", artifacts_url: \"http://127.0.0.1:{port}\"");
    project.world.edit("main.rhai", &served, "");
}

/// Labs that cannot be used keep nobody from those that can.
fn a_lab_that_is_down_does_not_fail_the_others(project: &Project) {
    let others = r#"
lab("away", #{ lava: #{ url: "http://127.0.0.1:1", user: "alice", token: #{ env: "LAVA_TOKEN" } } });
lab("closed", #{ lava: #{ url: "http://127.0.0.1:1", user: "alice", token: #{ env: "NO_TOKEN" } } });
"#;
    let main = fs::read_to_string(project.world.path("project/main.rhai")).unwrap();
    project.world.write(
        "main.rhai",
        &(main.replace("uname -a", "uname -r") + others),
    );
    project.good(&format!("realize {BUILD}/pc-shell/smoke"));
    let told = project.run("labs");
    assert_eq!(told.code, Some(3), "{told}");
    let lines = told
        .stdout
        .lines()
        .filter(|line| line.contains("cannot be used"));
    let lines: Vec<&str> = lines.map(str::trim).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    cannot be used: cannot ask who the token's user is at http://127.0.0.1:1/: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
    cannot be used: `$NO_TOKEN` is not set: it must hold the token of the lab's user
    ");
    project.world.write("main.rhai", &main);
}

/// Starts a boot that takes twenty seconds, and waits until it runs.
fn under_way(lab: &Lab, project: &Project) -> (Child, u64) {
    let before = lab.jobs();
    let engine = project.start(&format!("realize --lab lava {BUILD}/pc/long"));
    let job = wait_for(|| lab.jobs().into_iter().find(|job| !before.contains(job)));
    wait_for(|| (lab.state(job) == "Running").then_some(()));
    // The kernel has been downloaded when it runs.
    wait_for(|| lab.log(job).contains("# second 1").then_some(()));
    (engine, job)
}

fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_mins(2), "it did not come");
        thread::sleep(Duration::from_millis(200));
    }
}

fn an_interrupt_cancels_and_a_kill_is_resumed(lab: &Lab, project: &Project) {
    let (engine, job) = under_way(lab, project);
    let start = Instant::now();
    lab::signal(&engine, "INT");
    let ended = engine.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "{:?}",
        start.elapsed()
    );
    wait_for(|| (lab.state(job) == "Finished").then_some(()));
    assert_eq!(lab.health(job), "Canceled");

    let (mut engine, job) = under_way(lab, project);
    lab::signal(&engine, "KILL");
    engine.wait().unwrap();
    let before = lab.jobs();
    let resumed = project.good(&format!("realize --lab lava {BUILD}/pc/long"));
    assert!(
        resumed.stderr.contains(&format!("goes on with job {job}")),
        "{resumed}"
    );
    assert_eq!(lab.jobs(), before, "nothing was submitted twice");
}

fn a_server_that_goes_away_is_waited_for(lab: &Lab, project: &Project) {
    project
        .world
        .edit("long.c", "# second %d", "# second %d once more");
    let (engine, job) = under_way(lab, project);
    lab.server("stop");
    thread::sleep(Duration::from_secs(3));
    lab.server("start");
    let ended = engine.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("asks again"), "{said}");
    assert_eq!(lab.health(job), "Complete");
}

/// Someone else cancels a job, which is submitted again; and a job that the device type does not take, which is broken.
fn what_others_do_to_a_job_is_broken(lab: &Lab, project: &Project) {
    project.world.edit("long.c", "once more", "and again");
    let (engine, job) = under_way(lab, project);
    lab.cancel(job);
    let ended = engine.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    // Once more, as it says nothing about the kernel; that is all there is to try.
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("someone cancelled the job"), "{said}");
    assert!(said.contains("submits it once more"), "{said}");
    assert_eq!(lab.jobs().last(), Some(&(job + 1)));

    // A device type that knows nothing of what the job asks for.
    let alias = "deploy_secs: 120, aliases: #{ qemu: \"x86\" }";
    project.world.edit("main.rhai", "deploy_secs: 120", alias);
    project
        .world
        .edit("long.c", "and again", "for the last time");
    let ended = project.run(&format!("realize --lab lava {BUILD}/pc/long"));
    assert_eq!(ended.code, Some(3), "{ended}");
    let reason = ended
        .stdout
        .lines()
        .find(|line| line.contains("lab `lava`: "));
    let reason = reason.unwrap_or_default();
    assert!(
        reason.contains("Job: None of the deployment strategies accepted"),
        "{ended}"
    );
}
