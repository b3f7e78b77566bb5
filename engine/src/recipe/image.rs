//! A base with the `buildbot` user and more packages, packed by its own tar.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value as Json;
use store::Unpacked;
use store::WorkDir;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::step::End;
use super::step::FILES;
use super::step::Step;
use super::step::archived;
use super::step::bind;
use super::step::file;
use super::step::input;
use super::step::left;
use super::step::only_file;
use super::step::read_log;
use crate::graph::Slot;
use crate::origins::Adding;
use crate::origins::Family;
use crate::origins::Volume;
use crate::origins::family;
use crate::sandbox::Bind;
use crate::sandbox::User;
use crate::spec::ImageSpec;

/// Before the family's own script. An image's own packages may have made the user.
const USER: &str = r#"
sed -i "/^$WORKER_NAME:/d" /etc/group /etc/passwd /etc/shadow
echo "$WORKER_NAME:x:$WORKER_GROUP:" >> /etc/group
echo "$WORKER_NAME:x:$WORKER:$WORKER_GROUP:kernel builds:/build:/bin/sh" >> /etc/passwd
echo "$WORKER_NAME:*:19675:0:99999:7:::" >> /etc/shadow
"#;

/// After it: what any root filesystem has to tell, a name and a value per line.
const FACTS: &str = r#"
tell() {
    name=$1
    shift
    value=$("$@" 2>/dev/null | head -n 1) || true
    [ -z "$value" ] || echo "$name $value" >> /build/facts
}
for loader in /lib/ld-musl-*; do
    [ -e "$loader" ] && echo "libc musl" >> /build/facts || tell libc sh -c 'ldd --version | head -n 1 | sed "s/^ldd *//"'
done
if [ -e /lib/systemd/systemd ] || [ -e /usr/lib/systemd/systemd ]; then
    echo "init systemd" >> /build/facts
elif [ -e /sbin/openrc ] || [ -e /usr/sbin/openrc ]; then
    echo "init openrc" >> /build/facts
fi
tell gcc gcc -dumpfullversion
tell clang sh -c 'clang --version'
tell make make --version
tell ld ld --version
"#;

/// At the end. Nothing that carries the clock stays: logs and backup files go, times are clamped.
const PACK: &str = r#"
rm -rf /var/log/* /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow-
tar --create --file=/build/image.tar --directory=/ --one-file-system --sort=name --format=gnu \
    --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" --clamp-mtime \
    --exclude=./build --exclude=./files --exclude='./dev/*' --exclude='./proc/*' --exclude='./tmp/*' .
chown "$WORKER:$WORKER_GROUP" /build/image.tar /build/packages /build/facts
"#;

/// Below the store's root: what families keep between runs.
const VOLUMES: &str = "volumes";

/// What an image is made from, where its step sees it.
struct Making {
    binds: Vec<Bind>,
    env: BTreeMap<String, String>,
    /// What the binds show, for as long as they are needed.
    _shown: (Option<Unpacked>, WorkDir),
}

impl Tools {
    /// Outputs `tar` (the whole root filesystem) and `packages`; what else it tells of itself is in the facts.
    pub(super) fn image(&self, spec: &ImageSpec, job: &Job) -> Result<Finished, Broken> {
        let failure = |message| Ok(Finished::failure(message, BTreeMap::new(), String::new()));
        let family = family(spec.family);
        let adding = family.adding(&spec.packages, &spec.settings);
        let base = self.tree(job, Slot::Base, false)?;
        let volumes = family.volumes(base.path(), &spec.settings);
        let making = match self.making(spec, family, &adding, &volumes, job)? {
            Ok(making) => making,
            Err(message) => return failure(message),
        };
        job.note("makes the image: its user, its packages");
        if let Some(asks) = &adding.asks {
            let work = self.build_dir("asked")?;
            if let Some(message) =
                self.adds(asks, family, &making, base.path(), work.path(), job)?
            {
                return failure(message);
            }
            let asked = left(work.path(), "asked").and_then(|path| fs::read_to_string(path).ok());
            let asked = asked.unwrap_or_default();
            let volumes: Vec<PathBuf> = volumes.iter().map(|volume| self.volume(volume)).collect();
            let keys = spec.keys.as_deref();
            self.with_means(job, |means| {
                family.supply(&asked, &spec.settings, keys, &volumes, means)
            })?;
        }
        let work = self.build_dir("image")?;
        let script = [USER, &adding.script, &adding.facts, FACTS, PACK].concat();
        if let Some(message) = self.adds(&script, family, &making, base.path(), work.path(), job)? {
            return failure(message);
        }
        let facts = left(work.path(), "facts").and_then(|path| fs::read_to_string(path).ok());
        let outputs = self.take(
            work.path(),
            &[("tar", "image.tar"), ("packages", "packages")],
        )?;
        Ok(Finished::success(
            outputs,
            facts_json(&facts.unwrap_or_default()),
        ))
    }

    /// Runs one of a family's scripts; gives the message of a failure.
    fn adds(
        &self,
        script: &str,
        family: &dyn Family,
        making: &Making,
        base: &Path,
        work: &Path,
        job: &Job,
    ) -> Result<Option<String>, Broken> {
        let step = Step {
            script,
            env: making.env.clone(),
            user: User::Root,
            binds: making.binds.clone(),
            parallel: false,
        };
        Ok(match self.step(job, base, work, &step)? {
            End::Success => None,
            End::Failure(message) => Some(family.telling(&read_log(&job.log)).unwrap_or(message)),
        })
    }

    /// Gets ready what the scripts see; the message is that of pinned files that are damaged.
    fn making(
        &self,
        spec: &ImageSpec,
        family: &dyn Family,
        adding: &Adding,
        volumes: &[Volume],
        job: &Job,
    ) -> Result<Result<Making, String>, Broken> {
        let mut unpacked = None;
        let files = input(job, Slot::Files)?;
        let mut binds = Vec::new();
        let packages = self.store.work_dir("packages")?;
        let dir = packages.path().join("files");
        self.materialise(&files, &dir)?;
        binds.push(bind(&dir, FILES, true));
        if let Some(target) = adding.tree {
            let tarball = self
                .store
                .put_file(&only_file(&dir, |name| name.contains(".tar"))?)?;
            let tree = self.unpacked(&tarball, true, &job.cancel, &|| {
                job.note("unpacks what packages are made from");
            });
            match archived("file that packages are made from", tree)? {
                Ok(tree) => {
                    binds.push(bind(tree.path(), target, true));
                    unpacked = Some(tree);
                }
                Err(message) => return Ok(Err(message)),
            }
        }
        for volume in volumes {
            let dir = self.volume(volume);
            fs::create_dir_all(&dir).map_err(file("make", &dir))?;
            binds.push(bind(&dir, volume.target, false));
        }
        let env = [
            ("WORKER_NAME", spec.user.clone()),
            ("WORKER", spec.uid.to_string()),
            ("WORKER_GROUP", spec.gid.to_string()),
            ("PACKAGES", spec.packages.join(" ")),
            ("SETTINGS", family.settings_text(&spec.settings)),
        ];
        Ok(Ok(Making {
            binds,
            env: env.map(|(name, value)| (name.to_owned(), value)).into(),
            _shown: (unpacked, packages),
        }))
    }

    fn volume(&self, volume: &Volume) -> PathBuf {
        self.store.root().join(VOLUMES).join(&volume.name)
    }
}

/// Lines of a name and a value as one object of JSON; of a name told twice, the first.
fn facts_json(text: &str) -> String {
    let mut facts = BTreeMap::new();
    for (name, value) in text.lines().filter_map(|line| line.split_once(' ')) {
        facts.entry(name).or_insert(Json::from(value.trim()));
    }
    serde_json::to_string(&facts).unwrap_or_default()
}
