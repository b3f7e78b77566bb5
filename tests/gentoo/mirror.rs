//! A mirror on the loopback with Gentoo's exact layout, which can be told to misbehave.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use store::Algorithm;
use store::Checksum;

use crate::key::Key;

/// What a path does instead of giving its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answers with a status and no content.
    Status(u16),
    /// Answers the first requests with a status, then rightly.
    StatusAtFirst(u16, usize),
    /// Breaks every transfer off after some bytes, and knows no ranges.
    Truncated(usize),
    /// Breaks the first transfer off after some bytes.
    BrokenAtFirst(usize),
    /// Redirects to itself.
    Loop,
    /// Takes the request and says nothing.
    Silent,
    /// Sends some bytes, then nothing.
    Stalls(usize),
}

#[derive(Default)]
struct Files {
    content: BTreeMap<String, Vec<u8>>,
    faults: BTreeMap<String, Fault>,
    /// Requests by path, with where they wanted to begin.
    asked: Vec<(String, usize)>,
}

/// A server of files. Its thread ends with the test's process.
#[derive(Clone)]
pub struct Mirror {
    files: Arc<Mutex<Files>>,
    /// Without `/` at its end.
    pub url: String,
}

/// The stamp of what is published.
pub const STAMP: &str = "20260111T170053Z";
/// The day of the snapshot.
pub const DAY: &str = "20260111";
/// Where the keys are.
pub const KEYS: &str = "/keys/service-keys.gpg";

impl Mirror {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files = Arc::new(Mutex::new(Files::default()));
        let served = Arc::clone(&files);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let files = Arc::clone(&served);
                // A client may go away whenever it likes.
                thread::spawn(move || drop(answer(stream, &files)));
            }
        });
        Self { files, url }
    }

    pub fn put(&self, path: &str, content: impl Into<Vec<u8>>) {
        self.files
            .lock()
            .unwrap()
            .content
            .insert(path.to_owned(), content.into());
    }

    pub fn get(&self, path: &str) -> Vec<u8> {
        self.files.lock().unwrap().content[path].clone()
    }

    pub fn remove(&self, path: &str) {
        self.files.lock().unwrap().content.remove(path);
    }

    pub fn fault(&self, path: &str, fault: Fault) {
        self.files
            .lock()
            .unwrap()
            .faults
            .insert(path.to_owned(), fault);
    }

    /// Gives a path its content again, and no fault.
    pub fn heal(&self, path: &str, content: &[u8]) {
        self.files.lock().unwrap().faults.remove(path);
        self.put(path, content);
    }

    /// How often a path was asked for, and where each request wanted to begin.
    pub fn asked(&self, path: &str) -> Vec<usize> {
        let files = self.files.lock().unwrap();
        let of_path = files.asked.iter().filter(|(asked, _)| asked == path);
        of_path.map(|(_, from)| *from).collect()
    }

    /// Puts a stage3 where Gentoo has it, with all that lies beside it, signed by a key.
    pub fn publish(&self, name: &str, tar_xz: &[u8], key: &Key, time: Option<&str>) {
        let path = stage3(name);
        let file = path.rsplit('/').next().unwrap();
        let contents = b"not looked at".as_slice();
        let mut digests = String::new();
        for (algorithm, word) in [
            (Algorithm::Blake2b, "BLAKE2B"),
            (Algorithm::Sha512, "SHA512"),
        ] {
            for (name, bytes) in [(file, tar_xz), (&format!("{file}.CONTENTS.gz"), contents)] {
                let hex = Checksum::of(algorithm, bytes);
                writeln!(digests, "# {word} HASH\n{}  {name}", hex.hex()).unwrap();
            }
        }
        let list = format!(
            "# Latest as of Sun, 11 Jan 2026 17:00:53 +0000\n# ts=1768150853\n{STAMP}/{file} {}\n",
            tar_xz.len()
        );
        self.put(&path, tar_xz);
        self.put(&format!("{path}.CONTENTS.gz"), contents);
        self.put(&format!("{path}.DIGESTS"), key.clearsign(&digests, time));
        self.put(&format!("{path}.asc"), key.detached(tar_xz, time));
        self.put(&latest(name), key.clearsign(&list, time));
        self.put(KEYS, key.public());
    }

    /// Puts a snapshot of the ebuild repository where Gentoo has it.
    pub fn publish_snapshot(&self, tar_xz: &[u8], key: &Key) {
        self.put("/snapshots/gentoo-latest.tar.xz", tar_xz);
        self.put(
            "/snapshots/gentoo-latest.tar.xz.gpgsig",
            key.detached(tar_xz, None),
        );
        self.put(&format!("/snapshots/gentoo-{DAY}.tar.xz"), tar_xz);
    }
}

/// The directory of a stage3: of those of the tests, the first word of its name.
fn dir(name: &str) -> String {
    let arch = name.split('-').next().unwrap_or_default();
    format!("/releases/{arch}/autobuilds")
}

/// The path of the list of a stage3.
pub fn latest(name: &str) -> String {
    format!("{}/latest-stage3-{name}.txt", dir(name))
}

/// The path of a stage3.
pub fn stage3(name: &str) -> String {
    format!("{}/{STAMP}/stage3-{name}-{STAMP}.tar.xz", dir(name))
}

fn answer(mut stream: TcpStream, files: &Mutex<Files>) -> std::io::Result<()> {
    let mut path = String::new();
    let mut from = 0;
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("GET ") {
            rest.split(' ')
                .next()
                .unwrap_or_default()
                .clone_into(&mut path);
        }
        if let Some(range) = line.to_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap_or(0);
        }
        if line.is_empty() {
            break;
        }
    }
    let (content, fault) = {
        let mut files = files.lock().unwrap();
        files.asked.push((path.clone(), from));
        let asked = files
            .asked
            .iter()
            .filter(|(asked, _)| *asked == path)
            .count();
        let fault = files.faults.get(&path).copied();
        let fault = fault.filter(|fault| match fault {
            Fault::BrokenAtFirst(_) => asked == 1,
            Fault::StatusAtFirst(_, times) => asked <= *times,
            _ => true,
        });
        (files.content.get(&path).cloned(), fault)
    };
    let head = |status: &str, more: &str, length: usize| {
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{more}\r\n")
    };
    match (fault, &content) {
        (Some(Fault::Status(status) | Fault::StatusAtFirst(status, _)), _) => {
            return stream.write_all(head(&format!("{status} Refused"), "", 0).as_bytes());
        }
        (Some(Fault::Loop), _) => {
            let more = format!("Location: {path}\r\n");
            return stream.write_all(head("302 Found", &more, 0).as_bytes());
        }
        (Some(Fault::Silent), _) => {
            thread::sleep(Duration::from_secs(100));
            return Ok(());
        }
        (_, None) => return stream.write_all(head("404 Not Found", "", 0).as_bytes()),
        _ => {}
    }
    let content = content.unwrap_or_default();
    if let Some(Fault::Truncated(most)) = fault {
        stream.write_all(head("200 OK", "", content.len()).as_bytes())?;
        return stream.write_all(&content[..most.min(content.len())]);
    }
    if from >= content.len() && from > 0 {
        return stream.write_all(head("416 Range Not Satisfiable", "", 0).as_bytes());
    }
    let rest = &content[from..];
    let (status, more) = if from > 0 {
        let range = format!(
            "Content-Range: bytes {from}-{}/{}\r\n",
            content.len() - 1,
            content.len()
        );
        ("206 Partial Content", range)
    } else {
        ("200 OK", String::new())
    };
    stream.write_all(head(status, &more, rest.len()).as_bytes())?;
    match fault {
        Some(Fault::BrokenAtFirst(most)) => stream.write_all(&rest[..most.min(rest.len())]),
        Some(Fault::Stalls(most)) => {
            stream.write_all(&rest[..most.saturating_sub(from).min(rest.len())])?;
            thread::sleep(Duration::from_secs(100));
            Ok(())
        }
        _ => stream.write_all(rest),
    }
}
