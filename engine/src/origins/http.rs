//! Downloads over HTTP: resumed where they broke, tried again with a growing pause, from one mirror after the other, and put into the
//! store only when their digests are right.
//!
//! Proxies are those of the environment (`http_proxy`, `https_proxy`, `no_proxy`).

use std::fs;
use std::fs::File;
use std::fs::OpenOptions;
use std::fs::TryLockError;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use reqwest::Client;
use reqwest::Response;
use reqwest::StatusCode;
use reqwest::header::RANGE;
use store::Algorithm;
use store::Checksum;
use store::Store;
use tokio::runtime::Runtime;

use super::Means;
use super::OriginError;
use super::error::file as at;
use super::family::is_stored;
use crate::spec::FetchFile;
use crate::text::with_causes;

/// How often a transfer is taken up again that broke or was refused for now, without a byte more having come.
const ATTEMPTS: u32 = 5;
/// Before the second attempt; doubled before each one after.
const PAUSE: Duration = Duration::from_millis(250);
/// Between two looks at whether it is cancelled, or at whether another engine has the file.
const TICK: Duration = Duration::from_millis(50);
/// Where what has come so far of each file is kept between runs, below the store's root.
const PARTIAL: &str = "downloads";

/// Downloads for one node.
pub(super) struct Http<'a> {
    means: &'a Means<'a>,
    client: Client,
    runtime: Runtime,
}

/// Why one place gave nothing.
enum Failed {
    /// It has no such file.
    Gone,
    /// It may have it at another time.
    Transfer(String),
    /// It has something else.
    Content(String),
    /// Nothing to do with the place.
    Origin(OriginError),
}

impl From<OriginError> for Failed {
    fn from(error: OriginError) -> Self {
        Self::Origin(error)
    }
}

impl<'a> Http<'a> {
    pub(super) fn new(means: &'a Means<'a>) -> Result<Self, OriginError> {
        let failed = |why: String| OriginError::Fetch {
            url: String::new(),
            why,
        };
        let client = Client::builder()
            .user_agent(concat!("engine/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(means.network.patience)
            .read_timeout(means.network.patience)
            .build()
            .map_err(|error| failed(reason(error)))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            means,
            client,
            runtime,
        })
    }

    /// Downloads those of the files that the store lacks.
    pub(super) fn obtain(&self, files: &[FetchFile]) -> Result<(), OriginError> {
        for file in files {
            if !is_stored(file, self.means.store) {
                self.obtain_one(file)?;
            }
        }
        Ok(())
    }

    /// The content of a small file: of the first place that has it, and that place.
    pub(super) fn small(
        &self,
        urls: &[String],
        most: usize,
    ) -> Result<(String, Vec<u8>), OriginError> {
        self.first(urls, urls.first().map_or("", |url| name_of(url)), |url| {
            let mut content = Vec::new();
            self.transfer(url, Some(most as u64), &mut content)?;
            Ok((url.to_owned(), content))
        })
    }

    /// A file whose digest nobody told, to `path`; gives the place that had it.
    pub(super) fn large(&self, urls: &[String], path: &Path) -> Result<String, OriginError> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(at("write", path))?;
        self.first(urls, urls.first().map_or("", |url| name_of(url)), |url| {
            (self.means.note)(&format!("downloads {url}"));
            let mut content = Part { file: &file, path };
            content.restart()?;
            self.transfer(url, None, &mut content)?;
            Ok(url.to_owned())
        })
    }

    fn obtain_one(&self, file: &FetchFile) -> Result<(), OriginError> {
        let (path, part) = self.partial(file)?;
        if is_stored(file, self.means.store) {
            // Another engine was first.
            return Ok(());
        }
        let done = self.first(&file.urls, &file.name, |url| {
            (self.means.note)(&format!("downloads {url}"));
            let mut content = Part {
                file: &part,
                path: &path,
            };
            let had = content.len()?;
            self.transfer(url, file.size, &mut content)?;
            match self.check(file, &path) {
                // What came earlier may be of another file.
                Err(Failed::Content(_)) if had > 0 => {
                    content.restart()?;
                    self.transfer(url, file.size, &mut content)?;
                    self.check(file, &path)
                }
                checked => checked,
            }
            .inspect_err(|_| drop(content.restart()))
        });
        if done.is_ok() {
            fs::remove_file(&path).map_err(at("remove", &path))?;
        }
        done
    }

    /// What has come of a file, locked against other engines that want it too.
    fn partial(&self, file: &FetchFile) -> Result<(PathBuf, File), OriginError> {
        let dir = self.means.store.root().join(PARTIAL);
        fs::create_dir_all(&dir).map_err(at("make", &dir))?;
        let name = file.checksums.first().map_or("", Checksum::hex);
        let path = dir.join(name);
        loop {
            let part = OpenOptions::new()
                .create(true)
                .append(true)
                .open(&path)
                .map_err(at("open", &path))?;
            let mut waited = false;
            loop {
                match part.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) => {
                        if !waited {
                            waited = true;
                            (self.means.note)("waits: another engine downloads it");
                        }
                        self.pause(TICK)?;
                    }
                    Err(TryLockError::Error(error)) => return Err(at("lock", &path)(error)),
                }
            }
            // Whoever had it before may have removed it.
            if path.exists() {
                return Ok((path, part));
            }
        }
    }

    /// The first place that gives what is wanted.
    fn first<T>(
        &self,
        urls: &[String],
        name: &str,
        get: impl Fn(&str) -> Result<T, Failed>,
    ) -> Result<T, OriginError> {
        if self.means.network.offline {
            let file = name.to_owned();
            return Err(OriginError::Offline { file });
        }
        let mut last = OriginError::Gone {
            file: name.to_owned(),
        };
        for url in urls {
            let (url, why) = match get(url) {
                Ok(done) => return Ok(done),
                Err(Failed::Origin(error)) => return Err(error),
                Err(Failed::Gone) => (url.clone(), None),
                Err(Failed::Transfer(why) | Failed::Content(why)) => (url.clone(), Some(why)),
            };
            let mut log = self.means.log;
            let told = why.as_deref().unwrap_or("there is no such file");
            let _ = writeln!(log, "{url}: {told}");
            if let Some(why) = why {
                last = OriginError::Fetch { url, why };
            }
        }
        Err(last)
    }

    /// Digests and size as they are said to be; the file is in the store then.
    fn check(&self, file: &FetchFile, path: &Path) -> Result<(), Failed> {
        let algorithms: Vec<Algorithm> = file.checksums.iter().map(Checksum::algorithm).collect();
        let hashes = store::hash_file(path, &algorithms).map_err(at("read", path))?;
        if let Some(size) = file.size.filter(|size| *size != hashes.size) {
            let found = hashes.size;
            return Err(Failed::Content(format!(
                "it has {found} bytes, the lock file says {size}"
            )));
        }
        for (wanted, found) in file.checksums.iter().zip(&hashes.checksums) {
            if wanted != found {
                let name = match wanted.algorithm() {
                    Algorithm::Blake2b => "BLAKE2b",
                    Algorithm::Sha256 => "SHA-256",
                    Algorithm::Sha512 => "SHA-512",
                };
                return Err(Failed::Content(format!(
                    "its {name} is `{}`, the definition or lock file says `{}`",
                    found.hex(),
                    wanted.hex()
                )));
            }
        }
        let store = self.means.store;
        store
            .put_file_named(path, &algorithms)
            .map_err(OriginError::from)?;
        Ok(())
    }

    /// Gets the rest of a content, at most `most` bytes in all.
    fn transfer(
        &self,
        url: &str,
        most: Option<u64>,
        content: &mut impl Content,
    ) -> Result<(), Failed> {
        let mut attempt = 0;
        loop {
            let had = content.len()?;
            match self.runtime.block_on(self.cancellable(url, most, content)) {
                Err(Failed::Transfer(why)) => {
                    attempt = if content.len()? > had { 1 } else { attempt + 1 };
                    if attempt == ATTEMPTS {
                        return Err(Failed::Transfer(why));
                    }
                    let _ = writeln!(&mut &*self.means.log, "{url}: {why}");
                    self.pause(PAUSE * 2u32.pow(attempt - 1))?;
                }
                ended => return ended,
            }
        }
    }

    async fn cancellable(
        &self,
        url: &str,
        most: Option<u64>,
        content: &mut impl Content,
    ) -> Result<(), Failed> {
        tokio::select! {
            done = self.attempt(url, most, content) => done,
            () = self.cancelled() => Err(OriginError::Cancelled.into()),
        }
    }

    async fn cancelled(&self) {
        while !self.means.cancel.is_cancelled() {
            tokio::time::sleep(TICK).await;
        }
    }

    async fn attempt(
        &self,
        url: &str,
        most: Option<u64>,
        content: &mut impl Content,
    ) -> Result<(), Failed> {
        let have = content.len()?;
        let mut request = self.client.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = request.send().await.map_err(|error| self.refused(error))?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => return Err(Failed::Gone),
            // All of it is there already, or more than all.
            StatusCode::RANGE_NOT_SATISFIABLE => return Ok(()),
            StatusCode::PARTIAL_CONTENT if begins(&response) == Some(have) => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failed::Transfer(format!("the server says {status}")));
            }
            status if !status.is_success() => {
                return Err(Failed::Content(format!("the server says {status}")));
            }
            _ => content.restart()?,
        }
        let mut done = content.len()?;
        let of = response.content_length().map(|rest| done + rest);
        let mut told = Instant::now();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    done += bytes.len() as u64;
                    if most.is_some_and(|most| done > most) {
                        return Err(Failed::Content(format!(
                            "it is longer than {} bytes",
                            most.unwrap_or_default()
                        )));
                    }
                    content.add(&bytes)?;
                    if told.elapsed() > TICK {
                        told = Instant::now();
                        (self.means.progress)(done, of);
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.broke(error)),
            }
        }
    }

    /// A request that had no answer: a server that redirects for ever will do so again.
    fn refused(&self, error: reqwest::Error) -> Failed {
        if error.is_redirect() {
            return Failed::Content(reason(error));
        }
        Failed::Transfer(self.silent(&error).unwrap_or_else(|| reason(error)))
    }

    /// A transfer that did not come to its end.
    fn broke(&self, error: reqwest::Error) -> Failed {
        let broke = |error| format!("it broke off: {}", reason(error));
        Failed::Transfer(self.silent(&error).unwrap_or_else(|| broke(error)))
    }

    /// What is told of a server that said nothing for too long.
    fn silent(&self, error: &reqwest::Error) -> Option<String> {
        let secs = self.means.network.patience.as_secs();
        error
            .is_timeout()
            .then(|| format!("the server said nothing for {secs} s (`--stall`)"))
    }

    fn pause(&self, pause: Duration) -> Result<(), OriginError> {
        let start = Instant::now();
        while start.elapsed() < pause {
            if self.means.cancel.is_cancelled() {
                return Err(OriginError::Cancelled);
            }
            thread::sleep(TICK.min(pause));
        }
        Ok(())
    }
}

/// Removes what has come of files whose download was stopped, but for what an engine downloads now.
pub fn remove_partial(store: &Store) -> Result<(), OriginError> {
    let dir = store.root().join(PARTIAL);
    let Ok(entries) = fs::read_dir(&dir) else {
        // Nothing was ever downloaded.
        return Ok(());
    };
    for entry in entries {
        let path = entry.map_err(at("list", &dir))?.path();
        let part = File::open(&path).map_err(at("open", &path))?;
        if part.try_lock().is_ok() {
            fs::remove_file(&path).map_err(at("remove", &path))?;
        }
    }
    Ok(())
}

/// Where a partial answer begins (RFC 9110, section 14.4).
fn begins(response: &Response) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range
        .strip_prefix("bytes ")?
        .split('-')
        .next()?
        .parse()
        .ok()
}

/// Where a transfer goes.
trait Content {
    fn len(&self) -> Result<u64, OriginError>;
    fn add(&mut self, bytes: &[u8]) -> Result<(), OriginError>;
    fn restart(&mut self) -> Result<(), OriginError>;
}

impl Content for Vec<u8> {
    fn len(&self) -> Result<u64, OriginError> {
        Ok(self.len() as u64)
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), OriginError> {
        self.extend(bytes);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), OriginError> {
        self.clear();
        Ok(())
    }
}

/// A file that is appended to.
struct Part<'a> {
    file: &'a File,
    path: &'a Path,
}

impl Content for Part<'_> {
    fn len(&self) -> Result<u64, OriginError> {
        let metadata = self.file.metadata().map_err(at("read", self.path))?;
        Ok(metadata.len())
    }

    fn add(&mut self, bytes: &[u8]) -> Result<(), OriginError> {
        self.file.write_all(bytes).map_err(at("write", self.path))
    }

    fn restart(&mut self) -> Result<(), OriginError> {
        self.file.set_len(0).map_err(at("empty", self.path))
    }
}

/// What follows the last `/`.
pub(super) fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap_or(url)
}

/// A transfer's error with its causes, without the URL, which is told beside it.
fn reason(error: reqwest::Error) -> String {
    with_causes(&error.without_url())
}
