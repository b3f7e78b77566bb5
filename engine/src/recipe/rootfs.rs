//! An initramfs: a static `/init` and one suite, compiled by the toolchain and packed reproducibly.

use std::collections::BTreeMap;

use super::Broken;
use super::Finished;
use super::Job;
use super::Recipes;
use super::step::End;
use super::step::Step;
use crate::sandbox::User;

const SCRIPT: &str = r#"
mkdir -p root/dev root/proc root/sys root/tmp
$CC -static -Os -Wall -Wextra -o root/init init.c
$CC -static -Os -Wall -Wextra -o root/suite suite.c
cd root
find . -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
find . | LC_ALL=C sort | cpio --quiet --create --format=newc --reproducible --owner=0:0 | gzip -9 --no-name > ../initrd
"#;

impl Recipes {
    /// Output `initrd`: a gzip-compressed cpio archive (newc).
    pub(super) fn rootfs(&self, job: &Job<'_>) -> Result<Finished, Broken> {
        let unresolved = || Broken::Unresolved(job.name.to_owned());
        let (rootfs, suite) = job.name.split_once('/').ok_or_else(unresolved)?;
        let rootfs = self.catalog.rootfses.get(rootfs).ok_or_else(unresolved)?;
        let suite = self.catalog.suites.get(suite).ok_or_else(unresolved)?;
        let toolchain = self
            .catalog
            .toolchains
            .get(&rootfs.toolchain)
            .ok_or_else(unresolved)?;
        let tools = &self.tools;
        let image = tools.image_tree(job)?;
        let work = tools.build_dir("rootfs")?;
        tools.write(&work.path().join("init.c"), &rootfs.init.text)?;
        tools.write(&work.path().join("suite.c"), &suite.program.text)?;
        let env = BTreeMap::from([("CC".to_owned(), toolchain.c_compiler())]);
        let step = Step {
            script: SCRIPT,
            env,
            user: User::Worker,
            binds: Vec::new(),
        };
        match tools.step(job, image.path(), work.path(), &step)? {
            End::Success => {
                let outputs = tools.take(work.path(), &[("initrd", "initrd")])?;
                Ok(Finished::success(outputs, String::new()))
            }
            End::Failure(message) => Ok(Finished::failure(message, BTreeMap::new(), String::new())),
        }
    }
}
