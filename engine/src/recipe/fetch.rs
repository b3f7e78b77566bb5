//! Pinned files, downloaded: by their family, or by HTTP with resume.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use reqwest::Client;
use reqwest::StatusCode;
use reqwest::header::RANGE;

use super::Broken;
use super::Finished;
use super::Job;
use super::Step;
use super::Tell;
use super::Tools;
use super::step::file;
use crate::model::FamilyName;
use crate::origins::family;
use crate::sandbox::Cancel;
use crate::spec::FetchBy;
use crate::spec::FetchFile;
use crate::spec::FetchSpec;

impl Tools {
    /// Output `files`: a tree with one file per pinned file.
    pub(super) fn fetch(&self, spec: &FetchSpec, job: &Job) -> Result<Finished, Broken> {
        let work = self.store.work_dir("fetch")?;
        let files = work.path().join("files");
        fs::create_dir(&files).map_err(file("make", &files))?;
        match spec.by {
            FetchBy::Family(name) => self.fetch_packages(job, name, &spec.files, &files)?,
            FetchBy::Http => {
                for file in &spec.files {
                    self.download(job, file, &files)?;
                }
            }
        }
        let tree = self.store.put_tree(&files)?;
        Ok(Finished::success(
            BTreeMap::from([("files".to_owned(), tree)]),
            String::new(),
        ))
    }

    fn fetch_packages(
        &self,
        job: &Job,
        name: FamilyName,
        wanted: &[FetchFile],
        dest: &Path,
    ) -> Result<(), Broken> {
        let store = &self.store;
        self.with_means(job, |means| family(name).obtain(wanted, means))?;
        for wanted in wanted {
            let digest = store
                .blob_by_sha256(&wanted.sha256)
                .ok_or_else(|| Broken::Fetch {
                    url: wanted.urls.join("`, `"),
                    why: format!("no download had the SHA-256 `{}`", wanted.sha256),
                })?;
            let path = dest.join(&wanted.name);
            fs::hard_link(store.blob_path(&digest), &path).map_err(file("link", &path))?;
        }
        Ok(())
    }

    fn download(&self, job: &Job, wanted: &FetchFile, dest: &Path) -> Result<(), Broken> {
        let FetchFile { urls, sha256, .. } = wanted;
        let path = dest.join(&wanted.name);
        let store = &self.store;
        if let Some(digest) = store.blob_by_sha256(sha256) {
            fs::hard_link(store.blob_path(&digest), &path).map_err(file("link", &path))?;
            return Ok(());
        }
        let mut last = Broken::Unresolved("a place to download from");
        for url in urls {
            job.note(&format!("downloads {url}"));
            match download(url, &path, job, self.patience) {
                Ok(()) => {
                    let (_, found) = store.put_file_with_sha256(&path)?;
                    match check(url, &found, sha256) {
                        Ok(()) => return Ok(()),
                        Err(error) => last = error,
                    }
                    fs::remove_file(&path).map_err(file("remove", &path))?;
                }
                Err(Broken::Cancelled) => return Err(Broken::Cancelled),
                Err(error) => last = error,
            }
            let _ = writeln!(&mut &*job.log, "{}", last.message());
        }
        Err(last)
    }
}

/// How often a broken transfer is taken up again where it broke.
const RESUMES: u32 = 5;
/// Between two looks at whether it is cancelled.
const TICK: Duration = Duration::from_millis(100);

/// Downloads to `path`, resuming with a range request where a transfer broke or the server said nothing for as long as `patience`.
fn download(url: &str, path: &Path, job: &Job, patience: Duration) -> Result<(), Broken> {
    let failed = |why: String| Broken::Fetch {
        url: url.to_owned(),
        why,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let client = Client::builder()
        .connect_timeout(patience)
        .read_timeout(patience)
        .build()
        .map_err(|error| failed(reason(error)))?;
    runtime.block_on(async {
        tokio::select! {
            done = transfer(&client, url, path, &job.tell) => done,
            () = cancelled(&job.cancel) => Err(Broken::Cancelled),
        }
    })
}

async fn cancelled(cancel: &Cancel) {
    while !cancel.is_cancelled() {
        tokio::time::sleep(TICK).await;
    }
}

async fn transfer(
    client: &Client,
    url: &str,
    path: &Path,
    tell: &Arc<dyn Fn(Tell) + Send + Sync>,
) -> Result<(), Broken> {
    let failed = |why: String| Broken::Fetch {
        url: url.to_owned(),
        why,
    };
    let mut last = String::new();
    for _ in 0..=RESUMES {
        let have = fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut request = client.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => {
                last = reason(error);
                continue;
            }
        };
        let resumed = response.status() == StatusCode::PARTIAL_CONTENT;
        if response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(());
        }
        if !response.status().is_success() {
            return Err(failed(response.status().to_string()));
        }
        let mut out = OpenOptions::new()
            .create(true)
            .append(resumed)
            .write(true)
            .truncate(!resumed)
            .open(path)
            .map_err(file("write", path))?;
        let mut done = if resumed { have } else { 0 };
        let of = response.content_length().map(|rest| done + rest);
        let mut told = Instant::now();
        loop {
            match response.chunk().await {
                Ok(Some(bytes)) => {
                    out.write_all(&bytes).map_err(file("write", path))?;
                    done += bytes.len() as u64;
                    if told.elapsed() > TICK {
                        told = Instant::now();
                        let at = String::new();
                        tell(Tell::Step(Step { done, of, at }));
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    last = reason(error);
                    break;
                }
            }
        }
    }
    Err(failed(last))
}

/// A transfer's error with its causes, without the URL, which is told beside it.
fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let told = inner.to_string();
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = inner.source();
    }
    text
}

fn check(url: &str, found: &str, wanted: &str) -> Result<(), Broken> {
    if found == wanted {
        return Ok(());
    }
    let why = format!("its SHA-256 is `{found}`, the definition or lock file says `{wanted}`");
    Err(Broken::Fetch {
        url: url.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use std::io::BufRead;
    use std::io::BufReader;
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::spec::Spec;

    /// A job of which a download sees the token alone.
    fn job(cancel: &Cancel) -> Job {
        let spec = FetchSpec {
            by: FetchBy::Http,
            files: Vec::new(),
        };
        Job {
            spec: Spec::Fetch(spec).into(),
            inputs: BTreeMap::new(),
            log: Arc::new(tempfile::tempfile().unwrap()),
            cancel: cancel.clone(),
            tell: Arc::new(|_| {}),
        }
    }

    const PATIENCE: Duration = Duration::from_mins(1);

    /// Serves `content` once whole requests come in; the first answer breaks off half-way.
    fn server(content: &'static [u8], answers: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/linux.tar", listener.local_addr().unwrap());
        thread::spawn(move || {
            for answer in 0..answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut from = None;
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap().to_lowercase();
                    if let Some(range) = line.strip_prefix("range: bytes=") {
                        from = range.trim_end_matches('-').parse::<usize>().ok();
                    }
                    if line.is_empty() {
                        break;
                    }
                }
                let rest = &content[from.unwrap_or(0)..];
                let status = if from.is_some() {
                    "206 Partial Content"
                } else {
                    "200 OK"
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
                    rest.len()
                );
                stream.write_all(head.as_bytes()).unwrap();
                let sent = if answer == 0 {
                    rest.len() / 2
                } else {
                    rest.len()
                };
                stream.write_all(&rest[..sent]).unwrap();
            }
        });
        url
    }

    #[test]
    fn a_broken_transfer_is_taken_up_where_it_broke() {
        let content: &[u8] = &[7; 10_000];
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linux.tar");
        download(&server(content, 2), &path, &job(&Cancel::new()), PATIENCE).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }

    #[test]
    fn an_unreachable_server_and_wrong_bytes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linux.tar");
        let url = "http://127.0.0.1:1/linux.tar";
        let error = download(url, &path, &job(&Cancel::new()), PATIENCE).unwrap_err();
        insta::assert_snapshot!(error.message(), @"cannot fetch `http://127.0.0.1:1/linux.tar`: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)");
        insta::assert_snapshot!(
            check("http://m/x", "aa", "bb").unwrap_err(),
            @"cannot fetch `http://m/x`: its SHA-256 is `aa`, the definition or lock file says `bb`"
        );
    }

    /// Takes connections and says nothing.
    fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/linux.tar", listener.local_addr().unwrap());
        (listener, url)
    }

    #[test]
    fn a_download_from_a_silent_server_ends_when_it_is_cancelled() {
        let dir = tempfile::tempdir().unwrap();
        let (_listener, url) = silent();
        let cancel = Cancel::new();
        let later = cancel.clone();
        let ender = thread::spawn(move || {
            thread::sleep(Duration::from_millis(100));
            later.cancel();
        });
        let start = Instant::now();
        let result = download(&url, &dir.path().join("x"), &job(&cancel), PATIENCE);
        assert!(matches!(result, Err(Broken::Cancelled)));
        assert!(start.elapsed() < Duration::from_secs(1));
        ender.join().unwrap();
    }

    #[test]
    fn a_silent_server_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let (_listener, url) = silent();
        let patience = Duration::from_millis(20);
        let error =
            download(&url, &dir.path().join("x"), &job(&Cancel::new()), patience).unwrap_err();
        let message = error.message().replace(&url, "URL");
        insta::assert_snapshot!(message, @"cannot fetch `URL`: error sending request: operation timed out");
    }
}
