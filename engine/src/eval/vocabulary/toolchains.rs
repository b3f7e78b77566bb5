//! `toolchain`.

use rhai::Dynamic;

use crate::model::CROSS_COMPILE;
use crate::model::Catalog;
use crate::model::Toolchain;
use crate::model::ToolchainKind;
use crate::origins::family;

use super::super::handle::Kind;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::super::words::TOOL_PREFIX;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[Function {
    name: "toolchain",
    method: false,
    params: &[
        Param {
            name: "name",
            shape: Shape::Name,
        },
        Param {
            name: "fields",
            shape: Shape::Record(&TOOLCHAIN),
        },
    ],
    gives: "a toolchain",
    doc: "Declares a compiler: the image it is in, and how the kernel's make is told to use it.",
    run: toolchain,
}];

const TOOLCHAIN: Record = Record {
    noun: "a toolchain",
    fields: &[
        Field {
            name: "kind",
            shape: Shape::OneOf(&["gcc", "clang", "cross"]),
            need: Need::Required,
            doc: "the image's own gcc; clang with LLVM's binutils (`LLVM=1`); a cross gcc (`CROSS_COMPILE=PREFIX`)",
        },
        Field {
            name: "image",
            shape: Shape::Handle(Kind::Image),
            need: Need::Required,
            doc: "the image it runs in",
        },
        Field {
            name: "prefix",
            shape: Shape::Spelt(&TOOL_PREFIX),
            need: Need::Otherwise("only `cross` has one"),
            doc: "of a cross gcc, with its trailing dash, such as `\"arm-linux-gnueabihf-\"`",
        },
        Field {
            name: "make",
            shape: Shape::Variables,
            need: Need::Otherwise("none"),
            doc: "more variables for the kernel's make line, such as `#{ LLVM_IAS: \"1\" }`",
        },
        Field {
            name: "accelerate",
            shape: Shape::Handle(Kind::Toolchain),
            need: Need::Otherwise(
                "the image's own gcc compiles, emulated where the image is of another architecture than the host",
            ),
            doc: "of a `gcc` in such an image: a `cross` toolchain for it, in an image of the host's architecture. It compiles instead, and `make`, the shell and the programs that builds call most come from its image; programs that run during the build are still compiled by the image's own gcc. Several times faster",
        },
        Field {
            name: "manual",
            shape: Shape::Bool,
            need: Need::Otherwise("`false`"),
            doc: "whether builds with it run only when an address names it",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

fn toolchain(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let name: String = arguments.next();
    let mut fields: Fields = arguments.next();
    let at = |field: &str| ["1".to_owned(), field.to_owned()];
    let prefix = fields.take::<String>("prefix");
    let kind = match (fields.take_or_empty::<String>("kind").as_str(), prefix) {
        ("cross", Some(prefix)) => ToolchainKind::Cross { prefix },
        ("cross", None) => {
            return Err(
                Mistake::at(&at("kind"), "a cross toolchain needs the field `prefix`")
                    .help("such as `prefix: \"arm-linux-gnueabihf-\"`"),
            );
        }
        (kind, Some(_)) => {
            return Err(Mistake::at(
                &at("prefix"),
                format!("a toolchain of kind `{kind}` has no prefix"),
            )
            .help("a cross gcc has `kind: \"cross\"`"));
        }
        ("clang", None) => ToolchainKind::Clang,
        (_, None) => ToolchainKind::Gcc,
    };
    let toolchain = Toolchain {
        name: name.clone(),
        kind,
        image: fields.take_or_empty("image"),
        make: fields.take_or_empty("make"),
        accelerate: fields.take("accelerate"),
        manual: fields.take_or_empty("manual"),
    };
    check_accelerate(&toolchain, &call.state.catalog)?;
    let handle = call.declare(Kind::Toolchain, &name, &["0"])?;
    call.state.catalog.toolchains.insert(name, toolchain);
    Ok(handle)
}

/// Refuses to accelerate what no cross gcc could stand in for.
fn check_accelerate(toolchain: &Toolchain, catalog: &Catalog) -> Result<(), Mistake> {
    let Some(name) = &toolchain.accelerate else {
        return Ok(());
    };
    let path = ["1".to_owned(), "accelerate".to_owned()];
    let mistake = |text: String, help: &str| Err(Mistake::at(&path, text).help(help));
    if toolchain.kind != ToolchainKind::Gcc {
        return mistake(
            "only a toolchain of kind `gcc` can be accelerated".to_owned(),
            "leave out `accelerate`, or take the image's own gcc: `kind: \"gcc\"`",
        );
    }
    let Some((cross, _)) = toolchain.accelerator(catalog) else {
        return mistake(
            format!("the toolchain `{name}` is not of kind `cross`"),
            "name one that compiles on the host for the image's architecture",
        );
    };
    if toolchain.make.contains_key(CROSS_COMPILE) {
        return mistake(
            format!("`{CROSS_COMPILE}` is set by `accelerate` and in `make`"),
            "leave it out of `make`",
        );
    }
    let (Some(image), Some(native)) = (toolchain.base(catalog), cross.base(catalog)) else {
        return Ok(());
    };
    let (image, native) = (&image.origin, &native.origin);
    if image.arch() == native.arch() {
        return mistake(
            format!(
                "the toolchain `{name}` runs on `{}`, as the image `{}` does",
                native.arch(),
                toolchain.image
            ),
            "only an image of another architecture is emulated",
        );
    }
    let family = family(native.family());
    let host = family.abi(native.arch());
    if host.and_then(|host| family.libraries(host)).is_none() {
        return mistake(
            format!(
                "programs of `{}` cannot be lent to other images",
                native.arch()
            ),
            "a host's own architecture can be",
        );
    }
    Ok(())
}
