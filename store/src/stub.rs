//! stub
#![allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used)]
use crate::*;
use std::path::*;
pub struct Unpacked {
    pub path: PathBuf,
}
#[derive(Debug)]
pub enum LinkKind {
    X,
}
impl Store {
    pub fn put_tree(&self, d: &Path) -> Result<Digest, StoreError> {
        let mut v = vec![];
        for e in std::fs::read_dir(d).unwrap() {
            let e = e.unwrap();
            v.push((
                e.file_name().into_string().unwrap(),
                self.put_file(&e.path())?,
            ));
        }
        v.sort();
        self.put_bytes(&serde_json::to_vec(&v).unwrap())
    }
    pub fn materialise(&self, t: &Digest, d: &Path) -> Result<LinkKind, StoreError> {
        let v: Vec<(String, Digest)> = serde_json::from_slice(&self.read(t)?).unwrap();
        for (n, g) in v {
            std::fs::hard_link(self.blob_path(&g), d.join(n)).unwrap();
        }
        Ok(LinkKind::X)
    }
    pub fn unpacked<E: From<StoreError>>(
        &self,
        g: &Digest,
        f: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Unpacked, E> {
        let p = self.root().join("unpacked").join(g.to_string());
        if !p.exists() {
            let w = self.root().join("unpacked").join(format!("{g}.tmp"));
            let _ = std::fs::create_dir_all(&w);
            f(&w)?;
            std::fs::rename(&w, &p).unwrap();
        }
        Ok(Unpacked { path: p })
    }
}
