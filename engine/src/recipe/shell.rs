//! An interactive shell in the sandbox a node is built in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use store::Digest;

use super::Broken;
use super::Tools;
use super::step::SRC;
use super::step::Step;
use super::step::bind;
use super::step::spec;
use crate::graph::Node;
use crate::graph::Slot;
use crate::sandbox::Bind;
use crate::sandbox::Cancel;
use crate::sandbox::Exit;
use crate::sandbox::Layers;
use crate::sandbox::Stdio;
use crate::sandbox::User;
use crate::spec::Spec;

impl Tools {
    /// Runs a shell with the node's image, source, .config and environment; what it leaves in
    /// `/build` is lost.
    pub fn shell(
        &self,
        node: &Node,
        inputs: &BTreeMap<Slot, Digest>,
        cancel: &Cancel,
    ) -> Result<Exit, Broken> {
        let tools = self;
        let image = inputs.get(&Slot::Image).or_else(|| inputs.get(&Slot::Base));
        let image = image.ok_or_else(|| {
            Broken::Infrastructure(format!(
                "a {} node runs in no sandbox; there is no shell",
                node.kind()
            ))
        })?;
        let image = tools.unpacked(image, false, cancel, &|| {})?;
        let source = inputs.get(&Slot::Source);
        let source = source
            .map(|digest| tools.unpacked(digest, true, cancel, &|| {}))
            .transpose()?;
        let work = tools.build_dir("shell")?;
        if let Some(config) = inputs.get(&Slot::Config) {
            tools.write(&work.path().join(".config"), tools.store.read(config)?)?;
        }
        let mut env = BTreeMap::from([
            ("TERM".to_owned(), "xterm".to_owned()),
            (
                "PS1".to_owned(),
                format!("engine {} \\w\\$ ", node.full_name()),
            ),
        ]);
        let mut binds: Vec<Bind> = source
            .iter()
            .map(|tree| bind(tree.path(), SRC, true))
            .collect();
        // Held until the shell ends.
        let compiler;
        let build = match node.spec() {
            Spec::Kconfig(spec) => Some((&spec.kernel_arch, &spec.make, &spec.accelerate)),
            Spec::Config(spec) => Some((&spec.kernel_arch, &spec.make, &spec.accelerate)),
            Spec::Kernel(spec) => Some((&spec.kernel_arch, &spec.make, &spec.accelerate)),
            _ => None,
        };
        if let Some((arch, make, accelerate)) = build {
            compiler = self.compiler(make, accelerate.as_ref(), inputs, cancel, &|_| {})?;
            env.insert("ARCH".to_owned(), arch.clone());
            env.insert("PATH".to_owned(), compiler.path.clone());
            env.insert("MAKE_VARIABLES".to_owned(), compiler.variables.clone());
            binds.extend(compiler.binds.iter().cloned());
        }
        let step = Step {
            script: "",
            env,
            user: User::Worker,
            binds,
            parallel: false,
        };
        let layers = Layers::new(work.path().to_owned(), Vec::new());
        let emulator = tools.sandbox.emulator_of(image.path())?;
        let mut spec = spec(image.path(), &layers, &step, emulator);
        let bash = image.path().join("bin/bash").exists();
        spec.argv = vec![if bash { "/bin/bash" } else { "/bin/sh" }.to_owned()];
        if bash {
            spec.argv.push("--norc".to_owned());
        }
        spec.cwd = PathBuf::from(super::step::BUILD);
        spec.limits.wall = None;
        Ok(tools.sandbox.run(&spec, Stdio::Terminal, cancel)?)
    }
}
