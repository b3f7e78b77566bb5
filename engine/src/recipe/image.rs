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
use crate::sandbox::User;
use crate::spec::ImageSpec;

/// The Debian family's way; `/files` holds exactly the packages to add. Nothing that carries the
/// clock stays: logs, caches and backup files go, times are clamped.
const SCRIPT: &str = r#"
export DEBIAN_FRONTEND=noninteractive
echo "$WORKER_NAME:x:$WORKER_GROUP:" >> /etc/group
echo "$WORKER_NAME:x:$WORKER:$WORKER_GROUP:kernel builds:/build:/bin/sh" >> /etc/passwd
echo "$WORKER_NAME:*:19675:0:99999:7:::" >> /etc/shadow
if ls /files/*.deb >/dev/null 2>&1; then
    # A package with a pre-dependency is unpacked only after that one is configured.
    for round in 1 2 3; do
        unpacked=yes
        dpkg --force-unsafe-io --force-confold --skip-same-version --unpack /files/*.deb || unpacked=no
        dpkg --force-unsafe-io --force-confold --configure --pending
        [ $unpacked = no ] || break
    done
    [ $unpacked = yes ]
fi
ldconfig
rm -rf /var/cache/apt/* /var/cache/debconf/*-old /var/cache/ldconfig/aux-cache \
    /var/lib/dpkg/*-old /var/log/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
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
        job.note("makes the image: user buildbot, packages");
        let step = Step {
            script: SCRIPT,
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
