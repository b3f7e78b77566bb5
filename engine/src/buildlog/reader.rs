//! Reads a build's log as it grows.

use super::Diagnostic;
use super::Evidence;
use super::diagnostic;
use super::diagnostic::Weight;
use super::evidence;

/// Warnings that are kept; more only count.
const MAX_WARNINGS: usize = 500;
/// Bytes of a line that are looked at.
const MAX_LINE: usize = 4096;

/// What a build's log told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildLog {
    /// Objects compiled.
    pub objects: u64,
    /// The object that was last begun.
    pub at: String,
    /// How many warnings there were: of the compiler, the linker, modpost and objtool.
    pub warnings: u64,
    /// The first of them, each once.
    pub list: Vec<Diagnostic>,
    error: Option<(Weight, Diagnostic)>,
    broken: Option<String>,
    doubtful: Option<String>,
    /// rustc puts the place behind the words.
    expects_place: bool,
    last: String,
    rest: Vec<u8>,
}

impl BuildLog {
    /// Reads more of the log: any bytes, cut anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut bytes = bytes;
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.part(&bytes[..end]);
            let line = std::mem::take(&mut self.rest);
            self.line(String::from_utf8_lossy(&line).trim_end());
            bytes = &bytes[end + 1..];
        }
        self.part(bytes);
    }

    fn part(&mut self, bytes: &[u8]) {
        let room = MAX_LINE.saturating_sub(self.rest.len());
        self.rest.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn line(&mut self, line: &str) {
        if let Some(object) = object(line) {
            self.objects += 1;
            object.clone_into(&mut self.at);
            return;
        }
        if std::mem::take(&mut self.expects_place)
            && let Some((file, number)) = diagnostic::arrow(line)
        {
            let last = match &mut self.error {
                Some((Weight::Error, error)) if error.file.is_empty() => Some(error),
                _ => self.list.last_mut(),
            };
            if let Some(last) = last {
                last.put(&file, number);
            }
            return;
        }
        match evidence::read(line) {
            Some(Evidence::Broken(why)) => self.broken = self.broken.take().or(Some(why)),
            Some(Evidence::Doubtful(why)) => self.doubtful = self.doubtful.take().or(Some(why)),
            None => {}
        }
        match diagnostic::read(line) {
            Some((None, warning)) => {
                self.warnings += 1;
                self.expects_place = warning.file.is_empty();
                if self.list.len() < MAX_WARNINGS && !self.list.contains(&warning) {
                    self.list.push(warning);
                }
            }
            Some((Some(weight), error)) => {
                self.expects_place = error.file.is_empty();
                if self.error.as_ref().is_none_or(|(known, _)| weight < *known) {
                    self.error = Some((weight, error));
                }
            }
            None if !line.trim().is_empty() => line.trim().clone_into(&mut self.last),
            None => {}
        }
    }

    /// The end of the log.
    pub fn end(&mut self) {
        if !self.rest.is_empty() {
            self.push(b"\n");
        }
    }

    /// The first real error of a build that failed.
    pub fn error(&self) -> Option<&Diagnostic> {
        self.error.as_ref().map(|(_, error)| error)
    }

    /// What tells that the machine failed, and not the build.
    pub fn evidence(&self) -> Option<Evidence> {
        let broken = self.broken.clone().map(Evidence::Broken);
        broken.or_else(|| self.doubtful.clone().map(Evidence::Doubtful))
    }

    /// The line of a failed build's log that a person would point at.
    pub fn telling(&self, status: i32) -> String {
        match (self.error(), self.last.as_str()) {
            (Some(error), _) => error.told(),
            (None, "") => format!("exit status {status}"),
            (None, last) => last.to_owned(),
        }
    }
}

/// The object that a line of kbuild's tells of: compiled C, assembly or Rust, built in or for a module.
fn object(line: &str) -> Option<&str> {
    let line = line.strip_prefix("  ")?;
    let rest = ["CC ", "AS ", "RUSTC "]
        .into_iter()
        .find_map(|word| line.strip_prefix(word))?;
    let rest = rest.trim_start();
    let object = ["[M]", "L"]
        .into_iter()
        .find_map(|mark| rest.strip_prefix(mark))
        .unwrap_or(rest)
        .trim();
    object.strip_suffix(".o").map(|_| object)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &str) -> BuildLog {
        let mut read = BuildLog::default();
        read.push(log.as_bytes());
        read.end();
        read
    }

    fn told(log: &str) -> String {
        let read = read(log);
        let told = read.telling(2);
        match read.evidence() {
            None => told,
            Some(Evidence::Broken(why)) => format!("broken: {why}"),
            Some(Evidence::Doubtful(why)) => format!("doubtful: {why}; {told}"),
        }
    }

    /// Every tool of a kernel's build, each followed by make's own lines.
    #[test]
    fn the_first_real_error() {
        let make = "make[2]: *** [/src/scripts/Makefile.build:250: fs/x.o] Error 1\nmake[1]: *** Waiting for unfinished jobs....\nmake: *** [Makefile:234: __sub-make] Error 2\n";
        let logs = [
            "  CC      fs/x.o\n../fs/x.c: In function 'f':\n../fs/x.c:3:1: error: unknown type name 'y'\n    3 | y z;\n",
            "/src/fs/x.c:12:10: fatal error: linux/nothere.h: No such file or directory\n   12 | #include <linux/nothere.h>\ncompilation terminated.\n",
            "fs/x.S: Assembler messages:\nfs/x.S:7: Error: no such instruction: `frob %eax'\n",
            "ld: fs/x.o: in function `f':\nx.c:(.text+0x1): undefined reference to `g'\n",
            "ld: fs/y.o:(.data+0x0): multiple definition of `v'; fs/x.o:(.data+0x0): first defined here\n",
            "ld.lld: error: undefined symbol: g\n>>> referenced by x.c:12\n",
            "ERROR: modpost: \"g\" [fs/x.ko] undefined!\n",
            "error[E0425]: cannot find value `y` in this scope\n  --> /src/rust/x.rs:12:3\n",
            "fs/x.o: error: objtool: f+0x12: unsupported instruction\n",
            "/bin/sh: 1: bc: not found\n",
            "make[1]: flex: No such file or directory\n",
            "init/Kconfig:12: syntax error\ninit/Kconfig:11: unknown statement \"frob\"\n",
            "***\n*** Can't find default configuration \"arch/x86/configs/frob_defconfig\"!\n***\n",
            "make[1]: *** No rule to make target 'fs/x.o', needed by 'fs/built-in.a'.  Stop.\n",
            "cc1: error: code model 'kernel' not supported\n",
            "Error: arch/arm/boot/dts/x.dts:12.3-4 syntax error\nFATAL ERROR: Unable to parse input tree\n",
        ];
        let all: Vec<String> = logs
            .iter()
            .map(|log| told(&format!("{log}{make}")))
            .collect();
        insta::assert_snapshot!(all.join("\n"), @r#"
        fs/x.c:3: unknown type name 'y'
        fs/x.c:12: linux/nothere.h: No such file or directory
        fs/x.S:7: no such instruction: `frob %eax'
        x.c: undefined reference to `g'
        fs/y.o: multiple definition of `v'; fs/x.o:(.data+0x0): first defined here
        ld.lld: undefined symbol: g
        "g" [fs/x.ko] undefined!
        rust/x.rs:12: cannot find value `y` in this scope
        fs/x.o: objtool: f+0x12: unsupported instruction
        `bc` is not in the image
        `flex` is not in the image
        init/Kconfig:12: syntax error
        Can't find default configuration "arch/x86/configs/frob_defconfig"!
        make[1]: *** No rule to make target 'fs/x.o', needed by 'fs/built-in.a'.  Stop.
        cc1: code model 'kernel' not supported
        arch/arm/boot/dts/x.dts:12: syntax error
        "#);
        assert_eq!(told(""), "exit status 2");
    }

    #[test]
    fn words_in_the_source_are_no_evidence() {
        for log in [
            "x.c:3:9: error: 'missing_name' undeclared\n    3 | return pr(\"Cannot allocate memory\\n\") + missing_name;\nmake: *** [x.o] Error 1\n",
            "x.c:3:9: warning: \"Input/output error\" is odd\nx.c:4:1: error: no\n",
            "x.c:3:9: note: No space left on device\nx.c:4:1: error: no\n",
            "  echo \"No space left on device\"\nx.c:4:1: error: no\n",
            "x.c:4:1: error: no\nmake[1]: *** [x.o] Error 1\nmake: *** [all] Error 2\n",
        ] {
            assert_eq!(read(log).evidence(), None, "{log}");
        }
    }

    #[test]
    fn a_machine_that_failed() {
        for log in [
            "make[2]: *** [scripts/Makefile.build:250: init/main.o] Error 137\n",
            "make[2]: *** [scripts/Makefile.build:250: init/main.o] Killed\n",
            "gcc: fatal error: Killed signal terminated program cc1\ncompilation terminated.\n",
            "x86_64-linux-gnu-gcc-12: fatal error: Killed signal terminated program cc1\n",
            "collect2: fatal error: ld terminated with signal 9 [Killed]\n",
            "clang: error: unable to execute command: Killed\n",
            "cc1: out of memory allocating 65536 bytes after a total of 1234 bytes\n",
            "LLVM ERROR: out of memory\n",
            "ld: final link failed: memory exhausted\n",
            "ld: memory exhausted\n",
            "virtual memory exhausted: Cannot allocate memory\n",
            "make[1]: vfork: Resource temporarily unavailable\n",
            "/bin/sh: 1: Cannot fork\n",
            "{standard input}: Fatal error: can't write 12 bytes to section .text of init/main.o: 'No space left on device'\nfs/x.s: fatal error: error writing: No space left on device\n",
            "ld: final link failed: No space left on device\n",
            "cp: error writing 'vmlinux.o': No space left on device\n",
            "sed: couldn't flush stdout: No space left on device\n",
            "cat: write error: Input/output error\n",
            " cannot copy extracted data for './usr/bin/x' to '/usr/bin/x.dpkg-new': failed to write (No space left on device)\n",
            "E: Write error - write (28: No space left on device)\n",
        ] {
            assert!(
                matches!(read(log).evidence(), Some(Evidence::Broken(_))),
                "{log}"
            );
        }
    }

    #[test]
    fn a_tool_that_crashed_is_doubtful() {
        for log in [
            "x.c:3:9: internal compiler error: Segmentation fault\n",
            "make[2]: *** [scripts/Makefile.build:250: init/main.o] Error 139\n",
            "clang: error: unable to execute command: Segmentation fault\n",
            "make: *** [vmlinux] Segmentation fault (core dumped)\n",
        ] {
            assert!(
                matches!(read(log).evidence(), Some(Evidence::Doubtful(_))),
                "{log}"
            );
        }
    }

    #[test]
    fn warnings_are_listed_once_with_their_place() {
        let read = read(
            "  CC      fs/x.o\n../fs/x.c:3:1: warning: unused variable 'y' [-Wunused-variable]\n../fs/x.c:3:1: warning: unused variable 'y' [-Wunused-variable]\n\
             fs/x.o: warning: objtool: f+0x12: unreachable instruction\nWARNING: modpost: missing MODULE_LICENSE() in fs/x.o\nld: warning: fs/x.o has a LOAD segment with RWX permissions\n\
             warning: unused import\n  --> rust/x.rs:7:5\nmake: warning: jobserver unavailable\n",
        );
        let list: Vec<String> = read.list.iter().map(Diagnostic::told).collect();
        insta::assert_snapshot!(list.join("\n"), @r"
        fs/x.c:3: unused variable 'y' [-Wunused-variable]
        fs/x.o: objtool: f+0x12: unreachable instruction
        missing MODULE_LICENSE() in fs/x.o
        ld: fs/x.o has a LOAD segment with RWX permissions
        rust/x.rs:7: unused import
        ");
        assert_eq!((read.warnings, read.objects, &*read.at), (6, 1, "fs/x.o"));
    }

    #[test]
    fn signatures_lack_what_moves() {
        let sign = |log: &str| read(log).error().unwrap().signature.clone();
        assert_eq!(
            sign("fs/x.c:3:1: error: array size 12 is odd\n"),
            sign("../fs/x.c:77:9: error: array size 13 is odd\n")
        );
    }
}
