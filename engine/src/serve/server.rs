//! The server: a thread of its own, for as long as it is held.

use std::io;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::thread::JoinHandle;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderName;
use axum::http::HeaderValue;
use axum::http::Method;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::Response;
use quick_xml::escape::escape;
use store::Store;
use tokio::sync::oneshot;

use super::body::Part;
use super::place::Place;
use super::place::find;
use super::range;
use super::range::Range;

/// What is served.
#[derive(Clone)]
pub struct Roots {
    /// Its blobs.
    pub store: Arc<Store>,
    /// The tree of links, if there is one.
    pub results: Option<PathBuf>,
}

/// A running server; it ends when it is dropped.
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts serving on an address; port 0 takes any that is free.
    pub fn start(listen: SocketAddr, roots: Roots) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (end, ended) = oneshot::channel();
        let app = Router::new().fallback(serve).with_state(Arc::new(roots));
        let thread = thread::Builder::new()
            .name("serve".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
                        return;
                    };
                    let served = axum::serve(listener, app);
                    tokio::select! {
                        // Whoever still downloads is left: what wanted it is over.
                        _ = ended => {}
                        _ = served.into_future() => {}
                    }
                });
            })?;
        Ok(Self {
            address,
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Its URL, without a `/` at its end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(State(roots): State<Arc<Roots>>, request: Request) -> Response {
    let head = request.method() == Method::HEAD;
    if !head && request.method() != Method::GET {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        set(&mut response, header::ALLOW, "GET, HEAD");
        return response;
    }
    let path = decode(request.uri().path());
    let found = path.as_deref().and_then(|path| find(&roots, path));
    let mut response = match found {
        None => plain(StatusCode::NOT_FOUND, "not found\n"),
        Some(Place::Directory(names)) => {
            let mut response = plain(StatusCode::OK, &listing(&names));
            set(
                &mut response,
                header::CONTENT_TYPE,
                "text/html; charset=utf-8",
            );
            response
        }
        Some(Place::Blob(path, digest)) => {
            let name = request.uri().path().rsplit('/').next().unwrap_or_default();
            let etag = format!("\"{digest}\"");
            match blob(&path, name, &etag, &request) {
                Ok(response) => response,
                Err(_) => plain(StatusCode::NOT_FOUND, "not found\n"),
            }
        }
    };
    // Nothing here runs in a browser, whatever a kernel wrote into its log.
    set(
        &mut response,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'",
    );
    set(&mut response, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    if head {
        *response.body_mut() = Body::empty();
    }
    response
}

fn blob(path: &std::path::Path, name: &str, etag: &str, request: &Request) -> io::Result<Response> {
    let size = std::fs::metadata(path)?.len();
    let said = |name: HeaderName| {
        request
            .headers()
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let has = |list: &str| {
        list.split(',').any(|tag| {
            matches!(tag.trim().trim_start_matches("W/"), "*" | "")
                || tag.trim().trim_start_matches("W/") == etag
        })
    };
    if said(header::IF_NONE_MATCH).is_some_and(has) {
        let mut response = plain(StatusCode::NOT_MODIFIED, "");
        set(&mut response, header::ETAG, etag);
        return Ok(response);
    }
    // Of other methods ranges are not defined.
    let ranged = (request.method() == Method::GET)
        .then(|| said(header::RANGE))
        .flatten();
    let ranged = ranged.filter(|_| said(header::IF_RANGE).is_none_or(|tag| tag == etag));
    let (status, from, length) =
        match ranged.map_or(Range::Whole, |asked| range::parse(asked, size)) {
            Range::Whole => (StatusCode::OK, 0, size),
            Range::Part(first, last) => (StatusCode::PARTIAL_CONTENT, first, last - first + 1),
            Range::Unsatisfiable => {
                let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "");
                set(
                    &mut response,
                    header::CONTENT_RANGE,
                    &format!("bytes */{size}"),
                );
                return Ok(response);
            }
        };
    let mut response = Response::new(Body::new(Part::open(path, from, length)?));
    *response.status_mut() = status;
    set(&mut response, header::ETAG, etag);
    set(&mut response, header::ACCEPT_RANGES, "bytes");
    set(&mut response, header::CONTENT_LENGTH, &length.to_string());
    set(
        &mut response,
        header::CACHE_CONTROL,
        "public, max-age=31536000, immutable",
    );
    set(&mut response, header::CONTENT_TYPE, content_type(name));
    if status == StatusCode::PARTIAL_CONTENT {
        let last = from + length - 1;
        set(
            &mut response,
            header::CONTENT_RANGE,
            &format!("bytes {from}-{last}/{size}"),
        );
    }
    Ok(response)
}

fn content_type(name: &str) -> &'static str {
    let (_, ending) = name.rsplit_once('.').unwrap_or(("", name));
    match ending {
        "log" | "txt" | "config" | "map" | "yaml" | "sh" => "text/plain; charset=utf-8",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}

fn plain(status: StatusCode, text: &str) -> Response {
    let mut response = Response::new(Body::from(text.to_owned()));
    *response.status_mut() = status;
    set(
        &mut response,
        header::CONTENT_TYPE,
        "text/plain; charset=utf-8",
    );
    response
}

fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// A page of links. Names of the tree of links are those of declarations and outputs; others are escaped all the same.
fn listing(names: &[String]) -> String {
    let items = names.iter().map(|name| {
        let safe = escape(name.as_str());
        format!("<li><a href=\"./{safe}\">{safe}</a></li>\n")
    });
    let items: String = items.collect();
    format!("<!DOCTYPE html>\n<title>results</title>\n<ul>\n{items}</ul>\n")
}

/// A path without percent signs; `None` where it is none.
fn decode(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
