//! Scripts that explore, against an explorer that makes everything up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;

use super::exploration::Coverage;
use super::exploration::Culprit;
use super::exploration::Explorer;
use super::exploration::Outcome;
use super::exploration::Random;
use super::exploration::Refusal;
use super::exploration::Thing;
use super::exploration::explore;
use crate::kconfig::Config;
use crate::kconfig::Value;
use crate::model::Mutation;

/// Says what it is asked. Configurations of an odd seed have `ODD` and fit a board; the build of seed 3 fails.
#[derive(Default)]
struct Made {
    asked: Mutex<Vec<String>>,
    over_after: Option<usize>,
}

impl Made {
    fn ask(&self, what: String) -> Result<usize, Refusal> {
        let mut asked = self.asked.lock().unwrap();
        if self.over_after.is_some_and(|most| asked.len() >= most) {
            return Err(Refusal::Over);
        }
        asked.push(what);
        Ok(asked.len())
    }
}

fn number(thing: Thing) -> usize {
    match thing {
        Thing::Config(number) | Thing::Build(number) | Thing::Boot(number) => number,
    }
}

impl Explorer for Made {
    fn randconfig(&self, random: Random) -> Result<(Thing, String), Refusal> {
        self.ask(format!("{random:?}"))?;
        let seed = random.seed as usize;
        Ok((Thing::Config(seed), format!("l/{}/{seed}/gcc", random.arch)))
    }

    fn config(&self, address: &str) -> Result<(Thing, String), Refusal> {
        if !address.starts_with("l/") {
            return Err(Refusal::Mistake {
                message: format!("there is no source `{address}`"),
                help: Some("did you mean `l`?".to_owned()),
            });
        }
        self.ask(format!("config {address}"))?;
        Ok((Thing::Config(100), address.to_owned()))
    }

    fn with(
        &self,
        config: Thing,
        symbols: BTreeMap<String, Value>,
    ) -> Result<(Thing, String), Refusal> {
        self.ask(format!("{config:?} with {symbols:?}"))?;
        Ok((config, "with".to_owned()))
    }

    fn mutate(&self, config: Thing, mutation: Mutation) -> Result<(Thing, String), Refusal> {
        self.ask(format!("{config:?} {mutation:?}"))?;
        Ok((config, "mutant".to_owned()))
    }

    fn resolved(&self, config: Thing) -> Result<Option<Arc<Config>>, Refusal> {
        let text = match number(config) {
            2 => return Ok(None),
            seed if seed % 2 == 1 => "CONFIG_ODD=y\nCONFIG_NAME=\"odd\"\nCONFIG_NR=3\n",
            _ => "# CONFIG_ODD is not set\nCONFIG_NR=4\n",
        };
        Ok(Some(Arc::new(Config::parse(text).unwrap())))
    }

    fn matching(&self, config: Thing) -> Result<Vec<String>, Refusal> {
        let fits = number(config) % 2 == 1;
        Ok(fits.then(|| "pc".to_owned()).into_iter().collect())
    }

    fn build(&self, config: Thing) -> Result<(Thing, String), Refusal> {
        self.ask(format!("build {config:?}"))?;
        Ok((Thing::Build(number(config)), "built".to_owned()))
    }

    fn boot(
        &self,
        build: Thing,
        board: Option<&str>,
        suite: Option<&str>,
    ) -> Result<(Thing, String), Refusal> {
        self.ask(format!("boot {build:?} {board:?} {suite:?}"))?;
        Ok((Thing::Boot(number(build)), "booted".to_owned()))
    }

    fn outcome(&self, thing: Thing) -> Result<Outcome, Refusal> {
        let failed = number(thing) == 3;
        let told = |text: &str| {
            if failed {
                text.to_owned()
            } else {
                String::new()
            }
        };
        Ok(Outcome {
            verdict: if failed { "failed" } else { "succeeded" },
            signature: told("error: x"),
            reason: told("a.c:1: error: x"),
        })
    }

    fn minimize(&self, failed: Thing, baseline: Thing) -> Result<Vec<Culprit>, Refusal> {
        self.ask(format!("minimize {failed:?} over {baseline:?}"))?;
        Ok(vec![Culprit {
            symbols: BTreeMap::from([("ODD".to_owned(), Value::Yes)]),
            address: "l/a/tiny,ODD=y/gcc".to_owned(),
            verified: true,
            probes: 5,
            cached: 2,
        }])
    }

    fn gain(&self, config: Thing) -> Result<usize, Refusal> {
        Ok(number(config) * 10)
    }

    fn coverage(&self, _: &str) -> Result<Coverage, Refusal> {
        Ok(Coverage {
            built: 3,
            booted: 2,
            objects: 1,
        })
    }

    fn say(&self, line: &str) {
        self.asked.lock().unwrap().push(format!("says {line}"));
    }
}

/// What a script asks for and says, and the mistake that ends it.
fn ran(script: &str, settings: &[(&str, &str)], over_after: Option<usize>) -> String {
    let project = tempfile::tempdir().unwrap();
    std::fs::write(project.path().join("s.rhai"), script).unwrap();
    let made = Arc::new(Made {
        over_after,
        ..Made::default()
    });
    let settings = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let ended = explore(project.path(), "s.rhai", settings.collect(), made.clone());
    let mut lines = made.asked.lock().unwrap().clone();
    match ended {
        Ok(explored) => lines.push(format!(
            "over {} unused {:?}",
            explored.over, explored.unused
        )),
        Err(mistakes) => lines.extend(mistakes.iter().map(crate::text::Diagnostic::to_plain)),
    }
    lines.join("\n")
}

#[test]
fn a_script_asks_and_sees_values() {
    let script = r#"
        for seed in 1..=setting("seeds", 1) {
            let c = randconfig("x86", #{ seed: seed, boots: "pc", base: #{ A: "y" } });
            if matching(c).len() == 0 { continue; }
            let b = boot(build(c), #{ board: "pc" });
            print(`${c.enabled("ODD")} ${c.value("NAME")} ${c.value("NR")} ${c.value("NO")} ${c.gain()} ${b.verdict()}`);
            if b.verdict() == "failed" {
                for found in minimize(b, config("l/x86/tiny/gcc")) {
                    print(`${b.signature()}: ${found.symbols} ${found.address} ${found.probes}`);
                }
            }
        }
        let c = randconfig("x86", #{ seed: 2, boots: cfg("B") & !cfg("C") });
        print(`${c} ${c.value("ODD")} ${c.diff(config("l/x86/tiny/gcc"))}`);
        mutate(c.with(#{ D: 3 }), #{ seed: 9, keep: "pc" });
        print(`${coverage("x86").built} ${random(7, 100)} ${random(8, 100)} ${setting("name", "none")}`);
    "#;
    insta::assert_snapshot!(ran(script, &[("seeds", "3"), ("sedes", "4")], None), @r#"
    Random { arch: "x86", source: None, toolchain: None, seed: 1, probability: "", boots: Some(Board("pc")), base: {"A": Yes} }
    build Config(1)
    boot Build(1) Some("pc") None
    says true odd 3 n 10 succeeded
    Random { arch: "x86", source: None, toolchain: None, seed: 2, probability: "", boots: Some(Board("pc")), base: {"A": Yes} }
    Random { arch: "x86", source: None, toolchain: None, seed: 3, probability: "", boots: Some(Board("pc")), base: {"A": Yes} }
    build Config(3)
    boot Build(3) Some("pc") None
    says true odd 3 n 30 failed
    config l/x86/tiny/gcc
    minimize Boot(3) over Config(100)
    says error: x: #{"ODD": "y"} l/a/tiny,ODD=y/gcc 5
    Random { arch: "x86", source: None, toolchain: None, seed: 2, probability: "", boots: Some(Needs(All([BuiltIn("B"), Not(BuiltIn("C"))]))), base: {} }
    config l/x86/tiny/gcc
    says l/x86/2/gcc n #{"NR": ["n", "4"]}
    Config(2) with {"D": Number("3")}
    Config(2) Mutation { seed: 9, share: 500, keep: Some("pc"), spare: 0 }
    says 3 87 22 none
    over false unused ["sedes"]
    "#);
}

#[test]
fn what_is_over_cannot_be_caught() {
    let script = r#"
        for seed in 0..10 {
            try { build(randconfig("x86", #{ seed: seed })); } catch { print("caught"); }
        }
    "#;
    insta::assert_snapshot!(ran(script, &[], Some(3)), @r#"
    Random { arch: "x86", source: None, toolchain: None, seed: 0, probability: "", boots: None, base: {} }
    build Config(0)
    Random { arch: "x86", source: None, toolchain: None, seed: 1, probability: "", boots: None, base: {} }
    over true unused []
    "#);
}

#[test]
fn mistakes_are_told_at_their_place() {
    let scripts = [
        r#"randconfig("x86", #{ sede: 1 });"#,
        r#"config("linux/x86/tiny/gcc");"#,
        r#"build("l/x86/tiny/gcc");"#,
        "minimise(1, 2);",
        r#"arch("x86", #{});"#,
        r#"let n = setting("seeds", 3);"#,
        r#"boot(randconfig("x86", #{ seed: 1 }));"#,
        "while true {}",
    ];
    let told = scripts.map(|script| ran(script, &[("seeds", "many")], None));
    insta::assert_snapshot!(told.join("\n"), @r#"
    error: a random config has no field `sede`
     --> s.rhai:1:22
      |
    1 | randconfig("x86", #{ sede: 1 });
      |                      ^^^^
      = help: did you mean `seed`?

    error: there is no source `linux/x86/tiny/gcc`
     --> s.rhai:1:1
      |
    1 | config("linux/x86/tiny/gcc");
      | ^^^^^^
      = help: did you mean `l`?

    error: the first argument must be a config, as `randconfig(…)`, `config(…)` and `mutate(…)` give it, not the string "l/x86/tiny/gcc"
     --> s.rhai:1:7
      |
    1 | build("l/x86/tiny/gcc");
      |       ^^^^^^^^^^^^^^^^

    error: there is no function `minimise`
     --> s.rhai:1:1
      |
    1 | minimise(1, 2);
      | ^^^^^^^^
      = help: did you mean `minimize`?

    error: there is no function `arch`
     --> s.rhai:1:1
      |
    1 | arch("x86", #{});
      | ^^^^

    error: `--set seeds=many`: it must be a whole number
     --> s.rhai:1:9
      |
    1 | let n = setting("seeds", 3);
      |         ^^^^^^^

    Random { arch: "x86", source: None, toolchain: None, seed: 1, probability: "", boots: None, base: {} }
    error: the first argument must be a build, as `build(…)` gives it, not the config `l/x86/1/gcc`
     --> s.rhai:1:6
      |
    1 | boot(randconfig("x86", #{ seed: 1 }));
      |      ^^^^^^^^^^

    error: evaluation takes more than 20 million operations
     --> s.rhai:1:12
      |
    1 | while true {}
      |            ^
      = help: is there a loop that does not end?
    "#);
}
