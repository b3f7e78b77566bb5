//! A base with the `buildbot` user and more packages, packed by its own tar.

use std::collections::BTreeMap;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::End;
use super::step::FILES;
use super::step::Step;
use super::step::bind;
use super::step::input;
use crate::graph::Slot;
use crate::origins::family;
use crate::sandbox::User;
use crate::spec::ImageSpec;

/// Before the family's own script.
const USER: &str = r#"
echo "$WORKER_NAME:x:$WORKER_GROUP:" >> /etc/group
echo "$WORKER_NAME:x:$WORKER:$WORKER_GROUP:kernel builds:/build:/bin/sh" >> /etc/passwd
echo "$WORKER_NAME:*:19675:0:99999:7:::" >> /etc/shadow
"#;

/// After it. Nothing that carries the clock stays: logs and backup files go, times are clamped.
const PACK: &str = r#"
rm -rf /var/log/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
tar --create --file=/build/image.tar --directory=/ --one-file-system --sort=name --format=gnu \
    --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime \
    --exclude=./build --exclude=./files --exclude='./dev/*' --exclude='./proc/*' --exclude='./tmp/*' .
chown "$WORKER:$WORKER_GROUP" /build/image.tar
"#;

impl Tools {
    /// Output `tar`: the whole root filesystem, byte-reproducible.
    pub(super) fn image(&self, spec: &ImageSpec, job: &Job) -> Result<Finished, Broken> {
        let tools = self;
        let base = tools.tree(job, Slot::Base, false)?;
        let work = tools.build_dir("image")?;
        let files = tools.store.work_dir("packages")?;
        let packages = files.path().join("files");
        tools.materialise(&input(job, Slot::Files)?, &packages)?;
        job.note("makes the image: its user, its packages");
        let step = Step {
            script: &[USER, family(spec.family).install(), PACK].concat(),
            env: BTreeMap::from([
                ("WORKER_NAME".to_owned(), spec.user.clone()),
                ("WORKER".to_owned(), spec.uid.to_string()),
                ("WORKER_GROUP".to_owned(), spec.gid.to_string()),
            ]),
            user: User::Root,
            binds: vec![bind(&packages, FILES, true)],
            parallel: false,
        };
        match tools.step(job, base.path(), work.path(), &step)? {
            End::Success => {
                let outputs = tools.take(work.path(), &[("tar", "image.tar")])?;
                Ok(Finished::success(outputs, String::new()))
            }
            End::Failure(message) => Ok(Finished::failure(message, BTreeMap::new(), String::new())),
        }
    }
}
