//! What a kernel's build would take from the machine's randomness, and gets fixed instead: else no kernel were the same when it is built
//! again (kernel `Documentation/kbuild/reproducible-builds.rst`).

use super::step::BUILD;

/// Key and certificate of nobody: it signs modules where the definitions give no other.
pub(super) const SIGNING_KEY: &str = include_str!("../../../stdlib/signing_key.pem");
/// Where the key lies below the build directory.
pub(super) const SIGNING_KEY_FILE: &str = "engine_signing_key.pem";

/// The seed of `CONFIG_RANDSTRUCT`, as `od` prints it: the layouts are as hidden as any that stand in a distribution's package.
const SEED: &str = " 0123456789abcdef fedcba9876543210 0f1e2d3c4b5a6978 8796a5b4c3d2e1f0";

/// What of it a .config asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    /// Modules are signed by a key that the build makes.
    pub(super) signs: bool,
    /// Layouts of structures are shuffled by a seed.
    shuffles: bool,
}

impl Fixed {
    pub(super) fn of(config: &[u8]) -> Self {
        const SHUFFLES: [&[u8]; 3] = [
            b"CONFIG_RANDSTRUCT=y",
            b"CONFIG_GCC_PLUGIN_RANDSTRUCT=y",
            b"CONFIG_RANDSTRUCT_FULL=y",
        ];
        let has = |wanted: &[u8]| {
            config
                .split(|byte| *byte == b'\n')
                .any(|line| line == wanted)
        };
        Self {
            // Another key than this is a file that the build finds, or not.
            signs: has(b"CONFIG_MODULE_SIG_KEY=\"certs/signing_key.pem\""),
            shuffles: SHUFFLES.iter().any(|line| has(line)),
        }
    }

    /// The variables of the make line with what this adds.
    pub(super) fn variables(self, variables: &str) -> String {
        if self.signs {
            format!("{variables} CONFIG_MODULE_SIG_KEY={BUILD}/{SIGNING_KEY_FILE}")
        } else {
            variables.to_owned()
        }
    }

    /// The script with what has to be there before: `scripts/gen-randstruct-seed.sh` asks `od` for random bytes.
    pub(super) fn script(self, script: &str) -> String {
        if !self.shuffles {
            return script.to_owned();
        }
        format!(
            r#"
mkdir /tmp/fixed
real=$(command -v od)
printf '%s\n' '#!/bin/sh' 'case " $* " in *" /dev/urandom "*) echo "{SEED}"; exit ;; esac' "exec $real \"\$@\"" > /tmp/fixed/od
chmod +x /tmp/fixed/od
PATH=/tmp/fixed:$PATH
{script}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for() {
        let plain = Fixed::of(b"CONFIG_MODULES=y\n# CONFIG_MODULE_SIG is not set\n");
        assert_eq!(
            (plain.variables("LLVM=1"), plain.script("x")),
            ("LLVM=1".to_owned(), "x".to_owned())
        );
        let own = Fixed::of(b"CONFIG_MODULE_SIG=y\nCONFIG_MODULE_SIG_KEY=\"/keys/mine.pem\"\n");
        assert!(!own.signs);
        let both = Fixed::of(
            b"CONFIG_MODULE_SIG_KEY=\"certs/signing_key.pem\"\nCONFIG_RANDSTRUCT_FULL=y\n",
        );
        assert_eq!(
            both.variables(""),
            " CONFIG_MODULE_SIG_KEY=/build/engine_signing_key.pem"
        );
        assert!(both.script("mk all").ends_with("\nmk all"));
    }
}
