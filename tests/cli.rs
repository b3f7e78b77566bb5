//! The commands as a user meets them: what they print, and how they end. No network, no sandbox.

#[expect(clippy::unwrap_used, reason = "what fails here fails the test")]
mod world;

use std::fs;
use std::process::Stdio;

use regex::Regex;
use world::Ended;
use world::World;

const SMALL: &str = include_str!("cli/small.rhai");

const COMMANDS: [&str; 16] = [
    "init",
    "check",
    "update",
    "plan",
    "realize",
    "results",
    "log",
    "boards",
    "why",
    "graph",
    "shell",
    "gc",
    "verify",
    "doc",
    "completions",
    "man",
];

/// A small project with made-up pins.
fn pinned() -> World {
    let world = World::with(SMALL);
    world.pin();
    world
}

/// Keys, sizes on disk and the time of a run are no matter of these tests.
#[expect(clippy::unwrap_used, reason = "the patterns are sound")]
fn plain(ended: &Ended) -> String {
    let mut text = ended.to_string();
    for (pattern, word) in [
        ("[0-9a-f]{64}", "[KEY]"),
        (r"blobs/[0-9a-f]{2}/", "blobs/[..]/"),
        (r"\d+\.\d [KMG]iB", "[SIZE]"),
        (r"cached\) in \d+\.\ds", "cached) in [TIME]"),
    ] {
        text = Regex::new(pattern)
            .unwrap()
            .replace_all(&text, word)
            .into_owned();
    }
    text
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is the snapshot")]
fn help_of_every_command() {
    let world = World::new();
    let mut text = world.engine("--help").to_string();
    for command in COMMANDS {
        let help = world.engine(&format!("{command} -h"));
        assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
        // The global options are the same everywhere.
        let (own, rest) = help.stdout.split_once("Global options:").unwrap();
        let (_, after) = rest.split_once("\n\n").unwrap();
        text += &["\n=== ", command, "\n", own, after].concat();
    }
    insta::assert_snapshot!(text, @r#"
    exit code: 0
    --- stdout
    Builds and boots Linux kernels as definitions declare them, and remembers what it did

    Usage: engine [OPTIONS] <COMMAND>

    Commands:
      init         Write the demo project into a directory
      check        Evaluate the definitions and say what they declare
      update       Ask the mirrors what there is now, and pin it in `engine.lock`
      plan         Show what `realize` would run, why, and what it would cost; build nothing
      realize      Build, boot and test what is wanted and not there yet [alias: realise]
      results      Show the result of every wanted node, from the store alone
      log          Print the whole log of a node's latest result
      boards       Show which boards each resolved configuration can boot on
      why          Explain why a node is stale, or what changed when it was last made
      graph        Draw the graph as DOT or SVG
      shell        Open an interactive shell in the sandbox a node is built in
      gc           Remove results that no recent run had as current
      verify       Hash every file of the store again and look at every record
      doc          Print the reference of the definition language and its standard library, as Markdown
      completions  Print a shell's completions
      man          Print the manual page, or write one page per command into a directory

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Global options:
      -C, --project <DIR>  The project: a directory with `main.rhai` [default: the nearest one upwards]
          --store <DIR>    Where results are kept [default: `$ENGINE_STORE`, else `engine` in the user's
                           cache]
          --color <WHEN>   When to use colours; `auto` means on a terminal, unless `$NO_COLOR` is set
                           [default: auto] [possible values: auto, always, never]
      -q, --quiet          Say only what went wrong
      -v, --verbose        Say more: also what is fresh, and what starts

    Addresses:
      SOURCE/ARCH/DEFCONFIG/TOOLCHAIN               a build
      SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/BOARD/SUITE   a boot of it
      KIND:NAME                                     any node, such as `image:kbuild`
      `*` matches within a component, `**` across components.

    Exit codes:
      0  all good
      1  something that was wanted failed
      2  a fault in the definitions or on the command line
      3  a fault of the environment; also a run that was interrupted
      4  a fault of the engine

    === init
    Write the demo project into a directory

    Usage: engine init [OPTIONS] [DIR]

    Arguments:
      [DIR]  Where to; made if it is not there [default: .]

    Options:
      -h, --help  Print help (see more with '--help')

    Example:
      engine init kernels && cd kernels && engine update && engine realize

    === check
    Evaluate the definitions and say what they declare

    Usage: engine check [OPTIONS]

    Options:
      -h, --help  Print help (see more with '--help')

    Examples:
      engine check
      engine -C definitions/demo check

    === update
    Ask the mirrors what there is now, and pin it in `engine.lock`

    Usage: engine update [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  Pins, such as `source/linux-6.1` or `image/kbuild` [default: all]

    Options:
          --if-gone  Move only pins that are missing, answer an older definition, or are gone from the
                     mirror
      -h, --help     Print help (see more with '--help')

    Examples:
      engine update                      pin all that is declared at its newest version
      engine update source/linux-6.1     only this
      engine update --if-gone            only what a run could not download any more

    === plan
    Show what `realize` would run, why, and what it would cost; build nothing

    Usage: engine plan [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses, with `*` and `**` [default: everything that runs by default]

    Options:
          --until <KIND>  Stop after this kind of node [possible values: fetch, source, base, image,
                          config, kernel, match, rootfs, boot]
          --retry-failed  Run recorded failures again
      -j, --jobs <N>      What may run at once, in CPUs [default: all there are]
          --resolve       First resolve the configurations and match the boards, with all that this
                          needs
          --json          One JSON object per node, and a last one with the counts
      -h, --help          Print help

    A node that waits for another may turn out fresh: if what it waits for comes out as it was before,
    nothing below runs again.

    Examples:
      engine plan
      engine plan 'linux-6.1/*/*/clang'
      engine plan --resolve              resolve configurations first, so that boots are known

    === realize
    Build, boot and test what is wanted and not there yet

    Usage: engine realize [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses, with `*` and `**` [default: everything that runs by default]

    Options:
          --until <KIND>   Stop after this kind of node [possible values: fetch, source, base, image,
                           config, kernel, match, rootfs, boot]
          --retry-failed   Run recorded failures again
      -j, --jobs <N>       What may run at once, in CPUs [default: all there are]
      -k, --keep-going     Go on with what does not depend on a failed node
          --rebuild        Run the named nodes again and compare the bytes with the recorded ones
          --junit <FILE>   Also write the run as JUnit XML
          --json           Write events as JSON lines to standard output, and nothing else
          --results <DIR>  Where the links to results go [default: `results` in the project]
      -h, --help           Print help

    What is in the store already is not made again. Failures that would repeat themselves are results
    too: `--retry-failed` runs them again. Faults of the machine are tried again by every run.

    Examples:
      engine realize                             everything that runs by default
      engine realize 'linux-6.1/*/*/clang'       all builds of one compiler, and their boots
      engine realize --until kernel -k           kernels only, as many as possible
      engine realize --rebuild kernel:linux-6.1/x86_64/tinyconfig/gcc   compare the bytes

    === results
    Show the result of every wanted node, from the store alone

    Usage: engine results [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses, with `*` and `**` [default: everything that runs by default]

    Options:
          --json  One JSON object per line
      -h, --help  Print help

    With --json, one object per line: `address`, `kind`, `verdict` (succeeded, failed, broken, skipped),
    `reason` unless it succeeded, `cached` (the result is in the store), `key` (where its inputs are
    known).

    Examples:
      engine results
      engine results --json 'linux-6.1/**' | jq -r 'select(.verdict == "failed").address'

    === log
    Print the whole log of a node's latest result

    Usage: engine log [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
      -h, --help  Print help

    Examples:
      engine log linux-6.1/x86_64/tinyconfig/gcc
      engine log config:linux-6.1/x86_64/tinyconfig/gcc

    === boards
    Show which boards each resolved configuration can boot on

    Usage: engine boards [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses of builds, with `*` and `**` [default: all]

    Options:
          --why <BUILD> <BOARD>  Name the exact symbols that keep a board from a build
      -h, --help                 Print help

    Examples:
      engine boards
      engine boards 'linux-6.1/*/*/gcc'
      engine boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk

    === why
    Explain why a node is stale, or what changed when it was last made

    Usage: engine why [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
      -h, --help  Print help

    Examples:
      engine why linux-6.1/x86_64/tinyconfig/gcc
      engine why image:kbuild

    === graph
    Draw the graph as DOT or SVG

    Usage: engine graph [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Draw only what these need [default: everything]

    Options:
          --svg            SVG instead of DOT
          --full           Every node, however many there are
      -o, --output <FILE>  Where to [default: standard output]
      -h, --help           Print help

    Green is fresh, gold would run, yellow waits for another, red failed, white is not wanted by
    default.

    Examples:
      engine graph --svg -o graph.svg
      engine graph linux-6.1/x86_64/tinyconfig/gcc | dot -Tpdf > graph.pdf

    === shell
    Open an interactive shell in the sandbox a node is built in

    Usage: engine shell [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
      -h, --help  Print help

    The source lies in `/src`, read-only; `/build` is writable and holds the .config where there is one.
    `$MAKE_VARIABLES` has the words a kernel build gives to make. What is left in `/build` is lost.

    Example:
      engine shell linux-6.1/x86_64/tinyconfig/gcc
      $ make -C /src O=/build $MAKE_VARIABLES init/main.o

    === gc
    Remove results that no recent run had as current

    Usage: engine gc [OPTIONS]

    Options:
          --keep-runs <N>  How many of the newest runs keep what was current in them [default: 10]
      -n, --dry-run        Only say what would go
      -h, --help           Print help

    Safe beside a running engine: what it uses stays. To remove everything, remove the store's
    directory.

    Examples:
      engine gc --dry-run
      engine gc --keep-runs 1      keep only what is current now

    === verify
    Hash every file of the store again and look at every record

    Usage: engine verify [OPTIONS]

    Options:
          --repair  Set what is damaged aside, so that it is made again
      -h, --help    Print help

    Without --repair nothing is changed, and damage ends in exit code 3. With it, damaged files are set
    aside in `quarantine`, and what needs them is made again by the next run.

    Examples:
      engine verify
      engine verify --repair

    === doc
    Print the reference of the definition language and its standard library, as Markdown

    Usage: engine doc [OPTIONS]

    Options:
      -h, --help  Print help

    Example:
      engine doc | less

    === completions
    Print a shell's completions

    Usage: engine completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  Which shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help  Print help

    Example:
      engine completions bash > ~/.local/share/bash-completion/completions/engine

    === man
    Print the manual page, or write one page per command into a directory

    Usage: engine man [OPTIONS] [DIR]

    Arguments:
      [DIR]  Where to; made if it is not there [default: the first page, on standard output]

    Options:
      -h, --help  Print help

    Examples:
      engine man | man -l -
      engine man ~/.local/share/man/man1
    "#);
}

#[test]
fn version() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("--version"), @"
    exit code: 0
    --- stdout
    engine 0.1.0
    ");
}

#[test]
fn usage_errors_end_in_2() {
    let world = pinned();
    let mut text = String::new();
    for arguments in [
        "",
        "realise --until everything",
        "realize --jobs 0",
        "realize --rebuild",
        "frobnicate",
        "results linux-6.1//gcc",
        "log",
        "check -q -v",
        "boards --why linux-6.1/x86_64/tiny/gcc nothing",
        "-C nowhere check",
    ] {
        let ended = world.engine(arguments);
        assert_eq!(ended.code, Some(2), "{arguments}: {ended}");
        assert_eq!(ended.stdout, "", "{arguments}");
        let first = ended.stderr.lines().take(3).collect::<Vec<_>>().join("\n");
        text += &["$ engine ", arguments, "\n", &first, "\n\n"].concat();
    }
    insta::assert_snapshot!(text, @"
    $ engine 
    Builds and boots Linux kernels as definitions declare them, and remembers what it did

    Usage: engine [OPTIONS] <COMMAND>

    $ engine realise --until everything
    error: invalid value 'everything' for '--until <KIND>'
      [possible values: fetch, source, base, image, config, kernel, match, rootfs, boot]


    $ engine realize --jobs 0
    error: invalid value '0' for '--jobs <N>': 0 is not in 1..=65535

    For more information, try '--help'.

    $ engine realize --rebuild
    error: the following required arguments were not provided:
      <ADDRESS>...


    $ engine frobnicate
    error: unrecognized subcommand 'frobnicate'

    Usage: engine [OPTIONS] <COMMAND>

    $ engine results linux-6.1//gcc
    error: address pattern `linux-6.1//gcc` has an empty component

    $ engine log
    error: the following required arguments were not provided:
      <NODE>


    $ engine check -q -v
    error: the argument '--quiet' cannot be used with '--verbose'

    Usage: engine check --quiet

    $ engine boards --why linux-6.1/x86_64/tiny/gcc nothing
    error: `nothing` is no board
      = help: declared are: `pc`, `pc-disk`

    $ engine -C nowhere check
    error: `nowhere` holds no `main.rhai`
      = help: `-C DIR` names a project; `engine init DIR` makes one
    ");
}

#[test]
fn check_says_what_is_declared() {
    let world = World::with(SMALL);
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 0
    --- stderr
    the definitions are good: 1 source, 1 arch, 2 configurations, 1 toolchain, 2 boards, 1 suite, 2 builds
    not pinned: `base/deb`, `image/kbuild`, `source/linux-6.1`
    next: `engine update` asks the mirror and pins
    ");
    world.pin();
    world.edit(
        "main.rhai",
        "// One kernel",
        "print(\"hello\"); // One kernel",
    );
    insta::assert_snapshot!(world.engine("check"), @"
    exit code: 0
    --- stderr
    hello
    the definitions are good: 1 source, 1 arch, 2 configurations, 1 toolchain, 2 boards, 1 suite, 2 builds
    ");
    insta::assert_snapshot!(world.engine("check --quiet"), @"exit code: 0");
}

#[test]
fn check_shows_where_a_mistake_is() {
    let world = World::with(SMALL);
    world.edit(
        "main.rhai",
        "requires: cfg(\"PCI\"),",
        "requries: cfg(\"PCI\"),",
    );
    insta::assert_snapshot!(world.engine("check"), @r#"
    exit code: 2
    --- stderr
    error: a board has no field `requries`
      --> main.rhai:18:16
       |
    18 | board("pc", #{ requries: cfg("PCI"), rootfs: ROOTFS, suites: [SUITE], qemu: QEMU });
       |                ^^^^^^^^
       = help: did you mean `requires`?
    "#);
    assert!(
        world
            .engine("check --color always")
            .stderr
            .contains("\x1b[1;31merror")
    );
}

#[test]
fn an_unpinned_project_names_update() {
    let world = World::with(SMALL);
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 2
    --- stderr
    error: `base/deb` is not pinned in engine.lock
      = help: `engine update` asks the mirror and pins
    ");
    world.pin();
    world.edit(
        "main.rhai",
        "packages: [\"bc\"]",
        "packages: [\"bc\", \"bison\"]",
    );
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: the pin of `image/kbuild` in engine.lock answers an older definition
      = help: `engine update image/kbuild` pins it anew
    ");
    world.write("engine.lock", "version = 7\n");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: lock file has version 7, this engine reads 1
      = help: use the engine that wrote it, or a newer one
    ");
    world.write("engine.lock", "version = \n");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 2
    --- stderr
    error: lock file is damaged: TOML parse error at line 1, column 11
      |
    1 | version = 
      |           ^
    string values must be quoted, expected literal string

      = help: restore it from version control, or remove it and run `engine update`
    ");
}

#[test]
fn an_unknown_address_names_the_most_similar() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("realize linux-6.1/x86_64/tinny/gcc"), @"
    exit code: 2
    --- stderr
    error: `linux-6.1/x86_64/tinny/gcc` names no node
      = help: did you mean `linux-6.1/x86_64/tiny/gcc`?
    ");
    insta::assert_snapshot!(world.engine("why image:kbuilt"), @"
    exit code: 2
    --- stderr
    error: `image:kbuilt` names no node
      = help: did you mean `image:kbuild`?
    ");
    insta::assert_snapshot!(world.engine("update image/kbuilt"), @"
    exit code: 2
    --- stderr
    error: `image/kbuilt` names no node
      = help: did you mean `image/kbuild`?
    ");
    insta::assert_snapshot!(world.engine("plan zzz"), @"
    exit code: 2
    --- stderr
    error: `zzz` names no node
      = help: `engine plan --verbose` lists the nodes
    ");
}

#[test]
fn plan_says_what_is_known_and_what_not() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  config linux-6.1/x86_64/big/gcc
    may run  kernel linux-6.1/x86_64/big/gcc
    may run  match linux-6.1/x86_64/big/gcc
    may run  config linux-6.1/x86_64/tiny/gcc
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    3 to run, 9 may run, 0 fresh
    boots of 2 builds: unknown until their configs are resolved and matched
    cost: unknown, as nothing like it ran before
    ");
    insta::assert_snapshot!(world.engine("plan --until config linux-6.1/*/big"), @"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  config linux-6.1/x86_64/big/gcc
    3 to run, 4 may run, 0 fresh
    cost: unknown, as nothing like it ran before
    ");
    insta::assert_snapshot!(world.engine("plan --json image:kbuild"), @r#"
    exit code: 0
    --- stdout
    {"estimate_ms":null,"kind":"fetch","name":"base/deb","reasons":["never ran"],"standing":"run","v":1}
    {"estimate_ms":null,"kind":"base","name":"deb","reasons":[],"standing":"may_run","v":1}
    {"estimate_ms":null,"kind":"fetch","name":"image/kbuild","reasons":["never ran"],"standing":"run","v":1}
    {"estimate_ms":null,"kind":"image","name":"kbuild","reasons":[],"standing":"may_run","v":1}
    {"nodes":4,"unresolved_builds":0,"v":1}
    "#);
}

#[test]
fn a_boot_may_be_named_before_it_is_known() {
    let world = pinned();
    let by_kind = world.engine("plan boot:linux-6.1/x86_64/tiny/gcc/pc/general");
    insta::assert_snapshot!(by_kind, @"
    exit code: 0
    --- stdout
    run      fetch source/linux-6.1: never ran
    may run  source linux-6.1
    run      fetch base/deb: never ran
    may run  base deb
    run      fetch image/kbuild: never ran
    may run  image kbuild
    may run  config linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    3 to run, 5 may run, 0 fresh
    boots of 1 build: unknown until their configs are resolved and matched
    cost: unknown, as nothing like it ran before
    ");
}

#[test]
fn results_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("results --json")), @r#"
    exit code: 0
    --- stdout
    {"address":"source/linux-6.1","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"linux-6.1","kind":"source","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"base/deb","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"deb","kind":"base","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"image/kbuild","kind":"fetch","verdict":"skipped","reason":"stale","cached":false,"key":"[KEY]"}
    {"address":"kbuild","kind":"image","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"config","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"kernel","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/big/gcc","kind":"match","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"config","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"kernel","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    {"address":"linux-6.1/x86_64/tiny/gcc","kind":"match","verdict":"skipped","reason":"unknown until its inputs are resolved","cached":false}
    "#);
    insta::assert_snapshot!(world.engine("results image:*"), @"
    exit code: 0
    --- stdout
    VERDICT  KIND   ADDRESS       REASON
    skipped  fetch  base/deb      stale
    skipped  base   deb           unknown until its inputs are resolved
    skipped  fetch  image/kbuild  stale
    skipped  image  kbuild        unknown until its inputs are resolved
    ");
}

#[test]
fn log_and_why_before_anything_ran() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("log linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 2
    --- stderr
    error: `kernel:linux-6.1/x86_64/tiny/gcc` has no result yet: unknown until its inputs are resolved
      = help: `engine realize kernel:linux-6.1/x86_64/tiny/gcc` makes one
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/tiny/gcc: unknown until its inputs are resolved
      fetch:image/kbuild: never ran
      fetch:base/deb: never ran
      fetch:source/linux-6.1: never ran
    ");
    insta::assert_snapshot!(world.engine("why fetch:image/kbuild"), @"
    exit code: 0
    --- stdout
    fetch:image/kbuild: stale
      never ran
    ");
}

#[test]
fn a_shell_needs_a_terminal() {
    let world = pinned();
    let mut command = world.command(&["shell", "image:kbuild"]);
    insta::assert_snapshot!(world.run(command.stdin(Stdio::null())), @"
    exit code: 2
    --- stderr
    error: a shell needs a terminal to talk to
    ");
}

#[test]
fn boards_before_configs_are_resolved() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("boards"), @"
    exit code: 0
    --- stdout
    BUILD                      pc  pc-disk
    linux-6.1/x86_64/big/gcc   ?   ?
    linux-6.1/x86_64/tiny/gcc  ?   ?
    --- stderr
    `?`: the .config is not resolved; `engine plan --resolve` resolves it
    ");
    insta::assert_snapshot!(world.engine("boards --why linux-6.1/x86_64/tiny/gcc pc-disk"), @"
    exit code: 0
    --- stdout
    linux-6.1/x86_64/tiny/gcc on pc-disk: the .config is not known: unknown until its inputs are resolved
    ");
}

#[test]
fn graph_is_dot_or_svg() {
    let world = pinned();
    insta::assert_snapshot!(world.engine("graph linux-6.1/x86_64/tiny/gcc"), @r#"
    exit code: 0
    --- stdout
    digraph engine {
      rankdir=LR;
      node [shape=box];
      n0 [label="fetch\nsource/linux-6.1", style=filled, fillcolor=gold];
      n1 [label="source\nlinux-6.1", style=filled, fillcolor=lightyellow];
      n2 [label="fetch\nbase/deb", style=filled, fillcolor=gold];
      n3 [label="base\ndeb", style=filled, fillcolor=lightyellow];
      n4 [label="fetch\nimage/kbuild", style=filled, fillcolor=gold];
      n5 [label="image\nkbuild", style=filled, fillcolor=lightyellow];
      n9 [label="config\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n10 [label="kernel\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n11 [label="match\nlinux-6.1/x86_64/tiny/gcc", style=filled, fillcolor=lightyellow];
      n0 -> n1 [label=files];
      n2 -> n3 [label=files];
      n4 -> n5 [label=files];
      n3 -> n5 [label=base];
      n1 -> n9 [label=source];
      n5 -> n9 [label=image];
      n1 -> n10 [label=source];
      n5 -> n10 [label=image];
      n9 -> n10 [label=config];
      n9 -> n11 [label=config];
    }
    "#);
    let svg = world.engine("graph --svg -o picture.svg");
    assert_eq!((svg.code, svg.stdout.as_str()), (Some(0), ""), "{svg}");
    let picture = fs::read_to_string(world.path("project/picture.svg")).unwrap();
    assert!(picture.contains("</svg>") && picture.contains("linux-6.1/x86_64/big/gcc"));
}

#[test]
fn a_large_graph_is_drawn_by_kind() {
    let world = World::with(SMALL);
    let main = format!(
        "{SMALL}\nlet names = [];\nfor number in 0..120 {{ names.push(`config-${{number}}`); }}\n\
         defconfigs(X86_64, names, #{{ recipe: tiny() }});\n"
    );
    world.write("main.rhai", &main);
    world.pin();
    insta::assert_snapshot!(world.engine("graph"), @r#"
    exit code: 0
    --- stdout
    digraph engine {
      rankdir=LR;
      node [shape=box];
      fetch [label="fetch\n3 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      source [label="source\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      base [label="base\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      image [label="image\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      config [label="config\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      kernel [label="kernel\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      match [label="match\n122 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      rootfs [label="rootfs\n1 nodes, 0 fresh", style=filled, fillcolor=lightyellow];
      fetch -> source [label="files (1)"];
      fetch -> base [label="files (1)"];
      fetch -> image [label="files (1)"];
      source -> config [label="source (122)"];
      source -> kernel [label="source (122)"];
      base -> image [label="base (1)"];
      image -> config [label="image (122)"];
      image -> kernel [label="image (122)"];
      image -> rootfs [label="image (1)"];
      config -> kernel [label="config (122)"];
      config -> match [label="config (122)"];
    }
    --- stderr
    373 nodes are too many to look at: one box per kind; an ADDRESS draws less, `--full` all
    "#);
    assert!(world.engine("graph --full").stdout.lines().count() > 700);
}

#[test]
fn an_empty_store_has_nothing_to_remove_and_is_well() {
    let world = pinned();
    insta::assert_snapshot!(plain(&world.engine("gc --dry-run")), @"
    exit code: 0
    --- stdout
    would remove: 0 records, 0 blobs of 0 B, 0 unpacked trees
    kept: 0 records, 0 blobs
    --- stderr
    store: [WORLD]/store, [SIZE]
    ");
    insta::assert_snapshot!(plain(&world.engine("gc --keep-runs 1")), @"
    exit code: 0
    --- stdout
    removed: 0 records, 0 blobs of 0 B, 0 unpacked trees
    kept: 0 records, 0 blobs
    --- stderr
    store: [WORLD]/store, [SIZE]
    ");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 0
    --- stdout
    verified 0 blobs of 0 B and 0 records: all is well
    ");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"
    exit code: 0
    --- stdout
    verified 0 blobs of 0 B and 0 records: all is well
    ");
}

#[test]
fn a_lost_database_and_a_bad_blob_are_told() {
    let world = pinned();
    world.make_up("");
    {
        let store = store::Store::open(&world.path("store")).unwrap();
        let blob = store.put_bytes(b"good").unwrap();
        fs::set_permissions(
            store.blob_path(&blob),
            std::os::unix::fs::PermissionsExt::from_mode(0o644),
        )
        .unwrap();
        fs::write(store.blob_path(&blob), b"evil").unwrap();
    }
    fs::write(world.path("store/db.sqlite"), "x").unwrap();
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 3
    --- stdout
    damaged: blob `[KEY]`: its content hashes to `[KEY]`
    verified 33 blobs of [SIZE] and 14 records: damaged
    --- stderr
    the database of the store was made again (it was missing): 14 records back
    next: `engine verify --repair`
    ");
    insta::assert_snapshot!(plain(&world.engine("verify --repair")), @"
    exit code: 0
    --- stdout
    damaged: blob `[KEY]`: its content hashes to `[KEY]`
    verified 33 blobs of [SIZE] and 14 records: repaired; the next run makes again what is missing
    ");
    insta::assert_snapshot!(plain(&world.engine("verify")), @"
    exit code: 0
    --- stdout
    verified 32 blobs of [SIZE] and 14 records: all is well
    ");
}

#[test]
fn a_newer_store_is_the_environments_fault() {
    let world = pinned();
    world.engine("verify");
    fs::write(world.path("store/format"), "99\n").unwrap();
    insta::assert_snapshot!(world.engine("results"), @"
    exit code: 3
    --- stderr
    error: the store `[WORLD]/store` has format 99, but this program knows formats up to 1
      = help: use the engine that wrote it, or name another store with `--store`
    ");
}

#[test]
fn without_a_home_there_is_no_place_for_results() {
    let world = pinned();
    let mut command = world.command(&["results"]);
    insta::assert_snapshot!(world.run(command.env_remove("HOME").env_remove("ENGINE_STORE")), @"
    exit code: 3
    --- stderr
    error: there is no place for results: `$HOME` is not set
      = help: `--store DIR` names a place
    ");
    let ended = world.run(
        world
            .command(&["results", "--store", "here"])
            .env_remove("HOME"),
    );
    assert_eq!(ended.code, Some(0));
    assert!(world.path("project/here/format").is_file());
}

#[test]
fn init_writes_a_project_that_is_good() {
    let world = World::new();
    insta::assert_snapshot!(world.engine("init new/project"), @"
    exit code: 0
    --- stderr
    wrote 4 files into `new/project`
    next: `engine check`, `engine update` to pin packages, `engine realize`
    ");
    insta::assert_snapshot!(world.engine("init new/project"), @"
    exit code: 2
    --- stderr
    error: `new/project/boards.rhai` is there already
      = help: `engine init DIR` writes into another directory
    ");
    let check = world.run(
        world
            .command(&["check"])
            .current_dir(world.path("project/new/project")),
    );
    assert_eq!(check.code, Some(0), "{check}");
    assert!(check.stderr.contains("the definitions are good"), "{check}");
}

#[test]
fn the_project_is_the_nearest_one_upwards() {
    let world = World::with(SMALL);
    fs::create_dir_all(world.path("project/a/b")).unwrap();
    let check = world.run(
        world
            .command(&["check"])
            .current_dir(world.path("project/a/b")),
    );
    assert_eq!(check.code, Some(0), "{check}");
    let nowhere = world.run(world.command(&["check"]).current_dir(world.path("")));
    insta::assert_snapshot!(nowhere, @"
    exit code: 2
    --- stderr
    error: `.` holds no `main.rhai`
      = help: `-C DIR` names a project; `engine init DIR` makes one
    ");
}

#[test]
fn scripts_and_pages_for_shell_and_man() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.engine(&format!("completions {shell}"));
        assert!(
            script.code == Some(0) && script.stdout.contains("keep-going"),
            "{script}"
        );
    }
    let page = world.engine("man");
    assert!(page.stdout.contains(".TH engine 1"), "{page}");
    assert_eq!(world.engine("man pages").code, Some(0));
    let pages = fs::read_dir(world.path("project/pages")).unwrap().count();
    assert_eq!(pages, COMMANDS.len() + 1);
}

#[test]
fn doc_is_the_reference() {
    let world = World::new();
    let doc = world.engine("doc");
    assert!(doc.stdout.starts_with("# The definition language\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let world = World::new();
    let mut child = world
        .command(&["doc"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), &output.stderr[..]),
        (Some(0), &b""[..])
    );
}

#[test]
fn a_run_with_nothing_to_do_is_one_line() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("realize"), @"
    exit code: 0
    --- stderr
    nothing to do: 14 nodes fresh
    ");
    insta::assert_snapshot!(world.engine("realize --quiet"), @"exit code: 0");
    let events = world.engine("realize --json linux-6.1/*/tiny --until kernel");
    assert_eq!((events.code, events.stderr.as_str()), (Some(0), ""));
    let words: Vec<String> = events
        .stdout
        .lines()
        .map(|line| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(event["v"], 1);
            event["event"].as_str().unwrap().to_owned()
        })
        .collect();
    let finished = ["node_finished"; 8];
    assert_eq!(
        words,
        [&["run_started"], &finished[..], &["run_finished"]].concat()
    );
    let link =
        fs::read_link(world.path("project/results/linux-6.1/x86_64/tiny/gcc/image")).unwrap();
    assert_eq!(fs::read_to_string(link).unwrap(), "image");
    assert!(
        world
            .path("project/results/linux-6.1/x86_64/tiny/gcc/boots/pc/general/console.log")
            .is_file()
    );
}

#[test]
fn a_recorded_failure_ends_in_1_and_is_listed_last() {
    let world = pinned();
    world.make_up("tiny");
    insta::assert_snapshot!(plain(&world.engine("realize --junit report.xml")), @"
    exit code: 1
    --- stdout
    VERDICT    CACHED      TIME  NODE
    succeeded  cached     10.0s  kernel linux-6.1/x86_64/big/gcc
    failed     cached     10.0s  kernel linux-6.1/x86_64/tiny/gcc
    skipped                      boot linux-6.1/x86_64/tiny/gcc/pc/general

    12 succeeded, 1 failed, 1 skipped (13 of 14 cached) in [TIME]

    failed: kernel linux-6.1/x86_64/tiny/gcc
        a.c:3:1: error: unknown type
        log: [WORLD]/store/blobs/[..]/[KEY]
    --- stderr
    [11/14] kernel linux-6.1/x86_64/tiny/gcc ... failed (cached): a.c:3:1: error: unknown type
    results: [WORLD]/project/results
    store: [WORLD]/store, [SIZE]
    ");
    let junit = fs::read_to_string(world.path("project/report.xml")).unwrap();
    assert!(junit.contains("a.c:3:1: error: unknown type"), "{junit}");
    insta::assert_snapshot!(world.engine("log linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    the log of linux-6.1/x86_64/tiny/gcc
    ");
    insta::assert_snapshot!(world.engine("plan --retry-failed linux-6.1/x86_64/tiny"), @"
    exit code: 0
    --- stdout
    run      kernel linux-6.1/x86_64/tiny/gcc: asked to run again
    may run  boot linux-6.1/x86_64/tiny/gcc/pc/general
    1 to run, 1 may run, 9 fresh
    cost: at most 10 s, by what earlier runs took, and 1 node of unknown cost
    ");
}

#[test]
fn boards_of_resolved_configs() {
    let world = pinned();
    world.make_up("");
    insta::assert_snapshot!(world.engine("boards"), @"
    exit code: 0
    --- stdout
    BUILD                      pc     pc-disk
    linux-6.1/x86_64/big/gcc   no     no
    linux-6.1/x86_64/tiny/gcc  match  no
    ");
    insta::assert_snapshot!(world.engine("boards --why linux-6.1/x86_64/*/gcc pc-disk"), @"
    exit code: 0
    --- stdout
    linux-6.1/x86_64/big/gcc on pc-disk: no match
      `PCI` is not set, wanted `y`
      `EXT4_FS` is not set, wanted `y`
    linux-6.1/x86_64/tiny/gcc on pc-disk: no match
      `EXT4_FS` is not set, wanted `y`
    ");
}

#[test]
fn what_an_edit_makes_stale_and_why() {
    let world = pinned();
    world.make_up("");
    world.engine("realize");
    world.edit("main.rhai", "// One kernel", "// A kernel");
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 0
    --- stdout
    0 to run, 0 may run, 14 fresh
    ");
    world.edit("main.rhai", "PCI: \"y\"", "PCI: \"y\", SMP: \"y\"");
    insta::assert_snapshot!(world.engine("plan"), @"
    exit code: 0
    --- stdout
    run      config linux-6.1/x86_64/tiny/gcc: `fixups.SMP` gains `must y`
    may run  kernel linux-6.1/x86_64/tiny/gcc
    may run  match linux-6.1/x86_64/tiny/gcc
    1 to run, 2 may run, 9 fresh
    boots of 1 build: unknown until their configs are resolved and matched
    cost: at most 30 s, by what earlier runs took
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/tiny/gcc: unknown until its inputs are resolved
      config:linux-6.1/x86_64/tiny/gcc: `fixups.SMP` gains `must y`
    ");
    insta::assert_snapshot!(world.engine("why linux-6.1/x86_64/big/gcc"), @"
    exit code: 0
    --- stdout
    kernel:linux-6.1/x86_64/big/gcc: fresh
      nothing changed
    ");
    insta::assert_snapshot!(world.engine("results linux-6.1/x86_64/tiny/gcc"), @"
    exit code: 0
    --- stdout
    VERDICT    KIND    ADDRESS                    REASON
    succeeded  fetch   source/linux-6.1
    succeeded  source  linux-6.1
    succeeded  fetch   base/deb
    succeeded  base    deb
    succeeded  fetch   image/kbuild
    succeeded  image   kbuild
    skipped    config  linux-6.1/x86_64/tiny/gcc  stale
    skipped    kernel  linux-6.1/x86_64/tiny/gcc  unknown until its inputs are resolved
    skipped    match   linux-6.1/x86_64/tiny/gcc  unknown until its inputs are resolved
    ");
}
