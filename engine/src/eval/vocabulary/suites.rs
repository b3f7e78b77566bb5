//! `rootfs` and `suite`.

use rhai::Dynamic;

use crate::model::Abi;
use crate::model::Catalog;
use crate::model::Judging;
use crate::model::LavaTest;
use crate::model::LavaTestFrom;
use crate::model::ProjectFile;
use crate::model::Rootfs;
use crate::model::RootfsFormat;
use crate::model::Severity;
use crate::model::Suite;
use crate::origins::abi_of;
use crate::text::did_you_mean;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::words::COMMIT;
use super::super::words::IMAGE_FILE;
use super::super::words::REPOSITORY_FILE;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "rootfs",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&ROOTFS),
            },
        ],
        gives: "a rootfs",
        doc: "Declares a root filesystem: a static `init` in C that runs one suite.",
        run: rootfs,
    },
    Function {
        name: "suite",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&SUITE),
            },
        ],
        gives: "a suite",
        doc: "Declares a test suite: a static program in C that prints KTAP on the console.",
        run: suite,
    },
];

const ROOTFS: Record = Record {
    noun: "a rootfs",
    fields: &[
        Field {
            name: "toolchain",
            shape: Shape::Handle(Kind::Toolchain),
            need: Need::Required,
            doc: "the toolchain that compiles it",
        },
        Field {
            name: "abi",
            shape: Shape::Word,
            need: Need::Otherwise("that of the toolchain"),
            doc: "what its programs are compiled for, where it does not follow from the toolchain",
        },
        Field {
            name: "init",
            shape: Shape::File,
            need: Need::Otherwise("`file(\"std/init.c\")`"),
            doc: "C source of `/init`",
        },
        Field {
            name: "libc",
            shape: Shape::File,
            need: Need::Otherwise("the toolchain's"),
            doc: "C source that takes the place of the C library, for an arch where that one does not work; its headers are still used",
        },
        Field {
            name: "format",
            shape: Shape::OneOf(&["initramfs", "ext2", "tar"]),
            need: Need::Otherwise("`\"initramfs\"`"),
            doc: "what it is packed as: an initramfs, the image of a disk for a board with `disk`, made with the image's `e2fsprogs`, or a tarball for one that mounts it by NFS",
        },
        Field {
            name: "shell",
            shape: Shape::Spelt(&IMAGE_FILE),
            need: Need::Otherwise("none"),
            doc: "a static busybox in the toolchain's image, such as `\"/bin/busybox\"`, for suites with `definitions`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

/// A boot may not be waited for longer than a day.
const MOST_SECS: i64 = 86_400;
const SILENCE_SECS: u32 = 60;
const TOTAL_SECS: u32 = 150;

const SUITE: Record = Record {
    noun: "a suite",
    fields: &[
        Field {
            name: "program",
            shape: Shape::File,
            need: Need::Otherwise("`definitions`"),
            doc: "C source of the program",
        },
        Field {
            name: "definitions",
            shape: Shape::List(&Shape::Record(&DEFINITION)),
            need: Need::Otherwise("`program`"),
            doc: "test definitions of LAVA's, which its test shell runs; such a suite runs in LAVA labs alone",
        },
        Field {
            name: "manual",
            shape: Shape::Bool,
            need: Need::Otherwise("`false`"),
            doc: "whether it runs only when an address names it",
        },
        Field {
            name: "silence_secs",
            shape: Shape::Whole(1, MOST_SECS),
            need: Need::Otherwise("`60`"),
            doc: "seconds without console output after which a boot counts as hung",
        },
        Field {
            name: "total_secs",
            shape: Shape::Whole(1, MOST_SECS),
            need: Need::Otherwise("`150`"),
            doc: "seconds after which a boot is ended whatever it prints",
        },
        Field {
            name: "fails_on",
            shape: Shape::OneOf(&["notice", "warning", "error", "fatal"]),
            need: Need::Otherwise("`\"error\"`"),
            doc: "from which severity on a complaint of the kernel fails a boot; what is less is told: `notice` (a program died of a fault), `warning` (a plain `WARN()`), `error` (sanitizers, locks, hangs, corruption), `fatal` (a panic, an oops)",
        },
        Field {
            name: "expects",
            shape: Shape::List(&Shape::Text),
            need: Need::Otherwise("none"),
            doc: "titles of complaints that the kernel must make and that fail nothing, as `engine judge` prints them; `*` stands for anything: `\"kernel panic: sysrq*\"`",
        },
        Field {
            name: "reports_tests",
            shape: Shape::Bool,
            need: Need::Otherwise("`false`"),
            doc: "whether a boot fails when no test result was printed",
        },
    ],
    one_of: &[&["program", "definitions"]],
    any_of: &[],
    refused: &[],
};

const DEFINITION: Record = Record {
    noun: "a test definition",
    fields: &[
        Field {
            name: "name",
            shape: Shape::Name,
            need: Need::Required,
            doc: "what LAVA calls the suite of its results",
        },
        Field {
            name: "steps",
            shape: Shape::List(&Shape::Text),
            need: Need::Otherwise("`git`"),
            doc: "lines of shell, such as `\"lava-test-case uname --shell uname -a\"`",
        },
        Field {
            name: "git",
            shape: Shape::Url,
            need: Need::Otherwise("`steps`"),
            doc: "the repository that has it; the lab clones it",
        },
        Field {
            name: "revision",
            shape: Shape::Spelt(&COMMIT),
            need: Need::Otherwise("none, without `git`"),
            doc: "the commit, 40 hex digits",
        },
        Field {
            name: "path",
            shape: Shape::Spelt(&REPOSITORY_FILE),
            need: Need::Otherwise("none, without `git`"),
            doc: "the definition's file in the repository",
        },
        Field {
            name: "parameters",
            shape: Shape::Strings,
            need: Need::Otherwise("none"),
            doc: "parameters of the definition",
        },
    ],
    one_of: &[&["steps", "git"]],
    any_of: &[],
    refused: &[("branch", "give the commit as `revision`: a branch moves")],
};

fn rootfs(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let handle = call.declare(Kind::Rootfs, &name, &["0"])?;
    let init = match source(&mut fields, "init")? {
        Some(init) => init,
        None => call
            .state
            .project_file("std/init.c")
            .map_err(|error| Mistake::at(&[], error.to_string()))?,
    };
    let toolchain: String = fields.take_or_empty("toolchain");
    let rootfs = Rootfs {
        name: name.clone(),
        abi: abi(&call.state.catalog, &toolchain, fields.take("abi"))?,
        toolchain,
        init,
        libc: source(&mut fields, "libc")?,
        format: match fields.take_or_empty::<String>("format").as_str() {
            "ext2" => RootfsFormat::Ext2,
            "tar" => RootfsFormat::Tar,
            _ => RootfsFormat::Initramfs,
        },
        shell: fields.take("shell"),
    };
    call.state.catalog.rootfses.insert(name, rootfs);
    Ok(handle)
}

/// The ABI a toolchain compiles for, or the given one where that is not known.
fn abi(catalog: &Catalog, toolchain: &str, given: Option<String>) -> Result<Abi, Mistake> {
    let at = |field: &str| ["1".to_owned(), field.to_owned()];
    let made = catalog.toolchains.get(toolchain).and_then(|toolchain| {
        let image = catalog.images.get(&toolchain.image)?;
        abi_of(toolchain, catalog.bases.get(&image.base)?)
    });
    let known = || format!("known are {}", Abi::names().collect::<Vec<_>>().join(", "));
    match (given, made) {
        (None, Some(made)) => Ok(made),
        (None, None) => {
            let message =
                format!("it is not known what `{toolchain}` compiles for: give the field `abi`");
            Err(Mistake::at(&at("toolchain"), message).help(known()))
        }
        (Some(name), made) => {
            let wrong = || Mistake::at(&at("abi"), format!("`{name}` is no known ABI"));
            let abi = Abi::of_name(&name)
                .ok_or_else(|| wrong().suggest(did_you_mean(&name, Abi::names()), known))?;
            match made.filter(|made| *made != abi) {
                None => Ok(abi),
                Some(made) => Err(Mistake::at(
                    &at("abi"),
                    format!(
                        "`{toolchain}` compiles for `{}`, not for `{name}`",
                        made.name()
                    ),
                )
                .help("leave `abi` out")),
            }
        }
    }
}

/// A C source: the compiler takes it as UTF-8.
fn source(fields: &mut Fields, field: &str) -> Result<Option<ProjectFile>, Mistake> {
    let file: Option<ProjectFile> = fields.take(field);
    match file.as_ref().filter(|file| file.latin1) {
        None => Ok(file),
        Some(file) => {
            let at = ["1".to_owned(), field.to_owned()];
            let message = format!("`{}` is not UTF-8", file.path);
            Err(Mistake::at(&at, message).help("`iconv -f ISO-8859-1 -t UTF-8` converts it"))
        }
    }
}

fn suite(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let handle = call.declare(Kind::Suite, &name, &["0"])?;
    let silence_secs = fields.take_number("silence_secs", SILENCE_SECS);
    let total_secs = fields.take_number("total_secs", TOTAL_SECS);
    let definitions: Vec<Fields> = fields.take_or_empty("definitions");
    let definitions = definitions.into_iter().enumerate();
    let definitions: Result<Vec<_>, _> = definitions
        .map(|(index, fields)| definition(index, fields))
        .collect();
    let suite = Suite {
        name: name.clone(),
        program: source(&mut fields, "program")?,
        definitions: definitions?,
        manual: fields.take_or_empty("manual"),
        silence_secs,
        total_secs,
        judging: Judging {
            fails_on: Severity::of_word(&fields.take_or_empty::<String>("fails_on"))
                .unwrap_or(Judging::default().fails_on),
            expects: fields.take_or_empty("expects"),
            reports_tests: fields.take_or_empty("reports_tests"),
        },
    };
    call.state.catalog.suites.insert(name, suite);
    Ok(handle)
}

fn definition(index: usize, mut fields: Fields) -> Result<LavaTest, Mistake> {
    let at = |field: &str| ["1", "definitions", &index.to_string(), field].map(str::to_owned);
    let from = match fields.take::<String>("git") {
        None => LavaTestFrom::Steps(fields.take_or_empty("steps")),
        Some(repository) => {
            let revision: String = fields.take_or_empty("revision");
            let path: String = fields.take_or_empty("path");
            let hex = revision.bytes().all(|b| b.is_ascii_hexdigit());
            if revision.len() != 40 || !hex {
                let message = "a definition from git needs its commit";
                return Err(Mistake::at(&at("revision"), message)
                    .help("40 hex digits, as `git rev-parse` prints them"));
            }
            if path.is_empty() {
                let message = "a definition from git needs the `path` of its file";
                return Err(Mistake::at(&at("path"), message));
            }
            LavaTestFrom::Git {
                repository,
                revision,
                path,
            }
        }
    };
    Ok(LavaTest {
        name: fields.take_or_empty("name"),
        from,
        parameters: fields.take_or_empty("parameters"),
    })
}
