//! OpenPGP keys made on the spot by `gpg`, the program that Gentoo signs with.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// A key ring of one primary key with a signing subkey, as Gentoo's release key is.
pub struct Key {
    home: TempDir,
    /// Of the primary key.
    pub fingerprint: String,
}

impl Key {
    /// A key that never ends.
    pub fn new() -> Self {
        Self::at(None, "never")
    }

    /// A key made at a time (`YYYYMMDDThhmmss`) that lasts for a while (`1y`).
    pub fn at(time: Option<&str>, lasts: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut key = Self {
            home,
            fingerprint: String::new(),
        };
        let user = "Release Test <release@example.invalid>";
        key.gpg(
            time,
            &[
                "--passphrase",
                "",
                "--quick-generate-key",
                user,
                "ed25519",
                "sign,cert",
                lasts,
            ],
        );
        let listing = key.gpg(time, &["--with-colons", "--list-keys"]);
        let listing = String::from_utf8(listing).unwrap();
        let fingerprint = listing.lines().find_map(|line| line.strip_prefix("fpr:"));
        let fingerprint = fingerprint.unwrap().trim_matches(':').to_owned();
        key.gpg(
            time,
            &[
                "--passphrase",
                "",
                "--quick-add-key",
                &fingerprint,
                "ed25519",
                "sign",
                lasts,
            ],
        );
        key.fingerprint = fingerprint;
        key
    }

    /// All public keys of the ring, not in armour, as Gentoo's bundle is.
    pub fn public(&self) -> Vec<u8> {
        self.gpg(None, &["--export"])
    }

    /// The text with a signature around it.
    pub fn clearsign(&self, text: &str, time: Option<&str>) -> Vec<u8> {
        self.signed(text.as_bytes(), time, &["--clearsign"])
    }

    /// A signature of its own.
    pub fn detached(&self, content: &[u8], time: Option<&str>) -> Vec<u8> {
        self.signed(content, time, &["--armor", "--detach-sign"])
    }

    /// Calls the key back by the certificate that `gpg` made with it.
    pub fn revoke(&self) {
        let path = self
            .home
            .path()
            .join(format!("openpgp-revocs.d/{}.rev", self.fingerprint));
        let text = fs::read_to_string(path)
            .unwrap()
            .replace(":-----BEGIN", "-----BEGIN");
        let file = self.home.path().join("revocation");
        fs::write(&file, text).unwrap();
        self.gpg(None, &["--import", file.to_str().unwrap()]);
    }

    fn signed(&self, content: &[u8], time: Option<&str>, how: &[&str]) -> Vec<u8> {
        let file = self.home.path().join("content");
        fs::write(&file, content).unwrap();
        let mut arguments = vec!["--digest-algo", "SHA512", "--output", "-"];
        arguments.extend(how);
        arguments.push(file.to_str().unwrap());
        self.gpg(time, &arguments)
    }

    fn gpg(&self, time: Option<&str>, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(self.home.path());
        command.args(["--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"]);
        if let Some(time) = time {
            command.arg(format!("--faked-system-time={time}!"));
        }
        let output = command.args(arguments).output().expect("gpg runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "gpg {arguments:?}: {said}");
        output.stdout
    }
}

impl Drop for Key {
    /// Its agent would outlive the test.
    fn drop(&mut self) {
        let home: &Path = self.home.path();
        let mut command = Command::new("gpgconf");
        let _ = command
            .arg("--homedir")
            .arg(home)
            .args(["--kill", "all"])
            .status();
    }
}
