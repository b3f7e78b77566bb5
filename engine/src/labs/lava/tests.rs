//! Which devices count, tokens, and answers as servers of several releases give them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::model::LavaCommands;
use crate::model::LavaDevice;
use crate::model::LavaLab;
use crate::model::LavaMethod;
use crate::model::TokenFrom;
use crate::spec::LavaSpec;

fn device(hostname: &str, device_type: &str, health: &str, online: bool, tags: &[&str]) -> Device {
    Device {
        hostname: hostname.to_owned(),
        device_type: device_type.to_owned(),
        health: health.to_owned(),
        state: "Idle".to_owned(),
        tags: tags.iter().map(ToString::to_string).collect(),
        online,
    }
}

#[test]
fn only_good_devices_of_workers_that_are_online_count() {
    let offer = Offer {
        types: ["qemu", "x86", "empty"].map(str::to_owned).into(),
        devices: vec![
            device("a", "qemu", "Good", true, &["kvm"]),
            device("b", "qemu", "Good", true, &[]),
            device("c", "qemu", "Bad", true, &["spare"]),
            device("d", "x86", "Bad", true, &[]),
            device("e", "x86", "Maintenance", true, &[]),
            device("f", "x86", "Unknown", true, &[]),
            device("g", "x86", "Good", false, &[]),
        ],
        queue: BTreeMap::new(),
    };
    let good = |device_type: &str, tags: &[&str]| {
        let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
        match offer.good(device_type, &tags) {
            Ok(count) => count.to_string(),
            Err(why) => why,
        }
    };
    let told = [
        good("qemu", &[]),
        good("qemu", &["kvm"]),
        good("qemu", &["spare"]),
        good("qemu", &["none"]),
        good("x86", &[]),
        good("empty", &[]),
        good("qemuu", &[]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    2
    1
    1 device of type `qemu`: 1 Bad
    no device of type `qemu` with the tags none is there to be seen
    4 devices of type `x86`: 1 Bad, 1 Maintenance, 1 Unknown, 1 on a worker that is offline
    no device of type `empty` is there to be seen
    it has no device type `qemuu`; did you mean `qemu`?
    ");
}

#[test]
fn tokens_come_from_where_others_cannot_read_and_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let environment = |name: &str| match name {
        "GOOD" => Some(OsString::from("abc123")),
        "ODD" => Some(OsString::from("a b")),
        _ => None,
    };
    let read = |from: TokenFrom| {
        let told = match Token::read(&from, environment) {
            Ok(token) => format!("{token:?}"),
            Err(error) => error.to_string(),
        };
        told.replace(&dir.path().display().to_string(), "DIR")
    };
    let env = |name: &str| read(TokenFrom::Env(name.to_owned()));
    let file = |text: &str, mode: u32| {
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        read(TokenFrom::File(path.display().to_string()))
    };
    let told = [
        env("GOOD"),
        env("ODD"),
        env("UNSET"),
        file("abc123\n", 0o600),
        file("abc123\n", 0o640),
        file("", 0o600),
        read(TokenFrom::File(
            dir.path().join("none").display().to_string(),
        )),
        read(TokenFrom::File(dir.path().display().to_string())),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    Token(…)
    `$ODD` holds no token: LAVA's are 1 to 128 letters and digits
    `$UNSET` is not set: it must hold the token of the lab's user
    Token(…)
    `DIR/token` may be read by others (mode 640): `chmod 600 DIR/token`
    `DIR/token` holds no token: LAVA's are 1 to 128 letters and digits
    cannot read the token in `DIR/none`: No such file or directory (os error 2)
    cannot read the token in `DIR`: it is no small file
    ");
}

/// A server that answers by the beginning of a path, as servers were seen to, or as the sources of newer releases say they do.
struct Recorded {
    url: String,
}

impl Recorded {
    fn new(answers: &[(&'static str, u16, &'static str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers = answers.to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is no fault.
                let _ = answer(stream, &answers);
            }
        });
        Self { url }
    }

    fn server(&self) -> LavaServer {
        let lab = LavaLab {
            url: self.url.clone(),
            user: "alice".to_owned(),
            token: TokenFrom::Env("T".to_owned()),
            artifacts_url: None,
            max_jobs: 1,
            queue_secs: 1,
            deploy_secs: 1,
            retries: 0,
            priority: 50,
            public: true,
            aliases: BTreeMap::new(),
        };
        LavaServer::new("lab", &lab, |_| Some(OsString::from("abc")))
    }

    /// What is said of the user's standing.
    fn standing(answers: &[(&'static str, u16, &'static str)]) -> String {
        let recorded = Self::new(answers);
        match wait(recorded.server().standing()) {
            Ok(()) => "ordinary".to_owned(),
            Err(why) => why.replace(&recorded.url, "URL"),
        }
    }
}

fn answer(mut stream: TcpStream, answers: &[(&str, u16, &str)]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut path, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let lower = line.to_lowercase();
        if path.is_empty() {
            path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        } else if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        } else if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let found = answers.iter().find(|(start, ..)| path.starts_with(start));
    let (_, status, text) = found
        .copied()
        .unwrap_or(("", 404, "<html>not found</html>"));
    let location = if status == 301 {
        "Location: https://elsewhere.example/\r\n"
    } else {
        ""
    };
    write!(
        stream,
        "HTTP/1.1 {status} X\r\n{location}Content-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    )
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future)
}

const WHOAMI: (&str, u16, &str) = ("/api/v0.2/system/whoami/", 200, r#"{"user":"alice"}"#);
const DENIED: &str = r#"{"detail":"You do not have permission to perform this action."}"#;
const TYPES_DENIED: (&str, u16, &str) = ("/api/v0.2/permissions/devicetypes/", 403, DENIED);
const FORBIDDEN: &str = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>403</int></value></member><member><name>faultString</name><value><string>forbidden</string></value></member></struct></value></fault></methodResponse>";
const USER_UNKNOWN: &str = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>400</int></value></member><member><name>faultString</name><value><string>please use an existing user</string></value></member></struct></value></fault></methodResponse>";
const NO_METHOD: &str = "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>-32601</int></value></member><member><name>faultString</name><value><string>method not found</string></value></member></struct></value></fault></methodResponse>";

#[test]
fn only_a_user_who_is_known_to_be_ordinary_is_good() {
    let users = "/api/v0.2/users/";
    let rpc = "/RPC2";
    let told = [
        // 2023.01, recorded.
        Recorded::standing(&[WHOAMI, TYPES_DENIED, (rpc, 200, FORBIDDEN)]),
        Recorded::standing(&[WHOAMI, TYPES_DENIED, (rpc, 200, USER_UNKNOWN)]),
        Recorded::standing(&[
            WHOAMI,
            ("/api/v0.2/permissions/devicetypes/", 200, r#"{"count":0}"#),
        ]),
        Recorded::standing(&[(
            "/api/v0.2/system/whoami/",
            403,
            r#"{"detail":"Invalid token."}"#,
        )]),
        Recorded::standing(&[("/api/v0.2/system/whoami/", 200, r#"{"user":""}"#)]),
        Recorded::standing(&[("/api/v0.2/system/whoami/", 200, r#"{"user":"bob"}"#)]),
        // 2026.04 and later: `users/` says it to those who may know.
        Recorded::standing(&[
            WHOAMI,
            (users, 403, DENIED),
            TYPES_DENIED,
            (rpc, 200, FORBIDDEN),
        ]),
        Recorded::standing(&[
            WHOAMI,
            (
                users,
                200,
                r#"{"results":[{"username":"alice","is_staff":false,"is_superuser":true}]}"#,
            ),
        ]),
        Recorded::standing(&[
            WHOAMI,
            (
                users,
                200,
                r#"{"results":[{"username":"alice","is_staff":true,"is_superuser":false}]}"#,
            ),
        ]),
        // What is no answer is never a good one.
        Recorded::standing(&[WHOAMI, TYPES_DENIED, (rpc, 200, NO_METHOD)]),
        Recorded::standing(&[WHOAMI, TYPES_DENIED, (rpc, 200, "<html>proxy</html>")]),
        Recorded::standing(&[WHOAMI, TYPES_DENIED, (rpc, 502, "<html>proxy</html>")]),
        Recorded::standing(&[
            WHOAMI,
            (
                "/api/v0.2/permissions/devicetypes/",
                500,
                "<html>error</html>",
            ),
        ]),
        Recorded::standing(&[("/api/v0.2/system/whoami/", 301, "")]),
        Recorded::standing(&[("/api/v0.2/system/whoami/", 200, "<html>log in</html>")]),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    ordinary
    user `alice` is staff of the lab (it may call `system.set_user_groups`): a CI that anyone's patches lead must not have such rights; use an ordinary user
    user `alice` is a superuser of the lab (it may read `permissions/devicetypes/`): a CI that anyone's patches lead must not have such rights; use an ordinary user
    the server does not know the token of user `alice`
    the server does not know the token of user `alice`
    the token is that of user `bob`, and the lab is declared for `alice`
    ordinary
    user `alice` is a superuser of the lab (`users/` says so): a CI that anyone's patches lead must not have such rights; use an ordinary user
    user `alice` is staff of the lab (`users/` says so): a CI that anyone's patches lead must not have such rights; use an ordinary user
    it cannot be told whether user `alice` is staff of the lab: `system.set_user_groups` answers -32601, method not found
    it cannot be told whether user `alice` is staff of the lab: cannot ask for the user's rights: URL/RPC2 gave an answer that is none of LAVA's
    it cannot be told whether user `alice` is staff of the lab: cannot ask for the user's rights: the server answers 502: a page, not LAVA's answer
    it cannot be told whether user `alice` is staff of the lab: `permissions/devicetypes/` answers 500 Internal Server Error
    URL/api/v0.2/system/whoami/ leads on to https://elsewhere.example/: give that address as the lab's `url`
    cannot ask who the token's user is: the server answers 200: not as LAVA's `system/whoami/`
    ");
}

#[test]
fn a_job_is_submitted_by_201_and_nothing_else() {
    let submit = |status, body| {
        let recorded = Recorded::new(&[("/api/v0.2/jobs/", status, body)]);
        match wait(recorded.server().submit("job_name: x")) {
            Ok(job) => format!("job {job}"),
            Err(error) => error.to_string().replace(&recorded.url, "URL"),
        }
    };
    let told = [
        submit(
            201,
            r#"{"message":"job(s) successfully submitted","job_ids":[7]}"#,
        ),
        // What a POST to an address without its last slash becomes where redirects are followed: a list.
        submit(
            200,
            r#"{"count":0,"next":null,"previous":null,"results":[]}"#,
        ),
        submit(301, ""),
        submit(
            400,
            r#"{"message":"Devices unavailable: Device type 'nosuch' is unavailable."}"#,
        ),
        submit(403, r#"{"detail":"Invalid token."}"#),
        submit(500, "<html>Server Error (500)</html>"),
        submit(201, "{}"),
    ];
    insta::assert_snapshot!(told.join("\n"), @r"
    job 7
    cannot submit the job: URL/api/v0.2/jobs/ gave an answer that is none of LAVA's
    URL/api/v0.2/jobs/ leads on to https://elsewhere.example/: give that address as the lab's `url`
    the lab refused the job: Devices unavailable: Device type 'nosuch' is unavailable.
    cannot submit the job: the server answers 403: Invalid token.
    cannot submit the job: the server answers 500: a page, not LAVA's answer
    cannot submit the job: URL/api/v0.2/jobs/ gave an answer that is none of LAVA's
    ");
}

#[test]
fn a_log_is_read_to_its_last_whole_line() {
    let log = |status, body: &'static str| {
        let recorded = Recorded::new(&[("/api/v0.2/jobs/1/logs/", status, body)]);
        wait(recorded.server().log(1, 0)).unwrap()
    };
    let (entries, lines) = log(
        200,
        "- {\"dt\": \"2026\", \"lvl\": \"target\", \"msg\": \"one\"}\n- {\"dt\": \"2026\", \"lvl\": \"debug\", \"msg\": \"two\"}\n- {\"dt\": \"20",
    );
    assert_eq!((entries.len(), lines), (2, 2));
    assert_eq!(log(404, "").1, 0);
    assert_eq!(
        log(
            200,
            "- {\"dt\": \"2026\", \"lvl\": \"target\", \"msg\": \"one\"}"
        )
        .1,
        1
    );
}

/// A lab with one good device, and some jobs that wait for it.
fn busy(waiting: usize) -> Recorded {
    let job = r#"{"state":"Submitted","requested_device_type":"qemu"}"#;
    let jobs = format!(
        r#"{{"next":null,"results":[{}]}}"#,
        vec![job; waiting].join(",")
    );
    Recorded::new(&[
        WHOAMI,
        TYPES_DENIED,
        ("/RPC2", 200, FORBIDDEN),
        (
            "/api/v0.2/devicetypes/",
            200,
            r#"{"next":null,"results":[{"name":"qemu"}]}"#,
        ),
        (
            "/api/v0.2/workers/",
            200,
            r#"{"next":null,"results":[{"hostname":"w","state":"Online","health":"Active"}]}"#,
        ),
        ("/api/v0.2/tags/", 200, r#"{"next":null,"results":[]}"#),
        (
            "/api/v0.2/devices/",
            200,
            r#"{"next":null,"results":[{"hostname":"q","device_type":"qemu","health":"Good","state":"Idle","worker_host":"w","tags":[]}]}"#,
        ),
        ("/api/v0.2/jobs/", 200, Box::leak(jobs.into_boxed_str())),
    ])
}

#[test]
fn jobs_go_to_the_shortest_queue_of_labs_that_may_have_them() {
    let (long, short, down) = (busy(5), busy(1), Recorded::new(&[]));
    let named = |name: &str, recorded: &Recorded| {
        let mut server = recorded.server();
        name.clone_into(&mut server.name);
        server.lab.max_jobs = 1;
        server
    };
    let labs = LavaLabs::new(vec![
        named("down", &down),
        named("long", &long),
        named("short", &short),
    ]);
    let mut spec = LavaSpec {
        device: LavaDevice {
            device_type: "qemu".to_owned(),
            tags: Vec::new(),
            labs: Vec::new(),
            method: LavaMethod::Qemu,
            commands: LavaCommands::Ramdisk,
            kernel_type: String::new(),
            dtb: String::new(),
            modules: false,
            initrd: None,
            context: BTreeMap::new(),
        },
        machine: None,
        tests: Vec::new(),
        silence_secs: 1,
        total_secs: 1,
        judging: crate::model::Judging::default(),
    };
    let place = |spec: &LavaSpec| match wait(labs.place(spec)) {
        Ok(placed) => placed.server.name.clone(),
        Err(error) => error.to_string().replace(&down.url, "URL"),
    };
    assert_eq!(place(&spec), "short");
    // What failed a short while ago comes last, and is good again once it booted something.
    let short = labs.named("short").unwrap();
    wait(labs.tell(short, false));
    assert_eq!(place(&spec), "long");
    wait(labs.tell(short, true));
    assert_eq!(place(&spec), "short");
    spec.device.labs = vec!["long".to_owned()];
    assert_eq!(place(&spec), "long");
    spec.device.labs = vec!["down".to_owned()];
    insta::assert_snapshot!(place(&spec), @"no lab boots it now: `down`: cannot ask who the token's user is: the server answers 404: not as LAVA's `system/whoami/`");
    spec.device.labs = vec!["other".to_owned()];
    insta::assert_snapshot!(place(&spec), @"no lab boots it now: `--lab` leaves none that may boot the board");
}
