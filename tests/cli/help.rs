//! What every command says of itself, and what a wrong command line is told.

use std::fs;

use super::COMMANDS;
use super::pinned;
use super::world::World;

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
      realize      Build, boot and test what is wanted and not there yet
      results      Show the result of every wanted node, from the store alone
      matrix       Show a table of builds and their boots, from the store alone
      log          Print the whole log of a node's latest result
      judge        Judge console logs: what the kernel complained about, and which tests failed
      boards       Show which boards each resolved configuration can boot on
      boot         Boot one address, here or in a lab, and print its console
      explore      Explore configurations by a script, and minimise what fails
      coverage     Tell how many symbols and object files were ever built and booted
      labs         Show each lab: who we are there, its device types and devices, its queue, and which
                   boards it boots
      jobs         Print boots as the YAML of LAVA jobs, one for each lab that may boot them
      serve        Serve results by address and blobs by digest over HTTP, read-only
      why          Explain why a node is stale, or what changed when it was last made
      show         Show a node's spec, inputs, key and outputs
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
          --host  Say what this machine lacks for what is declared, and how it is installed
      -h, --help  Print help (see more with '--help')

    Examples:
      engine check
      engine check --host
      engine -C definitions/demo check

    === update
    Ask the mirrors what there is now, and pin it in `engine.lock`

    Usage: engine update [OPTIONS] [NAME]...

    Arguments:
      [NAME]...  Pins, such as `source/linux-6.1` or `image/kbuild` [default: all]

    Options:
          --if-gone       Move only pins that are missing, answer an older definition, or are gone from
                          the mirror
          --stall <SECS>  How long a server may say nothing, in seconds [default: 60]
      -h, --help          Print help (see more with '--help')

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
                          kconfig, config, kernel, match, rootfs, probe, boot]
          --retry-failed  Run recorded failures again
      -j, --jobs <N>      What may run at once, in CPUs [default: all there are]
          --memory <MIB>  Memory that all that runs may need, in MiB [default: the machine's]
          --stall <SECS>  How long a server may say nothing, in seconds [default: 60]
          --offline       Ask nothing of any server: what the store lacks is broken
          --lab <LAB>     Boots in this lab, by its name [default: QEMU on this machine where a board
                          can be, else LAVA labs]
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
                           kconfig, config, kernel, match, rootfs, probe, boot]
          --retry-failed   Run recorded failures again
      -j, --jobs <N>       What may run at once, in CPUs [default: all there are]
          --memory <MIB>   Memory that all that runs may need, in MiB [default: the machine's]
          --stall <SECS>   How long a server may say nothing, in seconds [default: 60]
          --offline        Ask nothing of any server: what the store lacks is broken
          --lab <LAB>      Boots in this lab, by its name [default: QEMU on this machine where a board
                           can be, else LAVA labs]
      -k, --keep-going     Go on with what does not depend on a failed node
          --submit-only    Submit jobs to LAVA labs and leave their results to `engine labs gather`
          --incremental    Start kernels from the objects of earlier ones, and keep theirs
          --rebuild        Run the named nodes again and compare the bytes with the recorded ones
          --dry-run        Only say what would run, as `engine plan` does
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
          --json       One JSON object per line
          --lab <LAB>  Boots in this lab, by its name [default: QEMU on this machine where a board can
                       be, else LAVA labs]
      -h, --help       Print help

    With --json, one object per line: `address`, `kind`, `verdict` (succeeded, failed, broken, skipped),
    `reason` unless there is none, `cached` (the result is in the store), `key` (where its inputs are
    known).

    Examples:
      engine results
      engine results --json 'linux-6.1/**' | jq -r 'select(.verdict == "failed").address'

    === matrix
    Show a table of builds and their boots, from the store alone

    Usage: engine matrix [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses, with `*` and `**` [default: everything that runs by default]

    Options:
          --markdown  As Markdown, with compilers and the fixups that did not stick
      -h, --help      Print help

    An arch counts as booted when one of its builds booted on every board that fits it, and on one at
    least. The exit code is 0 if all did, else 1.

    Examples:
      engine matrix 'linux-6.1/*/boot'
      engine matrix --markdown 'linux-6.1/*/*defconfig' > matrix.md

    === log
    Print the whole log of a node's latest result

    Usage: engine log [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
      -f, --follow     Go on with what a running engine adds, until the node is done
          --run <N>    Print that of an earlier run, by its number
          --raw        Every byte as it was written
          --lab <LAB>  Boots in this lab, by its name [default: QEMU on this machine where a board can
                       be, else LAVA labs]
      -h, --help       Print help (see more with '--help')

    Examples:
      engine log linux-6.1/x86_64/tinyconfig/gcc
      engine log --follow linux-6.1/x86_64/tinyconfig/gcc   while another engine builds it
      engine log --run 12 config:linux-6.1/x86_64/tinyconfig/gcc

    === boards
    Show which boards each resolved configuration can boot on

    Usage: engine boards [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Addresses of builds, with `*` and `**` [default: all]

    Options:
          --why <BUILD> <BOARD>  Name the exact symbols that keep a board from a build
          --config <FILE>        Match a .config that somebody has, perhaps compressed by gzip, and say
                                 what keeps it from the other boards
      -h, --help                 Print help

    Examples:
      engine boards
      engine boards 'linux-6.1/*/*/gcc'
      engine boards --why linux-6.1/x86_64/tinyconfig/gcc qemu-pc-disk
      engine boards --config /boot/config-6.1.0-18-amd64

    === boot
    Boot one address, here or in a lab, and print its console

    Usage: engine boot [OPTIONS] <ADDRESS>

    Arguments:
      <ADDRESS>  Address of a boot: SOURCE/ARCH/DEFCONFIG/TOOLCHAIN/BOARD/SUITE

    Options:
          --lab <LAB>     Boots in this lab, by its name [default: QEMU on this machine where a board
                          can be, else LAVA labs]
          --retry-failed  Boot again what failed
      -h, --help          Print help (see more with '--help')

    Examples:
      engine boot linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general
      engine boot linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general --lab mylab

    === explore
    Explore configurations by a script, and minimise what fails

    Usage: engine explore [OPTIONS] <SCRIPT>

    Arguments:
      <SCRIPT>  The script, in a project's directory

    Options:
          --set <NAME=VALUE>  What `setting(NAME, …)` gives in the script
          --budget <BUDGET>   How much it may take: a time (`90s`, `30m`, `2h`), or new kernels (`200
                              builds`)
          --retry-failed      Run recorded failures again
          --clean             Build every kernel from nothing, not from the objects of the one that is
                              most like it
          --json              Write what it came to as JSON to standard output, and nothing else
          --results <DIR>     Where the links to results go [default: `results` in the project]
      -j, --jobs <N>          What may run at once, in CPUs [default: all there are]
          --memory <MIB>      Memory that all that runs may need, in MiB [default: the machine's]
          --stall <SECS>      How long a server may say nothing, in seconds [default: 60]
          --offline           Ask nothing of any server: what the store lacks is broken
          --lab <LAB>         Boots in this lab, by its name [default: QEMU on this machine where a
                              board can be, else LAVA labs]
      -h, --help              Print help

    The script asks for configurations, builds and boots, and sees what came of them: `engine doc
    --explore` is its reference.
    What it learnt stays in the store, so the same script run again goes on where it stopped. A new
    failure makes the exit code 1.

    Examples:
      engine explore hour.rhai --budget 1h
      engine explore planted.rhai --set seeds=50 --budget '20 builds'

    === coverage
    Tell how many symbols and object files were ever built and booted

    Usage: engine coverage [OPTIONS] [ADDRESS]...

    Arguments:
      [ADDRESS]...  Only these builds, with `*` and `**` [default: all of the project]

    Options:
          --svg <FILE>  Also draw how it grew from kernel to kernel
          --json        One line of JSON for each arch, with the whole curve
      -h, --help        Print help

    Counted are symbols that are `y` or `m` in a kernel that was built, in one that booted too, and the
    object files of kernels, as far
    as their builds list them (Linux 6.1 and later). What is in the store counts, derived builds too.

    Examples:
      engine coverage
      engine coverage 'linux-6.1/x86_64/**' --svg coverage.svg

    === judge
    Judge console logs: what the kernel complained about, and which tests failed

    Usage: engine judge [OPTIONS] <LOG>...

    Arguments:
      <LOG>...  Console logs; `-` for standard input

    Options:
          --json                 One line of JSON for each log
          --fails-on <SEVERITY>  From which severity on a complaint of the kernel fails a log [default:
                                 error] [possible values: notice, warning, error, fatal]
          --expect <TITLE>       A complaint that must come and fails nothing, by its title; `*` stands
                                 for anything
      -h, --help                 Print help

    A log is what a serial line, netconsole, `dmesg` or `journalctl -k` gave, with or without stamps, or
    the log of a LAVA job. No project is needed.

    Examples:
      engine judge console.log
      lava-cli log 1234 | engine judge -
      engine judge --json captures/*.log
      engine judge --fails-on warning console.log

    === labs
    Show each lab: who we are there, its device types and devices, its queue, and which boards it boots

    Usage: engine labs [OPTIONS]
           engine labs <COMMAND>

    Commands:
      gather  Wait for jobs that were submitted by `--submit-only` or by a run that was ended, and take
              their results

    Options:
          --json  Print one JSON object per lab
      -h, --help  Print help

    Examples:
      engine labs
      engine realize --submit-only && engine labs gather     two machines may do one each, on one store

    === jobs
    Print boots as the YAML of LAVA jobs, one for each lab that may boot them

    Usage: engine jobs [OPTIONS] <ADDRESS>...

    Arguments:
      <ADDRESS>...  Addresses of boots, with `*` and `**`

    Options:
          --lab <LAB>  Only for this lab
      -h, --help       Print help (see more with '--help')

    Examples:
      engine jobs linux-6.1/x86_64/tinyconfig/gcc/qemu-pc/general
      engine jobs '**' --lab mylab

    === serve
    Serve results by address and blobs by digest over HTTP, read-only

    Usage: engine serve [OPTIONS]

    Options:
          --listen <ADDRESS:PORT>  Address and port to listen on; port 0 takes any that is free
                                   [default: 127.0.0.1:8000]
          --results <DIR>          The tree of links to results [default: `results` in the project]
      -h, --help                   Print help (see more with '--help')

    Examples:
      engine serve                              on this machine alone
      engine serve --listen 0.0.0.0:8000        for labs; the lab's `artifacts_url` names it

    === why
    Explain why a node is stale, or what changed when it was last made

    Usage: engine why [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
          --lab <LAB>  Boots in this lab, by its name [default: QEMU on this machine where a board can
                       be, else LAVA labs]
      -h, --help       Print help

    Examples:
      engine why linux-6.1/x86_64/tinyconfig/gcc
      engine why image:kbuild

    === show
    Show a node's spec, inputs, key and outputs

    Usage: engine show [OPTIONS] <NODE>

    Arguments:
      <NODE>  An address, or `KIND:NAME`

    Options:
          --json       Write one JSON object, with every text in full
          --lab <LAB>  Boots in this lab, by its name [default: QEMU on this machine where a board can
                       be, else LAVA labs]
      -h, --help       Print help

    Examples:
      engine show config:linux-6.1/x86_64/tinyconfig/gcc
      engine show --json image:kbuild

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
          --explore  The reference of scripts that explore instead
      -h, --help     Print help

    Examples:
      engine doc | less
      engine doc --explore | less

    === completions
    Print a shell's completions

    Usage: engine completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  Which shell [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help  Print help

    Addresses are completed by the project that the shell is in.

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
      [possible values: fetch, source, base, image, kconfig, config, kernel, match, rootfs, probe, boot]


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
fn scripts_and_pages_for_shell_and_man() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = world.engine(&format!("completions {shell}"));
        assert!(
            script.code == Some(0) && script.stdout.contains("ENGINE_COMPLETE"),
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
