//! Builds and boots that are asked for.

use super::asked::Over;
use super::driver::AskedNode;
use super::driver::Budget;
use super::driver::Inner;
use super::driver::misnamed;
use super::driver::mistake;
use super::driver::refused;
use crate::eval::Refusal;
use crate::graph::Matched;
use crate::plan::State;
use crate::spec::Kind;

impl Inner {
    /// Asks for the kernel of a configuration.
    pub(super) fn ask_build(&mut self, index: usize) -> Result<usize, Refusal> {
        self.look()?;
        let address = self.configs[index].address.clone();
        let key = (Kind::Kernel, address.clone());
        if let Some(build) = self.by_address.get(&key) {
            self.builds[*build].probe &= self.probing;
            return Ok(*build);
        }
        let node = self.graph.build(Kind::Kernel, &address).map_err(refused)?;
        self.room_for_a_build()?;
        self.graph.ask(node)?;
        let build = self.builds.len();
        self.by_address.insert(key, build);
        self.builds.push(AskedNode {
            of: index,
            address,
            node,
            probe: self.probing,
        });
        Ok(build)
    }

    /// Waits until the budget certainly has room for another build; over, where it has none.
    fn room_for_a_build(&mut self) -> Result<(), Over> {
        let Budget::Builds(most) = self.budget else {
            return Ok(());
        };
        loop {
            let states = self
                .builds
                .iter()
                .map(|build| (build.node, self.graph.state(build.node)));
            let spent = |state: &State| match state {
                State::Done { cached, .. } | State::Failed { cached, .. } => !cached,
                State::Broken { .. } => true,
                _ => false,
            };
            let mut used = 0;
            let mut open = None;
            for (node, state) in states {
                match state {
                    None => open = Some(node),
                    Some(state) => used += usize::from(spent(state)),
                }
            }
            let pending = self
                .builds
                .iter()
                .filter(|build| self.graph.state(build.node).is_none());
            if used + pending.count() < most {
                return Ok(());
            }
            match open {
                Some(open) if used < most => {
                    self.wait(open)?;
                }
                _ => {
                    self.ended = Some("the builds of the budget are used up");
                    return Err(Over);
                }
            }
        }
    }

    /// Asks for a boot.
    pub(super) fn ask_boot(
        &mut self,
        build: usize,
        board: Option<&str>,
        suite: Option<&str>,
    ) -> Result<usize, Refusal> {
        self.look()?;
        let config = self.builds[build].of;
        let name = self.builds[build].address.clone();
        let fits = self.matching(config)?;
        let board = match board {
            None => fits.first().cloned().ok_or_else(|| Refusal::Mistake {
                message: format!("no board fits `{name}`"),
                help: Some("ask `matching(config)` first".to_owned()),
            })?,
            Some(board) if fits.iter().any(|fit| fit == board) => board.to_owned(),
            Some(board) if !self.catalog.boards.contains_key(board) => {
                return Err(misnamed("board", board, self.catalog.boards.keys()));
            }
            Some(board) => {
                return Err(Refusal::Mistake {
                    message: format!("`{board}` does not fit `{name}`"),
                    help: Some(format!("`engine boards --why {name} {board}` says why")),
                });
            }
        };
        let suites = self
            .catalog
            .boards
            .get(&board)
            .map(|board| board.suites.clone());
        let suites = suites.unwrap_or_default();
        let suite = match suite {
            Some(suite) if !suites.iter().any(|other| other == suite) => {
                return Err(misnamed("suite of the board", suite, suites.iter()));
            }
            Some(suite) => suite.to_owned(),
            None => suites
                .first()
                .cloned()
                .ok_or_else(|| mistake(format!("`{board}` has no suite")))?,
        };
        let address = format!("{name}/{board}/{suite}");
        let key = (Kind::Boot, address.clone());
        if let Some(boot) = self.by_address.get(&key) {
            self.boots[*boot].probe &= self.probing;
            return Ok(*boot);
        }
        let found = Matched {
            boards: vec![board.clone()],
        };
        let node = self.graph.boot(&name, &found, &address);
        let node = node.ok_or_else(|| mistake(format!("nothing here boots `{board}`")))?;
        self.graph.ask(node)?;
        let boot = self.boots.len();
        self.by_address.insert(key, boot);
        self.boots.push(AskedNode {
            of: build,
            address,
            node,
            probe: self.probing,
        });
        Ok(boot)
    }
}
