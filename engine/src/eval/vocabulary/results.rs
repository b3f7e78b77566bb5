//! Kernels and boots that scripts ask for, and what became of them.

use rhai::Dynamic;
use rhai::Map;

use super::super::exploration::Outcome;
use super::super::mistake::Mistake;
use super::super::schema::Field;
use super::super::schema::Fields;
use super::super::schema::Need;
use super::super::schema::Record;
use super::super::schema::Shape;
use super::explore::ARCH;
use super::explore::CONFIG;
use super::explore::explorer;
use super::explore::made;
use super::explore::number;
use super::explore::refused;
use super::explore::thing;
use super::explore::written;
use super::function::Arguments;
use super::function::Call;
use super::function::Function;
use super::function::Param;

const OUTCOME: Param = Param {
    name: "thing",
    shape: Shape::Outcome,
};

const BOOT: Record = Record {
    noun: "a boot",
    fields: &[
        Field {
            name: "board",
            shape: Shape::Name,
            need: Need::Otherwise("the first that fits"),
            doc: "name of a board that fits",
        },
        Field {
            name: "suite",
            shape: Shape::Name,
            need: Need::Otherwise("the board's first"),
            doc: "name of a suite of the board",
        },
    ],
    one_of: &[],
    any_of: &[],
    refused: &[],
};

/// The functions of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "build",
        method: false,
        params: &[CONFIG],
        gives: "a build",
        doc: "Asks for the kernel of a configuration, and does not wait for it.",
        run: |call, mut arguments| {
            let config = thing(&mut arguments)?;
            made(explorer(call)?.build(config))
        },
    },
    Function {
        name: "boot",
        method: false,
        params: &[
            Param {
                name: "build",
                shape: Shape::Build,
            },
            Param {
                name: "options",
                shape: Shape::Record(&BOOT),
            },
        ],
        gives: "a boot",
        doc: "Asks for a boot of a kernel, and does not wait for it.",
        run: |call, mut arguments| {
            let build = thing(&mut arguments)?;
            let mut options: Fields = arguments.next();
            let (board, suite): (Option<String>, Option<String>) =
                (options.take("board"), options.take("suite"));
            made(explorer(call)?.boot(build, board.as_deref(), suite.as_deref()))
        },
    },
    Function {
        name: "verdict",
        method: true,
        params: &[OUTCOME],
        gives: "`\"succeeded\"`, `\"failed\"`, `\"flaky\"`, `\"broken\"` or `\"skipped\"`",
        doc: "Waits for it. A failure is run again before it is told: `flaky` did not come again. `broken` is the machine's fault, and `skipped` what a failure before it kept from running.",
        run: |call, mut arguments| Ok(Dynamic::from(outcome(call, &mut arguments)?.verdict)),
    },
    Function {
        name: "signature",
        method: true,
        params: &[OUTCOME],
        gives: "a string",
        doc: "Waits for it. Failures of one signature are one cluster; empty where nothing failed.",
        run: |call, mut arguments| Ok(Dynamic::from(outcome(call, &mut arguments)?.signature)),
    },
    Function {
        name: "reason",
        method: true,
        params: &[OUTCOME],
        gives: "a string",
        doc: "Waits for it. What failed, in one line; empty where nothing did.",
        run: |call, mut arguments| Ok(Dynamic::from(outcome(call, &mut arguments)?.reason)),
    },
    Function {
        name: "minimize",
        method: false,
        params: &[
            Param {
                name: "failed",
                shape: Shape::Outcome,
            },
            Param {
                name: "baseline",
                shape: Shape::Config,
            },
        ],
        gives: "a list of maps with `symbols`, `address`, `verified`, `probes` and `cached`",
        doc: "The smallest fragments over a configuration that passes which fail with the same signature; several, where each alone does.",
        run: minimize,
    },
    Function {
        name: "coverage",
        method: false,
        params: &[ARCH],
        gives: "a map with `built`, `booted` and `objects`",
        doc: "How many symbols were ever on in a kernel of the arch that was built, in one that booted, and how many object files were compiled.",
        run: |call, mut arguments| {
            let arch: String = arguments.next();
            let coverage = explorer(call)?.coverage(&arch).map_err(refused)?;
            let fields = [
                ("built", coverage.built),
                ("booted", coverage.booted),
                ("objects", coverage.objects),
            ];
            let map: Map = fields
                .into_iter()
                .map(|(name, count)| (name.into(), number(count)))
                .collect();
            Ok(Dynamic::from_map(map))
        },
    },
];

fn outcome(call: &mut Call<'_>, arguments: &mut Arguments) -> Result<Outcome, Mistake> {
    let thing = thing(arguments)?;
    explorer(call)?.outcome(thing).map_err(refused)
}

fn minimize(call: &mut Call<'_>, mut arguments: Arguments) -> Result<Dynamic, Mistake> {
    let failed = thing(&mut arguments)?;
    let baseline = thing(&mut arguments)?;
    let culprits = explorer(call)?
        .minimize(failed, baseline)
        .map_err(refused)?;
    let culprits = culprits.into_iter().map(|culprit| {
        let symbols: Map = culprit
            .symbols
            .iter()
            .map(|(symbol, value)| (symbol.as_str().into(), Dynamic::from(written(Some(value)))))
            .collect();
        let map: Map = [
            ("symbols", Dynamic::from_map(symbols)),
            ("address", Dynamic::from(culprit.address)),
            ("verified", Dynamic::from(culprit.verified)),
            ("probes", number(culprit.probes)),
            ("cached", number(culprit.cached)),
        ]
        .into_iter()
        .map(|(name, value)| (name.into(), value))
        .collect();
        Dynamic::from_map(map)
    });
    Ok(Dynamic::from_array(culprits.collect()))
}
