//! How repositories and references are spelt, so that none is an option or a command to git.

use url::Host;
use url::Url;

/// Refuses what is no place of a repository that may be asked; else it tells the next step.
pub fn check_repository(text: &str) -> Result<(), &'static str> {
    const SUCH: &str =
        "such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`";
    if text.starts_with('-') || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(SUCH);
    }
    if text.starts_with('/') {
        return Err("of a directory write `file://` before its path");
    }
    if !text.contains("://") {
        // user@host:path, as ssh and scp have it.
        let word = |word: &str, marks: &str| {
            word.starts_with(|c: char| c.is_ascii_alphanumeric())
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
        };
        let place = text
            .split_once('@')
            .and_then(|(user, rest)| Some((user, rest.split_once(':')?)));
        return match place {
            Some((user, (host, path)))
                if word(user, "._-")
                    && word(host, ".-")
                    && !path.is_empty()
                    && !path.starts_with([':', '-']) =>
            {
                Ok(())
            }
            _ => Err(SUCH),
        };
    }
    let url = Url::parse(text).map_err(|_| SUCH)?;
    match url.scheme() {
        "https" | "ssh" | "git" | "file" => {}
        "http" if is_here(&url) => {}
        "http" => return Err("`http://` is asked only on this machine; servers have `https://`"),
        _ => return Err("only `https://`, `ssh://`, `git://` and `file://` are asked"),
    }
    if url.host_str().is_some_and(|host| host.starts_with('-')) {
        return Err(SUCH);
    }
    if url.password().is_some() {
        return Err(
            "a password is no part of a definition; `git help credentials` tells where it belongs",
        );
    }
    Ok(())
}

/// Whether it is a server of this machine.
pub(super) fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Refuses what can be no branch, or with `pattern` no tag or pattern of tags (git-check-ref-format(1)).
pub fn check_reference(name: &str, pattern: bool) -> Result<(), &'static str> {
    let known = |c: char| c.is_ascii_alphanumeric() || "/._+-".contains(c) || pattern && c == '*';
    let part = |part: &str| {
        !part.is_empty()
            && !part.starts_with(['.', '-'])
            && !part.ends_with('.')
            && !part.contains("..")
            && !part.to_ascii_lowercase().ends_with(".lock")
    };
    if name.len() <= 255 && name.chars().all(known) && name.split('/').all(part) {
        return Ok(());
    }
    Err(if pattern {
        "such as `v6.12`, or `v6.12.*` for the newest that is like it"
    } else {
        "such as `master` or `linux-6.12.y`"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_places_that_run_nothing_here() {
        for good in [
            "https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git",
            "https://me@example.org/linux.git",
            "ssh://git@example.org:22/linux.git",
            "git://example.org/linux.git",
            "file:///srv/linux.git",
            "http://127.0.0.1:8080/linux.git",
            "http://localhost/linux.git",
            "http://[::1]:80/linux.git",
            "git@example.org:linux/linux.git",
        ] {
            assert_eq!(check_repository(good), Ok(()), "{good}");
        }
        let bad = [
            "ext::sh -c id",
            "ext::id",
            "-u./x@y:z",
            "--upload-pack=id",
            "/srv/linux.git",
            "linux.git",
            "http://example.org/linux.git",
            "ftp://example.org/linux.git",
            "https://me:secret@example.org/linux.git",
            "ssh://-oProxyCommand=id/x",
            "git@-oProxyCommand=id:x",
            "git@example.org:-x",
            "git@example.org::x",
            "https://example.org/a b",
        ];
        let told = bad.map(|bad| format!("{bad}: {}", check_repository(bad).unwrap_err()));
        insta::assert_snapshot!(told.join("\n"), @"
        ext::sh -c id: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        ext::id: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        -u./x@y:z: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        --upload-pack=id: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        /srv/linux.git: of a directory write `file://` before its path
        linux.git: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        http://example.org/linux.git: `http://` is asked only on this machine; servers have `https://`
        ftp://example.org/linux.git: only `https://`, `ssh://`, `git://` and `file://` are asked
        https://me:secret@example.org/linux.git: a password is no part of a definition; `git help credentials` tells where it belongs
        ssh://-oProxyCommand=id/x: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        git@-oProxyCommand=id:x: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        git@example.org:-x: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        git@example.org::x: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        https://example.org/a b: such as `https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git`
        ");
    }

    #[test]
    fn references_are_those_of_git() {
        for good in ["master", "linux-6.12.y", "users/me/fix", "v6.12-rc1"] {
            assert!(check_reference(good, false).is_ok(), "{good}");
        }
        assert!(check_reference("v6.*", true).is_ok());
        for bad in [
            "", "-x", "a..b", "a//b", "/a", "a/", "a.lock", ".a", "a.", "a b", "a^{}", "v6.*",
            "a:b", "a~1", "@{u}", "é",
        ] {
            assert!(check_reference(bad, false).is_err(), "{bad}");
        }
    }
}
