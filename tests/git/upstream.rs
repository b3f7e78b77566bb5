//! Somebody's repository, and servers of it: a directory, and HTTP on the loopback by git's own CGI program.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use tempfile::TempDir;

/// A repository with a work tree.
pub struct Upstream {
    dir: TempDir,
}

/// How a server of it behaves.
#[derive(Clone, Default)]
pub struct Manner {
    /// What `Authorization:` must say.
    pub wants: Option<&'static str>,
    /// How many answers with objects are cut off after some bytes.
    pub cuts: Arc<AtomicUsize>,
    /// Whether nothing is ever answered.
    pub silent: bool,
}

impl Upstream {
    /// A small tree of a kernel, on the branch `master`.
    pub fn new() -> Self {
        let upstream = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        upstream.git(&["init", "--quiet", "--initial-branch=master"]);
        upstream.write("Makefile", "VERSION = 6\nPATCHLEVEL = 1\n");
        upstream.commit("first");
        upstream
    }

    pub fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    pub fn url(&self) -> String {
        format!("file://{}", self.dir.path().display())
    }

    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits all that is there; gives the commit.
    pub fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs git in it; gives what it says.
    pub fn git(&self, arguments: &[&str]) -> String {
        let output = git()
            .arg("-C")
            .arg(self.dir.path())
            .args(arguments)
            .output()
            .unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {err}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Serves it as long as the test runs; gives its URL.
    pub fn serve(&self, manner: Manner) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let root = self.path();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (root, manner) = (root.clone(), manner.clone());
                // A client may go away whenever it likes.
                thread::spawn(move || drop(answer(stream, &root, &manner)));
            }
        });
        url
    }
}

/// Git without anything of the host's but the program.
fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", "/nonexistent")
        .env("GIT_AUTHOR_NAME", "A")
        .env("GIT_AUTHOR_EMAIL", "a@example.org")
        .env("GIT_COMMITTER_NAME", "C")
        .env("GIT_COMMITTER_EMAIL", "c@example.org")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z");
    command
}

fn answer(mut stream: TcpStream, root: &Path, manner: &Manner) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    if manner.silent {
        loop {
            thread::park();
        }
    }
    let header = |name: &str| headers.get(name).cloned().unwrap_or_default();
    if let Some(wants) = manner.wants
        && header("authorization") != wants
    {
        return write!(
            stream,
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    let mut words = request.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
    reader.read_exact(&mut body)?;
    let mut child = git()
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/.git{path}"))
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", method)
        .env("CONTENT_TYPE", header("content-type"))
        .env("HTTP_CONTENT_ENCODING", header("content-encoding"))
        .env("GIT_PROTOCOL", header("git-protocol"))
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(&body)?;
    let mut output = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut output)?;
    child.wait()?;
    write!(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n")?;
    let pack = output.windows(4).position(|bytes| bytes == b"PACK");
    let cut = pack.is_some()
        && manner
            .cuts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| {
                cuts.checked_sub(1)
            })
            .is_ok();
    let end = if cut {
        pack.unwrap() + 60
    } else {
        output.len()
    };
    stream.write_all(&output[..end])
}
