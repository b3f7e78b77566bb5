//! Pins: names that keep a record or blob for ever. Files, so that they outlive the database.

use std::fs;
use std::io;
use std::path::Path;

use crate::digest::Digest;
use crate::error::StoreError;
use crate::store::Store;

impl Store {
    /// Keeps the record with this key, or the blob or tree with this digest, until it is unpinned.
    /// A name pins one thing: the last.
    pub fn pin(&self, name: &str, key: &Digest) -> Result<(), StoreError> {
        let _adding = self.adding()?;
        let path = self.layout.pin(name);
        let mut aside = self.aside()?;
        self.fs
            .write(&aside.file, &aside.path, format!("{key} {name}").as_bytes())?;
        self.fs.sync_data(&aside.file, &aside.path)?;
        self.place(&mut aside, &path)
    }

    /// Removes a pin; one that is not there is removed already.
    pub fn unpin(&self, name: &str) -> Result<(), StoreError> {
        self.fs.remove_file(&self.layout.pin(name))
    }

    /// The pins, in the order of their names.
    ///
    /// # Errors
    /// A pin that cannot be read is an error: a collection must not run without it.
    pub fn pins(&self) -> Result<Vec<(String, Digest)>, StoreError> {
        let dir = self.layout.dir("pins");
        let listed = fs::read_dir(&dir).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut pins = Vec::new();
        for entry in listed.map_err(StoreError::io("list", &dir))? {
            let path = entry.path();
            let text = fs::read_to_string(&path).map_err(StoreError::io("read", &path))?;
            pins.push(read_pin(&text, &path)?);
        }
        pins.sort();
        Ok(pins)
    }
}

fn read_pin(text: &str, path: &Path) -> Result<(String, Digest), StoreError> {
    let pin = text
        .split_once(' ')
        .and_then(|(key, name)| Some((name.to_owned(), key.parse().ok()?)));
    let what = "it is not a pin".to_owned();
    pin.ok_or_else(|| StoreError::Corrupt {
        path: path.to_owned(),
        what,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_pins_one_thing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        store.pin("linux/arm/good one", &one).unwrap();
        store.pin("../x", &one).unwrap();
        store.pin("../x", &two).unwrap();
        let pins = [
            ("../x".to_owned(), two),
            ("linux/arm/good one".to_owned(), one),
        ];
        assert_eq!(store.pins().unwrap(), pins);
        store.unpin("../x").unwrap();
        store.unpin("../x").unwrap();
        assert_eq!(store.pins().unwrap(), pins[1..]);
        fs::write(dir.path().join("pins/x"), "").unwrap();
        assert!(store.pins().unwrap_err().is_corruption());
    }
}
