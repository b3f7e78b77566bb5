//! A server on the loopback that has one file.

#![expect(clippy::unwrap_used, reason = "a test's world fails by panicking")]

use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Write as _;
use std::net::TcpListener;
use std::net::TcpStream;
use std::thread;

/// Serves a file to whoever asks for anything, as long as the test runs; gives its URL.
pub fn serve(name: &str, content: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/{name}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A client may go away whenever it likes.
            drop(answer(stream, &content));
        }
    });
    url
}

fn answer(mut stream: TcpStream, content: &[u8]) -> io::Result<()> {
    for line in BufReader::new(stream.try_clone()?).lines() {
        if line?.is_empty() {
            break;
        }
    }
    let length = content.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(content)
}
