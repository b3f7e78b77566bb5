//! `source`, `base` and `image`.

use rhai::Dynamic;

use crate::model::Base;
use crate::model::BaseOrigin;
use crate::model::FamilyName;
use crate::model::GitOrigin;
use crate::model::GitWant;
use crate::model::Image;
use crate::model::Source;
use crate::model::SourceOrigin;
use crate::model::Stage3;
use crate::model::Trust;
use crate::model::is_git_id;
use crate::origins::ARCH;
use crate::origins::Family;
use crate::origins::PACKAGE;
use crate::origins::SUITE;
use crate::origins::check_reference;
use crate::origins::family;
use crate::origins::origin;
use crate::text::did_you_mean;

use super::super::files::FileError;
use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::patches::SERIES;
use super::super::patches::STRIP;
use super::super::patches::is_patch_name;
use super::super::patches::patches as patches_of;
use super::super::patches::series;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::schema::check_spelling;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "source",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&SOURCE),
            },
        ],
        gives: "a source",
        doc: "Declares a kernel source tree: where it comes from, and the patches on top.",
        run: source,
    },
    Function {
        name: "patches",
        method: false,
        params: &[
            Param {
                name: "path",
                shape: Shape::Word,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&PATCHES),
            },
        ],
        gives: "a list of patches",
        doc: "Takes in patches of the project: a file, a mailbox as `git format-patch --stdout` and `b4 am` write it, a quilt `series`, or a directory: by its `series` if it has one, else all files named `*.patch`, `*.diff`, `*.mbox`, `*.mbx` or `*.eml` in the order of their names. Files may be compressed by gzip, xz or zstd.",
        run: patches,
    },
    Function {
        name: "base",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&BASE),
            },
        ],
        gives: "a base",
        doc: "Declares a root filesystem that images are made of.",
        run: base,
    },
    Function {
        name: "image",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&IMAGE),
            },
        ],
        gives: "an image",
        doc: "Declares an image: a base with more packages, in which toolchains run.",
        run: image,
    },
];

const SOURCE: Record = Record {
    noun: "a source",
    fields: &[
        Field {
            name: "debian",
            shape: Shape::Record(&SOURCE_DEBIAN),
            need: Need::Otherwise("not from Debian"),
            doc: "a `linux-source-*` package; its version and digest stand in the lock file",
        },
        Field {
            name: "tarball",
            shape: Shape::Record(&TARBALL),
            need: Need::Otherwise("not a tarball"),
            doc: "a tarball (plain, gzip, xz or zstd) with one top directory",
        },
        Field {
            name: "git",
            shape: Shape::Record(&GIT),
            need: Need::Otherwise("not from git"),
            doc: "a commit of a git repository; `engine update` writes its id, tree, date and subject to the lock file",
        },
        Field {
            name: "version",
            shape: Shape::Version,
            need: Need::Otherwise("that in the name of a `linux-source-*` package"),
            doc: "the kernel's version or the beginning of it, such as `\"6.1\"`; compared with the source's Makefile",
        },
        Field {
            name: "patches",
            shape: Shape::Patches,
            need: Need::Otherwise("none"),
            doc: "patches, applied in order, as `file(…)` and `patches(…)` give them",
        },
    ],
    one_of: &[&["debian", "tarball", "git"]],
    any_of: &[],
    refused: &[],
};

const GIT: Record = Record {
    noun: "a git source",
    fields: &[
        Field {
            name: "url",
            shape: Shape::Repository,
            need: Need::Otherwise("`urls`"),
            doc: "where it is: `https://`, `ssh://`, `git://`, `file://` or `user@host:path`",
        },
        Field {
            name: "urls",
            shape: Shape::List(&Shape::Repository),
            need: Need::Otherwise("`url`"),
            doc: "equivalent places, tried in order",
        },
        Field {
            name: "branch",
            shape: Shape::Word,
            need: Need::Otherwise("`tag` or `commit`"),
            doc: "the tip of a branch, such as `\"master\"`",
        },
        Field {
            name: "tag",
            shape: Shape::Word,
            need: Need::Otherwise("`branch` or `commit`"),
            doc: "a tag, such as `\"v6.12\"`; with `*` the newest by version that is like it: `\"v6.12.*\"`, `\"next-*\"`",
        },
        Field {
            name: "commit",
            shape: Shape::Word,
            need: Need::Otherwise("`branch` or `tag`"),
            doc: "the 40 hex digits of a commit",
        },
        Field {
            name: "depth",
            shape: Shape::Whole(1, 10_000_000),
            need: Need::Otherwise("1"),
            doc: "how many commits of its history are fetched, itself included",
        },
    ],
    one_of: &[&["url", "urls"], &["branch", "tag", "commit"]],
    any_of: &[],
    refused: &[("submodules", "kernels have none, and none are fetched")],
};

const SOURCE_DEBIAN: Record = Record {
    noun: "a Debian source",
    fields: &[
        Field {
            name: "package",
            shape: Shape::Spelt(&PACKAGE),
            need: Need::Required,
            doc: "the binary package, such as `\"linux-source-6.1\"`",
        },
        Field {
            name: "suite",
            shape: Shape::Spelt(&SUITE),
            need: Need::Required,
            doc: "the Debian suite, such as `\"bookworm\"`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const TARBALL: Record = Record {
    noun: "a tarball",
    fields: &[
        Field {
            name: "url",
            shape: Shape::Url,
            need: Need::Otherwise("`urls`"),
            doc: "where it is",
        },
        Field {
            name: "urls",
            shape: Shape::List(&Shape::Url),
            need: Need::Otherwise("`url`"),
            doc: "equivalent places, tried in order",
        },
        Field {
            name: "sha256",
            shape: Shape::Sha256,
            need: Need::Required,
            doc: "the digest the file must have",
        },
    ],
    one_of: &[&["url", "urls"]],
    any_of: &[],
    refused: &[],
};

const PATCHES: Record = Record {
    noun: "what patches share",
    fields: &[Field {
        name: "strip",
        shape: Shape::Whole(0, 9),
        need: Need::Otherwise("1"),
        doc: "how many leading directories of the paths in them are left out; a `-pN` in a series counts before it",
    }],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const BASE: Record = Record {
    noun: "a base",
    fields: &[
        Field {
            name: "debian",
            shape: Shape::Record(&BASE_DEBIAN),
            need: Need::Otherwise("not Debian"),
            doc: "made by `mmdebstrap` from packages pinned in the lock file",
        },
        Field {
            name: "gentoo",
            shape: Shape::Record(&BASE_GENTOO),
            need: Need::Otherwise("not Gentoo"),
            doc: "a stage3 pinned in the lock file; `std/gentoo` fills it in",
        },
    ],
    one_of: &[&["debian", "gentoo"]],
    any_of: &[],
    refused: &[],
};

const BASE_DEBIAN: Record = Record {
    noun: "a Debian base",
    fields: &[
        Field {
            name: "suite",
            shape: Shape::Spelt(&SUITE),
            need: Need::Required,
            doc: "the Debian suite, such as `\"bookworm\"`",
        },
        Field {
            name: "arch",
            shape: Shape::Spelt(&ARCH),
            need: Need::Required,
            doc: "the Debian architecture, such as `\"amd64\"`",
        },
        Field {
            name: "packages",
            shape: Shape::List(&Shape::Word),
            need: Need::Otherwise("none"),
            doc: "packages beside the essential set and apt",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const BASE_GENTOO: Record = Record {
    noun: "a Gentoo base",
    fields: &[
        Field {
            name: "stage3",
            shape: Shape::Word,
            need: Need::Required,
            doc: "what follows `stage3-` in the file's name, such as `\"amd64-openrc\"`",
        },
        Field {
            name: "mirrors",
            shape: Shape::List(&Shape::Url),
            need: Need::Required,
            doc: "mirrors, tried in order: what `releases/`, `snapshots/` and `distfiles/` lie below",
        },
        Field {
            name: "keys",
            shape: Shape::List(&Shape::Word),
            need: Need::Otherwise("`unsigned`"),
            doc: "fingerprints of the primary OpenPGP keys that are trusted",
        },
        Field {
            name: "key_urls",
            shape: Shape::List(&Shape::Url),
            need: Need::Otherwise("none; needed with `keys`"),
            doc: "where the keys are, tried in order; only those of the fingerprints count",
        },
        Field {
            name: "unsigned",
            shape: Shape::Word,
            need: Need::Otherwise("`keys`"),
            doc: "takes what nobody signed: why that is acceptable, in words",
        },
        Field {
            name: "make_conf",
            shape: Shape::Settings,
            need: Need::Otherwise("the stage3's own"),
            doc: "what Portage is told, by the names of make.conf(5)",
        },
    ],
    one_of: &[&["keys", "unsigned"]],
    any_of: &[],
    refused: &[],
};

const IMAGE: Record = Record {
    noun: "an image",
    fields: &[
        Field {
            name: "base",
            shape: Shape::Handle(Kind::Base),
            need: Need::Required,
            doc: "the base it is made of",
        },
        Field {
            name: "packages",
            shape: Shape::List(&Shape::Word),
            need: Need::Otherwise("none"),
            doc: "packages added in the way of the base's family",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

fn source(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let handle = call.declare(Kind::Source, &name, &["0"])?;
    let from = if let Some(mut debian) = fields.take::<Fields>("debian") {
        SourceOrigin::Debian {
            package: debian.take_or_empty("package"),
            suite: debian.take_or_empty("suite"),
        }
    } else if let Some(git) = fields.take::<Fields>("git") {
        SourceOrigin::Git(git_origin(git)?)
    } else {
        let mut tarball: Fields = fields.take_or_empty("tarball");
        let mut urls: Vec<String> = tarball.take_or_empty("urls");
        urls.extend(tarball.take::<String>("url"));
        if urls.is_empty() {
            let path = ["1", "tarball", "urls"].map(str::to_owned);
            return Err(Mistake::at(&path, "a tarball needs a URL"));
        }
        SourceOrigin::Tarball {
            urls,
            sha256: tarball.take_or_empty("sha256"),
        }
    };
    let version = fields.take("version").or_else(|| origin(&from).version());
    let patches = fields.take_or_empty("patches");
    call.state.catalog.sources.insert(
        name.clone(),
        Source {
            name,
            origin: from,
            version,
            patches,
        },
    );
    Ok(handle)
}

fn patches(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let path: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let strip = u8::try_from(fields.take_number("strip", STRIP.into())).unwrap_or(STRIP);
    let at = ["0".to_owned()];
    let of_file = |error: FileError| Mistake::of_file(&at, &error);
    let path = path.trim_end_matches('/');
    let below = |dir: &str, name: &str| format!("{dir}/{name}");
    let names = call.state.names(path).map_err(of_file)?;
    let is_series = |name: &str| name == SERIES;
    let series_of = |call: &mut Call<'_>, dir: &str, path: &str| {
        let text = call.state.read(path).map_err(of_file)?;
        let lines = series(&text, strip);
        let lines = lines.map_err(|why| Mistake::at(&at, format!("`{path}`, {why}")))?;
        let placed = lines
            .into_iter()
            .map(|(name, strip)| (below(dir, &name), strip));
        Ok::<_, Mistake>(placed.collect::<Vec<_>>())
    };
    let (dir, name) = path.rsplit_once('/').unwrap_or(("", path));
    let files = match names {
        Some(names) if names.iter().any(|name| is_series(name)) => {
            series_of(call, path, &below(path, SERIES))?
        }
        Some(names) => {
            let patches = names.iter().filter(|name| is_patch_name(name));
            patches.map(|name| (below(path, name), strip)).collect()
        }
        None if is_series(name) => series_of(call, dir, path)?,
        None => vec![(path.to_owned(), strip)],
    };
    if files.is_empty() {
        return Err(Mistake::at(&at, format!("`{path}` holds no patch")).help(
            "a directory's patches are named in its `series`, or end in `.patch`, `.diff`, `.mbox`, `.mbx` or `.eml`",
        ));
    }
    let mut patches = Vec::new();
    let of_series = files.len() > 1;
    for (path, strip) in files {
        let path = path.trim_start_matches('/');
        let bytes = call.state.bytes(path).map_err(of_file)?;
        let found = patches_of(path, &bytes, strip);
        for mut patch in found.map_err(|why| Mistake::at(&at, why))? {
            patch.of_series |= of_series;
            patches.push(Dynamic::from(patch));
        }
    }
    Ok(Dynamic::from_array(patches))
}

fn git_origin(mut git: Fields) -> Result<GitOrigin, Mistake> {
    let at = |field: &str, message: String, help: &str| {
        let path = ["1", "git", field].map(str::to_owned);
        Err(Mistake::at(&path, message).help(help))
    };
    let mut urls: Vec<String> = git.take_or_empty("urls");
    urls.extend(git.take::<String>("url"));
    if urls.is_empty() {
        return at(
            "urls",
            "a git source needs a URL".to_owned(),
            "give the places of one repository",
        );
    }
    let want = if let Some(name) = git.take("branch") {
        GitWant::Branch(name)
    } else if let Some(name) = git.take("tag") {
        GitWant::Tag(name)
    } else {
        GitWant::Commit(git.take_or_empty("commit"))
    };
    let (what, name) = want.words();
    let checked = match &want {
        GitWant::Branch(name) => check_reference(name, false),
        GitWant::Tag(name) => check_reference(name, true),
        GitWant::Commit(id) if is_git_id(id) => Ok(()),
        GitWant::Commit(_) => {
            Err("`git rev-parse NAME` prints its 40 hex digits; names are `branch` and `tag`")
        }
    };
    if let Err(help) = checked {
        return at(what, format!("`{name}` can be no {what}"), help);
    }
    Ok(GitOrigin {
        want,
        urls,
        depth: git.take_number("depth", 1),
    })
}

fn base(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let origin = match fields.take::<Fields>("gentoo") {
        Some(gentoo) => gentoo_base(gentoo)?,
        None => debian_base(fields.take_or_empty("debian"))?,
    };
    let handle = call.declare(Kind::Base, &name, &["0"])?;
    call.state
        .catalog
        .bases
        .insert(name.clone(), Base { name, origin });
    Ok(handle)
}

fn debian_base(mut fields: Fields) -> Result<BaseOrigin, Mistake> {
    let arch: String = fields.take_or_empty("arch");
    let family = family(FamilyName::Debian);
    check_arch(&arch, family, &["1", "debian", "arch"])?;
    Ok(BaseOrigin::Debian {
        suite: fields.take_or_empty("suite"),
        packages: package_set(
            &mut fields,
            "packages",
            family,
            &["1", "debian", "packages"],
        )?,
        arch,
    })
}

fn gentoo_base(mut fields: Fields) -> Result<BaseOrigin, Mistake> {
    let at = |field: &str, message: &str| {
        let path = ["1", "gentoo", field].map(str::to_owned);
        Mistake::at(&path, message)
    };
    let name: String = fields.take_or_empty("stage3");
    check_arch(
        &name,
        family(FamilyName::Gentoo),
        &["1", "gentoo", "stage3"],
    )?;
    let mirrors: Vec<String> = fields.take_or_empty("mirrors");
    if mirrors.is_empty() {
        return Err(at("mirrors", "a Gentoo base needs a mirror"));
    }
    let mirrors: Vec<String> = mirrors
        .iter()
        .map(|url| url.trim_end_matches('/').to_owned())
        .collect();
    let trust = match fields.take::<String>("unsigned") {
        Some(reason) => Trust::Unsigned { reason },
        None => Trust::Signed {
            keys: fingerprints(fields.take_or_empty("keys"))?,
            urls: fields.take_or_empty("key_urls"),
        },
    };
    for (field, urls) in [("mirrors", &mirrors), ("key_urls", trust.urls())] {
        if let Some(url) = urls.iter().find(|url| url.contains(['?', '#'])) {
            return Err(at(
                field,
                &format!("`{url}` is not the plain URL of a file or directory"),
            ));
        }
    }
    match &trust {
        Trust::Signed { keys, .. } if keys.is_empty() => {
            return Err(at("keys", "no key is trusted").help(
                "`std/gentoo` has those of Gentoo; `unsigned: \"why\"` takes what nobody signed",
            ));
        }
        Trust::Signed { urls, .. } if urls.is_empty() => {
            return Err(at("key_urls", "trusted keys need a URL where they are"));
        }
        _ => {}
    }
    Ok(BaseOrigin::Gentoo(Stage3 {
        name,
        mirrors,
        trust,
        make_conf: fields.take_or_empty("make_conf"),
    }))
}

/// Fingerprints of OpenPGP keys of version 4 or 6, in upper case, sorted.
fn fingerprints(mut keys: Vec<String>) -> Result<Vec<String>, Mistake> {
    for (index, key) in keys.iter_mut().enumerate() {
        key.retain(|c| c != ' ');
        key.make_ascii_uppercase();
        if ![40, 64].contains(&key.len()) || !key.bytes().all(|b| b.is_ascii_hexdigit()) {
            let path = ["1", "gentoo", "keys", &index.to_string()].map(str::to_owned);
            return Err(Mistake::at(&path, format!("`{key}` is no fingerprint"))
                .help("the 40 hex digits that `gpg --fingerprint` prints of the primary key; a key id is not enough"));
        }
    }
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn image(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let base: String = fields.take_or_empty("base");
    let declared = call.state.catalog.bases.get(&base);
    let declared = declared.ok_or_else(|| Mistake::at(&[], format!("`{base}` is no base")))?;
    let family = family(declared.origin.family());
    let packages = package_set(&mut fields, "packages", family, &["1", "packages"])?;
    let handle = call.declare(Kind::Image, &name, &["0"])?;
    let image = Image {
        name: name.clone(),
        base,
        packages,
    };
    call.state.catalog.images.insert(name, image);
    Ok(handle)
}

/// Packages as their family spells them, sorted and each once: their order means nothing.
pub(super) fn package_set(
    fields: &mut Fields,
    name: &str,
    family: &dyn Family,
    path: &[&str],
) -> Result<Vec<String>, Mistake> {
    let mut packages: Vec<String> = fields.take_or_empty(name);
    for (index, package) in packages.iter().enumerate() {
        let index = index.to_string();
        let path = path.iter().copied().chain([index.as_str()]);
        let path: Vec<String> = path.map(str::to_owned).collect();
        check_spelling(package, family.package(), &path)?;
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Most names that a message lists.
const MOST_LISTED: usize = 30;

/// Refuses an architecture that the family has not.
fn check_arch(arch: &str, family: &dyn Family, path: &[&str]) -> Result<(), Mistake> {
    let known = family.arches();
    if known.iter().any(|known| known == arch) {
        return Ok(());
    }
    let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
    let field = path.last().map_or("", String::as_str);
    let begin = |known: &&String| known.starts_with(arch) && !arch.is_empty();
    let longer: Vec<&str> = known.iter().filter(begin).map(String::as_str).collect();
    let listing = || match longer.len() {
        0 if known.len() > MOST_LISTED => {
            format!("there are {}, such as `{}`", known.len(), known[0])
        }
        0 => format!("known are {}", known.join(", ")),
        _ => format!("choose {}", longer.join(" or ")),
    };
    Err(Mistake::at(
        &path,
        format!(
            "`{arch}` is no known {}",
            if field == "arch" {
                "architecture"
            } else {
                field
            }
        ),
    )
    .suggest(
        did_you_mean(arch, known.iter().map(String::as_str)),
        listing,
    ))
}
