//! The same graph for ninja and for Nix: one file per node, made by a trivial command.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

use engine::graph::Graph;
use engine::graph::Node;

use super::Done;
use super::measure::Cost;
use super::measure::best;

type Peer = Done<Result<Cost, &'static str>>;

const MISSING: &str = "not-installed";

/// Builds everything once, then measures a build that finds nothing to do.
pub fn ninja(dir: &Path, graph: &Graph) -> Peer {
    if Command::new("ninja").arg("--version").output().is_err() {
        return Ok(Err(MISSING));
    }
    let mut text = String::from("rule r\n  command = echo $out > $out\n\n");
    fs::create_dir_all(dir)?;
    for id in graph.ids() {
        let out = |node: &Node| format!("out/{}/{}", node.kind(), node.name);
        write!(text, "build {}: r", out(graph.node(id)))?;
        let mut leaf = true;
        for (_, input) in graph.inputs(id) {
            write!(text, " {}", out(graph.node(input)))?;
            leaf = false;
        }
        if leaf {
            let source = format!("source-{}", id.index());
            fs::write(dir.join(&source), "")?;
            write!(text, " {source}")?;
        }
        text.push('\n');
    }
    fs::write(dir.join("build.ninja"), text)?;
    let mut command = Command::new("ninja");
    command.current_dir(dir);
    run(&mut command)?;
    best(&command).map(Ok)
}

/// A variable of a builder holds 128 KiB at most, so what collects the nodes comes in shards.
const SHARD: usize = 500;

/// The same by derivations, in a Nix store of its own.
pub fn nix(dir: &Path, graph: &Graph) -> Peer {
    if Command::new("nix-build").arg("--version").output().is_err() {
        return Ok(Err(MISSING));
    }
    let mut text = String::from(
        "let mk = name: deps: derivation { inherit name deps; system = builtins.currentSystem;\n  \
         builder = \"/bin/sh\"; args = [ \"-c\" \"echo $name > $out\" ]; };\nin rec {\n",
    );
    for id in graph.ids() {
        let deps: Vec<String> = graph
            .inputs(id)
            .map(|(_, input)| format!("n{}", input.index()))
            .collect();
        writeln!(
            text,
            "n{0} = mk \"n{0}\" [ {1} ];",
            id.index(),
            deps.join(" ")
        )?;
    }
    let names: Vec<String> = graph.ids().map(|id| format!("n{}", id.index())).collect();
    writeln!(text, "top = mk \"top\" [")?;
    for (number, shard) in names.chunks(SHARD).enumerate() {
        writeln!(text, "(mk \"shard{number}\" [ {} ])", shard.join(" "))?;
    }
    text.push_str("]; }\n");
    let conf = dir.join("conf");
    fs::create_dir_all(&conf)?;
    fs::write(
        conf.join("nix.conf"),
        "build-users-group =\nsandbox = false\nsubstituters =\n",
    )?;
    fs::write(dir.join("graph.nix"), text)?;
    let mut command = Command::new("nix-build");
    command
        .current_dir(dir)
        .args(["graph.nix", "-A", "top", "--no-out-link"]);
    for (name, place) in [
        ("NIX_STORE_DIR", "store"),
        ("NIX_STATE_DIR", "var"),
        ("NIX_LOG_DIR", "log"),
        ("NIX_CONF_DIR", "conf"),
        ("NIX_LOCALSTATE_DIR", "var"),
        ("XDG_CACHE_HOME", "cache"),
    ] {
        command.env(name, dir.join(place));
    }
    command.env("NIX_REMOTE", "");
    run(&mut command)?;
    best(&command).map(Ok)
}

fn run(command: &mut Command) -> Done {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!("{command:?} ended with {}: {said}", output.status).into())
}
