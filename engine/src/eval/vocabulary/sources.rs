//! `source`, `base` and `image`.

use rhai::Dynamic;

use crate::model::Base;
use crate::model::BaseOrigin;
use crate::model::FamilyName;
use crate::model::Image;
use crate::model::Source;
use crate::model::SourceOrigin;
use crate::origins::ARCH;
use crate::origins::Family;
use crate::origins::PACKAGE;
use crate::origins::SUITE;
use crate::origins::family;
use crate::origins::origin;
use crate::text::did_you_mean;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
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
            name: "version",
            shape: Shape::Version,
            need: Need::Otherwise("that in the name of a `linux-source-*` package"),
            doc: "the kernel's version or the beginning of it, such as `\"6.1\"`; compared with the source's Makefile",
        },
        Field {
            name: "patches",
            shape: Shape::List(&Shape::File),
            need: Need::Otherwise("none"),
            doc: "patches, applied in order with `patch -p1`",
        },
    ],
    one_of: &[&["debian", "tarball"]],
    any_of: &[],
    refused: &[(
        "git",
        "give a `tarball`; most git servers offer one for every commit",
    )],
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

const BASE: Record = Record {
    noun: "a base",
    fields: &[Field {
        name: "debian",
        shape: Shape::Record(&BASE_DEBIAN),
        need: Need::Required,
        doc: "made by `mmdebstrap` from packages pinned in the lock file",
    }],
    one_of: &[],
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

fn base(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let mut debian: Fields = fields.take_or_empty("debian");
    let arch: String = debian.take_or_empty("arch");
    let path = ["1", "debian", "packages"];
    let family = family(FamilyName::Debian);
    check_arch(&arch, family)?;
    let origin = BaseOrigin::Debian {
        suite: debian.take_or_empty("suite"),
        packages: package_set(&mut debian, family, &path)?,
        arch,
    };
    let handle = call.declare(Kind::Base, &name, &["0"])?;
    call.state
        .catalog
        .bases
        .insert(name.clone(), Base { name, origin });
    Ok(handle)
}

fn image(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let base: String = fields.take_or_empty("base");
    let declared = call.state.catalog.bases.get(&base);
    let declared = declared.ok_or_else(|| Mistake::at(&[], format!("`{base}` is no base")))?;
    let family = family(declared.origin.family());
    let packages = package_set(&mut fields, family, &["1", "packages"])?;
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
fn package_set(
    fields: &mut Fields,
    family: &dyn Family,
    path: &[&str],
) -> Result<Vec<String>, Mistake> {
    let mut packages: Vec<String> = fields.take_or_empty("packages");
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

/// Refuses an architecture that the family has not.
fn check_arch(arch: &str, family: &dyn Family) -> Result<(), Mistake> {
    if family.abi(arch).is_some() {
        return Ok(());
    }
    let path = ["1", "debian", "arch"].map(str::to_owned);
    let known = family.arches();
    let listing = || format!("known are {}", known.join(", "));
    Err(
        Mistake::at(&path, format!("`{arch}` is no known architecture"))
            .suggest(did_you_mean(arch, known.iter().copied()), listing),
    )
}
