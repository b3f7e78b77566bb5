//! kconfig's host program `conf`, made once by the kernel's make, and run without it from then on.
//!
//! Most of a `make randconfig` is not `conf`: make reads Makefiles, and the Kconfig files ask a hundred times what the compiler can do,
//! each time by a shell and a compiler. Of a source, an image and a toolchain all of that is the same each time. So the kernel's make
//! builds `conf`, with `answers.c` linked in; then a script in its place (`told.sh`) writes down with which environment, directory and
//! arguments make runs it, while `answers.c` writes down what the Kconfig files ask and the answers. A configuration is then
//! one process.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use store::Unpacked;

use super::Broken;
use super::Finished;
use super::Job;
use super::Tools;
use super::config::script;
use super::step::End;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::left;
use crate::graph::Slot;
use crate::sandbox::User;
use crate::spec::KconfigSpec;

/// Where what a kconfig node gives lies in the sandbox.
pub(super) const KCONFIG: &str = "/kconfig";
const PROGRAM: &str = "scripts/kconfig/conf";
/// What `told.sh` was told when it was run.
const MODE: &str = "--randconfig";
const ANSWERS: &str = include_str!("../../../stdlib/kconfig/answers.c");
const TOLD: &str = include_str!("../../../stdlib/kconfig/told.sh");

/// The kernel's make, with `answers.c` linked into `conf`: make knows programs by their command lines.
pub(super) const LINKED: &str = r#"
linked() { mk "HOSTLDLIBS_conf=/build/answers.c -Wl,--wrap=popen,--wrap=pclose" "$@"; }
"#;

// An empty Kconfig file asks nothing.
const SCRIPT: &str = r#"
linked KBUILD_KCONFIG=/dev/null randconfig
mv scripts/kconfig/conf conf
cp told.sh scripts/kconfig/conf
chmod +x scripts/kconfig/conf
touch answers
linked randconfig
mv conf scripts/kconfig/conf
tar --create --file=kconfig.tar --sort=name --format=gnu --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
    answers answers.c call env scripts
"#;

/// `conf` as the kernel's make runs it.
pub(super) struct Conf {
    /// What the kconfig node gave, to be shown at [`KCONFIG`].
    pub tree: Unpacked,
    /// The whole environment.
    pub env: BTreeMap<String, String>,
    /// Where it is run.
    pub cwd: PathBuf,
    argv: Vec<String>,
}

impl Conf {
    /// The command that gives a .config in a way of kconfig's, such as `--olddefconfig`.
    pub(super) fn argv(&self, mode: &str) -> Vec<String> {
        let arguments = self.argv.iter();
        let arguments = arguments.map(|word| if word == MODE { mode } else { word });
        let program = format!("{KCONFIG}/{PROGRAM}");
        std::iter::once(program)
            .chain(arguments.map(str::to_owned))
            .collect()
    }

    /// What has `conf` ask nobody, also where make runs it.
    pub(super) fn replay() -> (String, String) {
        ("ENGINE_REPLAY".to_owned(), format!("{KCONFIG}/answers"))
    }
}

impl Tools {
    /// Output `tar`: `scripts/` as it was built, `answers`, and `call` and `env`, lists of NUL-terminated words.
    pub(super) fn kconfig(&self, spec: &KconfigSpec, job: &Job) -> Result<Finished, Broken> {
        let image = self.image_tree(job)?;
        let source = self.tree(job, Slot::Source, true)?;
        let work = self.build_dir("kconfig")?;
        let build = work.path();
        let compiler = self.compiler(
            &spec.make,
            spec.accelerate.as_ref(),
            &job.inputs,
            &job.cancel,
            &|text| job.note(text),
        )?;
        self.write(&build.join("answers.c"), ANSWERS)?;
        self.write(&build.join("told.sh"), TOLD)?;
        let mut binds = vec![bind(source.path(), SRC, true)];
        binds.extend(compiler.binds.iter().cloned());
        let step = Step {
            script: &script(&spec.kernel_arch, &[LINKED, SCRIPT].concat()),
            env: BTreeMap::from([
                ("ARCH".to_owned(), spec.kernel_arch.clone()),
                ("PATH".to_owned(), compiler.path.clone()),
                ("MAKE_VARIABLES".to_owned(), compiler.variables.clone()),
            ]),
            user: User::Worker,
            binds,
            parallel: true,
        };
        Ok(match self.step(job, image.path(), build, &step)? {
            End::Success => {
                let outputs = self.take(build, &[("tar", "kconfig.tar")])?;
                Finished::success(outputs, String::new())
            }
            End::Failure(message) => Finished::failure(message, BTreeMap::new(), String::new()),
        })
    }

    /// What the kconfig node of a job gave.
    pub(super) fn conf(&self, job: &Job) -> Result<Conf, Broken> {
        let tree = self.tree(job, Slot::Kconfig, false)?;
        let words = |name: &str| {
            let bytes = left(tree.path(), name).and_then(|path| fs::read(path).ok());
            let text = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
            text.split_terminator('\0')
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let env = words("env").into_iter();
        let env = env.filter_map(|word| {
            let (name, value) = word.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let env = env.chain([Conf::replay()]).collect();
        let mut call = words("call").into_iter();
        let cwd = call.next().unwrap_or_default().into();
        Ok(Conf {
            env,
            cwd,
            argv: call.collect(),
            tree,
        })
    }
}
