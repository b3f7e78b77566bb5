//! Requests to one server: REST v0.2 with a token, and its older XML-RPC.

use std::time::Duration;

use reqwest::Method;
use reqwest::RequestBuilder;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::LavaError;
use super::Token;
use super::xmlrpc;
use super::xmlrpc::Answer;

/// How long the server may take to be reached, and to answer.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_mins(1);
/// Bytes of an answer that are read: the log of a job is cut there.
const MOST_BYTES: usize = 64 << 20;
/// Characters of an error that are kept.
const MOST_MESSAGE: usize = 400;
/// Requests to one server at once.
const AT_ONCE: usize = 4;
/// Rows asked for at once, and pages read at most.
const PAGE: usize = 200;
const MOST_PAGES: usize = 100;

/// A server, asked as one user.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    /// Ends in `/`.
    base: String,
    user: String,
    token: Token,
    /// Requests under way: a LAVA server has few processes, and answers 500 where its database has no connection left.
    few: Semaphore,
}

impl Client {
    pub(super) fn new(url: &str, user: &str, token: Token) -> Result<Self, LavaError> {
        // A redirected POST would become a GET, and a job would silently not be submitted.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .user_agent(concat!("engine/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|source| LavaError::Unreachable {
                what: "set up TLS",
                url: url.to_owned(),
                source,
            })?;
        Ok(Self {
            http,
            base: format!("{}/", url.trim_end_matches('/')),
            user: user.to_owned(),
            token,
            few: Semaphore::new(AT_ONCE),
        })
    }

    /// The server's address as a person opens it, ending in `/`.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    fn request(&self, method: Method, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        let mut url = format!("{}api/v0.2/{path}", self.base);
        if let (Ok(mut parsed), false) = (Url::parse(&url), query.is_empty()) {
            parsed.query_pairs_mut().extend_pairs(query);
            url = parsed.into();
        }
        let request = self.http.request(method, url);
        request.header("Authorization", self.token.header())
    }

    /// Sends a request; a redirect is an error.
    async fn send(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<Response, LavaError> {
        let unreachable = |source: reqwest::Error| LavaError::Unreachable {
            what,
            url: self.base.clone(),
            source: source.without_url(),
        };
        let response = request.send().await.map_err(unreachable)?;
        if response.status().is_redirection() {
            let to = response.headers().get(LOCATION);
            let to = to.map(|to| String::from_utf8_lossy(to.as_bytes()).into_owned());
            return Err(LavaError::Redirect {
                url: response.url().to_string(),
                to: to.unwrap_or_default(),
            });
        }
        Ok(response)
    }

    async fn body(&self, what: &'static str, mut response: Response) -> Result<Vec<u8>, LavaError> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|source| LavaError::Unreachable {
                what,
                url: self.base.clone(),
                source: source.without_url(),
            })?;
            match chunk {
                Some(chunk) if body.len() < MOST_BYTES => body.extend_from_slice(&chunk),
                _ => return Ok(body),
            }
        }
    }

    /// Sends a request and reads the whole answer, with few others at the same time.
    async fn exchange(
        &self,
        what: &'static str,
        request: RequestBuilder,
    ) -> Result<(StatusCode, Vec<u8>), LavaError> {
        // The semaphore is never closed.
        let _permit = self.few.acquire().await.ok();
        let response = self.send(what, request).await?;
        let status = response.status();
        Ok((status, self.body(what, response).await?))
    }

    /// The status and the body of a GET, whatever it is.
    pub(super) async fn answer(
        &self,
        what: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<(StatusCode, Vec<u8>), LavaError> {
        self.exchange(what, self.request(Method::GET, path, query))
            .await
    }

    /// A JSON answer.
    pub(super) async fn get(
        &self,
        what: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Value, LavaError> {
        let (status, body) = self.answer(what, path, query).await?;
        self.json(what, path, status, &body)
    }

    fn json(
        &self,
        what: &'static str,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Value, LavaError> {
        if !status.is_success() {
            return Err(LavaError::Status {
                what,
                status: status.as_u16(),
                message: message(body),
            });
        }
        serde_json::from_slice(body).map_err(|_| LavaError::Answer {
            what,
            url: format!("{}api/v0.2/{path}", self.base),
        })
    }

    /// All rows of a list, page by page. The server's own addresses of further pages are not followed, as a proxy may have changed them.
    pub(super) async fn list(
        &self,
        what: &'static str,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<Value>, LavaError> {
        let mut rows = Vec::new();
        for _ in 0..MOST_PAGES {
            let (limit, offset) = (PAGE.to_string(), rows.len().to_string());
            let mut query = query.to_vec();
            query.extend([("limit", limit.as_str()), ("offset", offset.as_str())]);
            let mut page = self.get(what, path, &query).await?;
            let last = page["next"].is_null();
            let Value::Array(more) = page["results"].take() else {
                return Err(LavaError::Answer {
                    what,
                    url: format!("{}api/v0.2/{path}", self.base),
                });
            };
            let none = more.is_empty();
            rows.extend(more);
            if last || none {
                break;
            }
        }
        Ok(rows)
    }

    /// Submits a job: its numbers, which only a 201 has.
    pub(super) async fn submit(&self, yaml: &str) -> Result<u64, LavaError> {
        let what = "submit the job";
        let body = serde_json::json!({ "definition": yaml }).to_string();
        let request = self.request(Method::POST, "jobs/", &[]);
        let request = request
            .header("Content-Type", "application/json")
            .body(body);
        let (status, body) = self.exchange(what, request).await?;
        if status == StatusCode::BAD_REQUEST {
            return Err(LavaError::Refused(message(&body)));
        }
        let answer = self.json(what, "jobs/", status, &body)?;
        let job = (status == StatusCode::CREATED).then(|| answer["job_ids"][0].as_u64());
        job.flatten().ok_or_else(|| LavaError::Answer {
            what,
            url: format!("{}api/v0.2/jobs/", self.base),
        })
    }

    /// Calls a method of the XML-RPC, with its arguments as XML.
    pub(super) async fn xmlrpc(
        &self,
        what: &'static str,
        method: &str,
        arguments: &[xmlrpc::Argument<'_>],
    ) -> Result<Answer, LavaError> {
        let url = format!("{}RPC2", self.base);
        let request = self.http.post(&url);
        let request = request
            .basic_auth(&self.user, Some(self.token.password()))
            .header("Content-Type", "text/xml")
            .body(xmlrpc::call(method, arguments));
        let (status, body) = self.exchange(what, request).await?;
        if !status.is_success() {
            return Err(LavaError::Status {
                what,
                status: status.as_u16(),
                message: message(&body),
            });
        }
        xmlrpc::answer(&body).ok_or(LavaError::Answer { what, url })
    }
}

/// What an error says: LAVA's is JSON with one of several fields, a proxy's is a page.
fn message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(fields)) => {
            let said = fields.values().next().cloned().unwrap_or_default();
            match said {
                Value::String(text) => text,
                other => other.to_string(),
            }
        }
        _ if text.trim_start().starts_with('<') => "a page, not LAVA's answer".to_owned(),
        _ => text.into_owned(),
    };
    let one_line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    one_line.chars().take(MOST_MESSAGE).collect()
}
