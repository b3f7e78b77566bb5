//! The server as a client sees it.

use std::fs;
use std::io::Read as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::sync::Arc;

use store::Digest;
use store::Store;

use super::Roots;
use super::Server;

struct World {
    _dir: tempfile::TempDir,
    server: Server,
    digest: Digest,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(&dir.path().join("store")).unwrap());
        let digest = store.put_bytes(b"0123456789").unwrap();
        let results = dir.path().join("results");
        fs::create_dir_all(results.join("linux")).unwrap();
        symlink(store.blob_path(&digest), results.join("linux/console.log")).unwrap();
        let roots = Roots {
            store,
            results: Some(results),
        };
        let server = Server::start(([127, 0, 0, 1], 0).into(), roots).unwrap();
        Self {
            _dir: dir,
            server,
            digest,
        }
    }

    /// Status line, the headers that matter, and the body.
    fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.server.address).unwrap();
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let matter = [
            "http/",
            "content-range",
            "content-length",
            "etag",
            "content-type",
            "allow",
            "content-security",
        ];
        let lines = head.lines().filter(|line| {
            let line = line.to_lowercase();
            matter.iter().any(|start| line.starts_with(start))
        });
        let mut lines: Vec<&str> = lines.collect();
        lines[1..].sort_unstable();
        let told = format!("{}\n  {body:?}", lines.join("\n  "));
        told.replace(&self.digest.to_string(), "DIGEST")
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "whole answers")]
fn blobs_are_given_whole_in_part_or_not_again() {
    let world = World::new();
    let blob = format!("/blobs/{}/kernel", world.digest);
    let etag = format!("\"{}\"", world.digest);
    let told = [
        world.ask("GET", &blob, ""),
        world.ask("HEAD", &blob, ""),
        world.ask("GET", &blob, "Range: bytes=2-4\r\n"),
        world.ask("HEAD", &blob, "Range: bytes=-1\r\n"),
        world.ask("GET", &blob, "Range: bytes=10-\r\n"),
        world.ask(
            "GET",
            &blob,
            &format!("If-None-Match: \"other\", {etag}\r\n"),
        ),
        world.ask(
            "GET",
            &blob,
            "If-None-Match: \"other\"\r\nRange: bytes=9-\r\nIf-Range: \"other\"\r\n",
        ),
        world.ask("POST", &blob, "Content-Length: 0\r\n"),
        world.ask("GET", "/results/", ""),
        world.ask("GET", "/results/linux/console.log", ""),
        world.ask("GET", "/results/%2e%2e/store/format", ""),
        world.ask("GET", "/results/linux%00", ""),
        world.ask("GET", "/blobs/00", ""),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    HTTP/1.1 200 OK
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: application/octet-stream
      etag: "DIGEST"
      "0123456789"
    HTTP/1.1 200 OK
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: application/octet-stream
      etag: "DIGEST"
      ""
    HTTP/1.1 206 Partial Content
      content-length: 3
      content-range: bytes 2-4/10
      content-security-policy: default-src 'none'
      content-type: application/octet-stream
      etag: "DIGEST"
      "234"
    HTTP/1.1 200 OK
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: application/octet-stream
      etag: "DIGEST"
      ""
    HTTP/1.1 416 Range Not Satisfiable
      content-length: 0
      content-range: bytes */10
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      ""
    HTTP/1.1 304 Not Modified
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      etag: "DIGEST"
      ""
    HTTP/1.1 200 OK
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: application/octet-stream
      etag: "DIGEST"
      "0123456789"
    HTTP/1.1 405 Method Not Allowed
      allow: GET, HEAD
      content-length: 18
      content-type: text/plain; charset=utf-8
      "only GET and HEAD\n"
    HTTP/1.1 200 OK
      content-length: 89
      content-security-policy: default-src 'none'
      content-type: text/html; charset=utf-8
      "<!DOCTYPE html>\n<title>results</title>\n<ul>\n<li><a href=\"./linux/\">linux/</a></li>\n</ul>\n"
    HTTP/1.1 200 OK
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      etag: "DIGEST"
      "0123456789"
    HTTP/1.1 404 Not Found
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      "not found\n"
    HTTP/1.1 404 Not Found
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      "not found\n"
    HTTP/1.1 404 Not Found
      content-length: 10
      content-security-policy: default-src 'none'
      content-type: text/plain; charset=utf-8
      "not found\n"
    "#);
}

#[test]
fn it_ends_with_whoever_holds_it() {
    let world = World::new();
    let address = world.server.address;
    // One that never finishes its request.
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck.write_all(b"GET /").unwrap();
    drop(world);
    assert!(TcpStream::connect(address).is_err());
}
