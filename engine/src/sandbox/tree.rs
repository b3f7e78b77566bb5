//! Trees whose files belong to ids that exist only inside: unpacking them, removing them.

use std::fs;
use std::io;
use std::path::Path;

use super::cancel::Cancel;
use super::channel::Order;
use super::error::SandboxError;
use super::mapping::Mapping;
use super::run::Sandbox;

impl Sandbox {
    /// Extracts a tar archive (plain, xz or zstd) into `dest`, which is made when missing.
    ///
    /// Owners are those of the archive as seen from inside; without subordinate ids everything is
    /// the worker's. Device nodes, pipes and whatever is below `dev/` are left out, as are extended
    /// attributes the file system or the kernel refuses. An entry that leads out of `dest` is an
    /// error. `strip_top` moves the contents of the archive's one top directory up into `dest`. After
    /// an error, or when it is cancelled, `dest` holds a part, for [`Sandbox::remove`].
    pub fn unpack(
        &self,
        archive: &Path,
        dest: &Path,
        strip_top: bool,
        cancel: &Cancel,
    ) -> Result<(), SandboxError> {
        let order = Order::Unpack {
            archive: archive.to_owned(),
            dest: dest.to_owned(),
            strip_top,
            owners: !matches!(self.mapping(), Mapping::Single { .. }),
        };
        self.order(&order, cancel)
    }

    /// Removes a tree, whoever of the sandbox's ids owns its files. None there is no error.
    pub fn remove(&self, dir: &Path) -> io::Result<()> {
        match fs::remove_dir_all(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let order = Order::Remove {
                    dir: dir.to_owned(),
                };
                self.order(&order, &Cancel::new()).map_err(io::Error::other)
            }
            done => done,
        }
    }
}
