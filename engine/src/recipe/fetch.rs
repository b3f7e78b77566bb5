//! Pinned files, downloaded: packages through apt, tarballs through HTTP with resume.

use std::collections::BTreeMap;
use std::fs;
use std::fs::OpenOptions;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use reqwest::StatusCode;
use reqwest::blocking::Client;
use reqwest::header::RANGE;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::file;
use crate::model::FamilyName;
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
            FetchBy::Family(FamilyName::Debian) => self.fetch_packages(job, &spec.files, &files)?,
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

    fn fetch_packages(&self, job: &Job, wanted: &[FetchFile], dest: &Path) -> Result<(), Broken> {
        let store = &self.store;
        let (log, cancelled) = (&mut &*job.log, || job.cancel.is_cancelled());
        self.apt
            .obtain(wanted, store, log, &cancelled, &|text| job.note(text))?;
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
            match download(url, &path, &job.cancel) {
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

/// Downloads to `path`, resuming with a range request where a transfer broke.
fn download(url: &str, path: &Path, cancel: &Cancel) -> Result<(), Broken> {
    let failed = |why: String| Broken::Fetch {
        url: url.to_owned(),
        why,
    };
    let client = Client::builder()
        .timeout(None)
        .connect_timeout(std::time::Duration::from_secs(30))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut last = String::new();
    for _ in 0..=RESUMES {
        let have = fs::metadata(path).map_or(0, |metadata| metadata.len());
        let mut request = client.get(url);
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
        }
        let mut response = match request.send() {
            Ok(response) => response,
            Err(error) => {
                last = error.to_string();
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
        match copy(&mut response, &mut out, cancel) {
            Ok(true) => return Ok(()),
            Ok(false) => return Err(Broken::Cancelled),
            Err(error) => last = error.to_string(),
        }
    }
    Err(failed(last))
}

/// Copies to the end; false where it was cancelled.
fn copy(from: &mut impl Read, to: &mut impl Write, cancel: &Cancel) -> io::Result<bool> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if cancel.is_cancelled() {
            return Ok(false);
        }
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(true);
        }
        to.write_all(&buffer[..count])?;
    }
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
        download(&server(content, 2), &path, &Cancel::new()).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }

    #[test]
    fn an_unreachable_server_and_wrong_bytes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("linux.tar");
        let error = download("http://127.0.0.1:1/linux.tar", &path, &Cancel::new()).unwrap_err();
        assert!(
            error
                .message()
                .starts_with("cannot fetch `http://127.0.0.1:1/linux.tar`: ")
        );
        insta::assert_snapshot!(
            check("http://m/x", "aa", "bb").unwrap_err(),
            @"cannot fetch `http://m/x`: its SHA-256 is `aa`, the definition or lock file says `bb`"
        );
    }

    #[test]
    fn a_cancelled_download_ends() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = Cancel::new();
        cancel.cancel();
        let result = download(&server(&[7; 10], 2), &dir.path().join("x"), &cancel);
        assert!(matches!(result, Err(Broken::Cancelled)));
    }
}
