//! `arch`, `defconfig`, the recipes a .config begins with and the fixups on top.

use std::collections::BTreeMap;

use rhai::Dynamic;

use crate::kconfig;
use crate::kconfig::Versions;
use crate::model::Arch;
use crate::model::ByVersion;
use crate::model::ConfigRecipe;
use crate::model::Defconfig;
use crate::model::FamilyName;
use crate::model::Fixup;
use crate::model::Strength;
use crate::origins::family;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::schema::is_hex;
use super::super::schema::kconfig_text;
use super::super::words::BUILD_FILE;
use super::super::words::KERNEL_ARCH;
use super::super::words::MAKE_TARGET;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;
use super::sources::package_set;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "arch",
        method: false,
        params: &[
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&ARCH),
            },
        ],
        gives: "an arch",
        doc: "Declares an architecture, and what is built for it.",
        run: arch,
    },
    Function {
        name: "defconfig",
        method: false,
        params: &[
            Param {
                name: "arch",
                shape: Shape::Handle(Kind::Arch),
            },
            Param {
                name: "name",
                shape: Shape::Name,
            },
            Param {
                name: "fields",
                shape: Shape::Record(&DEFCONFIG),
            },
        ],
        gives: "a defconfig",
        doc: "Declares a configuration to build for an arch.",
        run: defconfig,
    },
    Function {
        name: "defconfigs",
        method: false,
        params: &[
            Param {
                name: "arch",
                shape: Shape::Handle(Kind::Arch),
            },
            Param {
                name: "names",
                shape: Shape::List(&Shape::Name),
            },
            Param {
                name: "fields",
                shape: Shape::Record(&DEFCONFIG),
            },
        ],
        gives: "a list of defconfigs",
        doc: "Declares several configurations of an arch with the same fields.",
        run: defconfigs,
    },
    Function {
        name: "target",
        method: false,
        params: &[Param {
            name: "make_target",
            shape: Shape::Spelt(&MAKE_TARGET),
        }],
        gives: "a config recipe",
        doc: "Begins a .config with a make target of the kernel, such as `target(\"multi_v7_defconfig\")`.",
        run: |_, mut arguments| {
            Ok(Dynamic::from(ConfigRecipe::Defconfig {
                target: arguments.next(),
            }))
        },
    },
    Function {
        name: "tiny",
        method: false,
        params: &[],
        gives: "a config recipe",
        doc: "Begins a .config with the kernel's `tinyconfig`; the fixups are all that is switched on beside it.",
        run: |_, _| Ok(Dynamic::from(ConfigRecipe::Tiny)),
    },
    Function {
        name: "randconfig",
        method: false,
        params: &[Param {
            name: "fields",
            shape: Shape::Record(&RANDCONFIG),
        }],
        gives: "a config recipe",
        doc: "Begins a .config with `randconfig`; the same seed gives the same .config.",
        run: randconfig,
    },
    Function {
        name: "config_file",
        method: false,
        params: &[Param {
            name: "file",
            shape: Shape::File,
        }],
        gives: "a config recipe",
        doc: "Begins with a whole .config, such as `config_file(file(\"router.config\"))`, completed by `olddefconfig`.",
        run: |_, mut arguments| {
            Ok(Dynamic::from(ConfigRecipe::File {
                file: arguments.required()?,
            }))
        },
    },
    Function {
        name: "must",
        method: false,
        params: &[Param {
            name: "symbols",
            shape: Shape::Symbols,
        }],
        gives: "a fixup",
        doc: "Sets symbols; one that has not its value in the final .config makes the config fail.",
        run: |_, arguments| Ok(fixup(Strength::Must, arguments)),
    },
    Function {
        name: "want",
        method: false,
        params: &[Param {
            name: "symbols",
            shape: Shape::Symbols,
        }],
        gives: "a fixup",
        doc: "Sets symbols; one that has not its value in the final .config is reported.",
        run: |_, arguments| Ok(fixup(Strength::Want, arguments)),
    },
    Function {
        name: "if_present",
        method: false,
        params: &[Param {
            name: "symbols",
            shape: Shape::Symbols,
        }],
        gives: "a fixup",
        doc: "Sets symbols that the source has; those it has not are left out without a word.",
        run: |_, arguments| Ok(fixup(Strength::IfPresent, arguments)),
    },
    Function {
        name: "satisfy",
        method: false,
        params: &[Param {
            name: "board",
            shape: Shape::Handle(Kind::Board),
        }],
        gives: "a list of fixups",
        doc: "Sets what a board requires, the ABI of its root filesystem included, as `must` does: of alternatives the first \
              that can be met, and what depends on `since(…)` for those kernels only. What these symbols depend on is set too, \
              where the kernel's Kconfig files ask for plain symbols. Put it among the `fixups`.",
        run: satisfy,
    },
    Function {
        name: "hex",
        method: false,
        params: &[Param {
            name: "digits",
            shape: Shape::Word,
        }],
        gives: "a Kconfig value",
        doc: "The value of a symbol of type hex, such as `hex(\"0x1000\")`.",
        run: hex,
    },
    Function {
        name: "text",
        method: false,
        params: &[Param {
            name: "string",
            shape: Shape::Text,
        }],
        gives: "a Kconfig value",
        doc: "The value of a symbol of type string, also where it looks like another: `text(\"y\")`.",
        run: |_, mut arguments| {
            kconfig_text(&arguments.next::<String>(), &["0".to_owned()]).map(Dynamic::from)
        },
    },
];

const ARCH: Record = Record {
    noun: "an arch",
    fields: &[
        Field {
            name: "kernel_arch",
            shape: Shape::Spelt(&KERNEL_ARCH),
            need: Need::Required,
            doc: "the kernel's `ARCH=`, such as `\"x86_64\"`",
        },
        Field {
            name: "kernel_image",
            shape: Shape::ByVersion(&Shape::Spelt(&BUILD_FILE)),
            need: Need::Required,
            doc: "boot image below the build directory, such as `\"arch/x86/boot/bzImage\"`",
        },
        Field {
            name: "make_targets",
            shape: Shape::ByVersion(&Shape::List(&Shape::Spelt(&MAKE_TARGET))),
            need: Need::Otherwise("the last component of `kernel_image`"),
            doc: "make targets that give the image",
        },
        Field {
            name: "toolchains",
            shape: Shape::List(&Shape::Handle(Kind::Toolchain)),
            need: Need::Required,
            doc: "the toolchains to build with; only an arch that is `not_bootable` may have none",
        },
        Field {
            name: "signing_key",
            shape: Shape::File,
            need: Need::Otherwise("the engine's own, which is no secret"),
            doc: "key and certificate in PEM that sign modules where the `.config` would have the build make a random one, so that a kernel is the same when it is built again",
        },
        Field {
            name: "sources",
            shape: Shape::List(&Shape::Handle(Kind::Source)),
            need: Need::Otherwise("all"),
            doc: "the sources to build",
        },
        Field {
            name: "not_bootable",
            shape: Shape::Word,
            need: Need::Otherwise("boards say what boots"),
            doc: "why nothing can boot it, such as `\"QEMU has no such machine\"`; `check`, `boards` and `matrix` tell it",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[(
        "defconfigs",
        "declare them after the arch: `defconfigs(arch, [\"defconfig\"])`",
    )],
};

const DEFCONFIG: Record = Record {
    noun: "a defconfig",
    fields: &[
        Field {
            name: "recipe",
            shape: Shape::ByVersion(&Shape::Recipe),
            need: Need::Otherwise("`target(name)`"),
            doc: "how the .config is begun",
        },
        Field {
            name: "fixups",
            shape: Shape::Fixups,
            need: Need::Otherwise("none"),
            doc: "changes on top, in order; a later one wins",
        },
        Field {
            name: "toolchains",
            shape: Shape::List(&Shape::Handle(Kind::Toolchain)),
            need: Need::Otherwise("the arch's"),
            doc: "the toolchains to build with",
        },
        Field {
            name: "packages",
            shape: Shape::Record(&PACKAGES),
            need: Need::Otherwise("none"),
            doc: "what its builds need beside what is in the toolchain's image",
        },
        Field {
            name: "manual",
            shape: Shape::Bool,
            need: Need::Otherwise("`false`"),
            doc: "whether it is built only when an address names it",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const PACKAGES: Record = Record {
    noun: "packages",
    fields: &[
        Field {
            name: "debian",
            shape: Shape::List(&Shape::Word),
            need: Need::Otherwise("none"),
            doc: "in images of Debian's, such as `\"pahole\"`",
        },
        Field {
            name: "gentoo",
            shape: Shape::List(&Shape::Word),
            need: Need::Otherwise("none"),
            doc: "in images of Gentoo's, such as `\"dev-util/pahole\"`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

const RANDCONFIG: Record = Record {
    noun: "a randconfig",
    fields: &[
        Field {
            name: "seed",
            shape: Shape::Whole(0, u32::MAX as i64),
            need: Need::Required,
            doc: "`KCONFIG_SEED`",
        },
        Field {
            name: "probability",
            shape: Shape::Word,
            need: Need::Otherwise("the kernel's"),
            doc: "`KCONFIG_PROBABILITY`: one to three percentages, such as `\"20:30\"`",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

fn arch(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let path = ["1".to_owned(), "kernel_image".to_owned()];
    let kernel_image: ByVersion<String> = fields
        .take("kernel_image")
        .ok_or_else(|| Mistake::at(&path, "a kernel image is missing"))?;
    let image_name = |image: &String| {
        let name = image.rsplit('/').next().unwrap_or_default();
        vec![name.to_owned()]
    };
    let toolchains: Vec<String> = fields.take_or_empty("toolchains");
    let not_bootable: Option<String> = fields.take("not_bootable");
    if toolchains.is_empty() && not_bootable.is_none() {
        let path = ["1".to_owned(), "toolchains".to_owned()];
        return Err(Mistake::at(&path, "an arch needs at least one toolchain"));
    }
    let sources: Vec<String> = fields.take_or_empty("sources");
    each_once(Kind::Toolchain, &toolchains, "1", "toolchains")?;
    each_once(Kind::Source, &sources, "1", "sources")?;
    let handle = call.declare(Kind::Arch, &name, &["0"])?;
    let arch = Arch {
        name: name.clone(),
        kernel_arch: fields.take_or_empty("kernel_arch"),
        make_targets: fields
            .take("make_targets")
            .unwrap_or_else(|| kernel_image.map(image_name)),
        kernel_image,
        signing_key: fields.take("signing_key"),
        toolchains,
        sources,
        not_bootable,
    };
    call.state.catalog.arches.insert(name, arch);
    Ok(handle)
}

/// Refuses a list that names the same thing twice: it would be built twice at one address.
pub(super) fn each_once(
    kind: Kind,
    names: &[String],
    argument: &str,
    field: &str,
) -> Result<(), Mistake> {
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            let path = [argument.to_owned(), field.to_owned(), index.to_string()];
            return Err(Mistake::at(
                &path,
                format!("`{field}` has the {} `{name}` twice", kind.word()),
            ));
        }
    }
    Ok(())
}

fn defconfig(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let arch: String = arguments.next();
    let name: String = arguments.next();
    declare_defconfig(call, &arch, name, arguments.next(), &["1"])
}

fn defconfigs(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let arch: String = arguments.next();
    let names: Vec<String> = arguments.next();
    let fields: Fields = arguments.next();
    let mut handles = rhai::Array::with_capacity(names.len());
    for (index, name) in names.into_iter().enumerate() {
        let path = ["1", &index.to_string()];
        handles.push(declare_defconfig(call, &arch, name, fields.clone(), &path)?);
    }
    Ok(Dynamic::from_array(handles))
}

fn declare_defconfig(
    call: &mut Call<'_>,
    arch: &str,
    name: String,
    mut fields: Fields,
    path: &[&str],
) -> Result<Dynamic, Mistake> {
    let toolchains: Vec<String> = fields.take_or_empty("toolchains");
    each_once(Kind::Toolchain, &toolchains, "2", "toolchains")?;
    let handle = call.declare(Kind::Defconfig, &format!("{arch}/{name}"), path)?;
    let recipe = fields.take("recipe");
    let mut needs: Fields = fields.take_or_empty("packages");
    let mut packages = BTreeMap::new();
    for name in [FamilyName::Debian, FamilyName::Gentoo] {
        let word = name.word();
        let place = ["2", "packages", word];
        packages.insert(name, package_set(&mut needs, word, family(name), &place)?);
    }
    packages.retain(|_, packages| !packages.is_empty());
    let defconfig = Defconfig {
        packages,
        arch: arch.to_owned(),
        recipe: recipe.unwrap_or_else(|| {
            let target = name.clone();
            ConfigRecipe::Defconfig { target }.into()
        }),
        fixups: fields.take_or_empty("fixups"),
        toolchains,
        manual: fields.take_or_empty("manual"),
        name: name.clone(),
    };
    let catalog = &mut call.state.catalog;
    catalog.declare_images(&defconfig);
    catalog
        .defconfigs
        .insert((arch.to_owned(), name), defconfig);
    Ok(handle)
}

fn randconfig(_: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let mut fields: Fields = arguments.next();
    let seed = u32::try_from(fields.take_or_empty::<i64>("seed")).unwrap_or_default();
    let probability: String = fields.take_or_empty("probability");
    let percentages: Vec<&str> = probability.split(':').collect();
    let right = percentages.len() <= 3
        && percentages.iter().all(|part| {
            part.bytes().all(|b| b.is_ascii_digit())
                && part.parse::<u8>().is_ok_and(|percent| percent <= 100)
        });
    if !probability.is_empty() && !right {
        let path = ["0".to_owned(), "probability".to_owned()];
        return Err(
            Mistake::at(&path, format!("`{probability}` is not a probability"))
                .help("one to three percentages with `:` between them, such as `\"20:30\"`"),
        );
    }
    Ok(Dynamic::from(ConfigRecipe::Randconfig {
        seed,
        probability,
    }))
}

fn fixup(strength: Strength, mut arguments: Arguments) -> Dynamic {
    Dynamic::from(Fixup {
        strength,
        versions: Versions::default(),
        symbols: arguments.next(),
    })
}

fn satisfy(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let catalog = &call.state.catalog;
    let path = ["0".to_owned()];
    let board = catalog.boards.get(&name);
    let board = board.ok_or_else(|| Mistake::at(&path, format!("`{name}` is no board")))?;
    let parts = kconfig::satisfy(&catalog.requires(board)).map_err(|unmet| {
        Mistake::at(
            &path,
            format!("no symbols make a .config fit `{name}`: {unmet}"),
        )
        .help("write the fixup yourself, or change what the board requires")
    })?;
    let fixup = |part: kconfig::Assignments| {
        Dynamic::from(Fixup {
            strength: Strength::Satisfy,
            versions: part.versions,
            symbols: part.symbols,
        })
    };
    Ok(Dynamic::from_array(parts.into_iter().map(fixup).collect()))
}

fn hex(_: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let digits: String = arguments.next();
    if !is_hex(&digits) {
        return Err(Mistake::at(
            &["0".to_owned()],
            format!("`{digits}` is not a hexadecimal number"),
        )
        .help("`0x` and 1 to 16 hex digits, such as `hex(\"0x1000\")`"));
    }
    Ok(Dynamic::from(kconfig::Value::Number(digits)))
}
