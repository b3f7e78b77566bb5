//! stub
#![allow(missing_docs)]
use std::path::*; use crate::*;
pub struct Unpacked { pub path: PathBuf }
#[derive(Debug)] pub enum LinkKind { X }
impl Store {
 pub fn put_tree(&self, _:&Path)->Result<Digest,StoreError>{unimplemented!()}
 pub fn materialise(&self, _:&Digest,_:&Path)->Result<LinkKind,StoreError>{unimplemented!()}
 pub fn unpacked<E: From<StoreError>>(&self, _:&Digest, _: impl FnOnce(&Path)->Result<(),E>)->Result<Unpacked,E>{unimplemented!()}
}
