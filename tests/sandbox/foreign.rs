//! Programs of another architecture.

use std::fs;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use engine::model::Abi;
use engine::sandbox::Exit;
use engine::sandbox::User;
use engine::sandbox::abi_of;

use super::world::World;

/// A program for arm64: writes `arm64` and ends with exit code 7.
fn foreign_program() -> Vec<u8> {
    let code: [u32; 8] = [
        0xd280_0020, // mov x0, #1
        0x1000_00e1, // adr x1, the text
        0xd280_00c2, // mov x2, #6
        0xd280_0808, // mov x8, #64: write
        0xd400_0001, // svc #0
        0xd280_00e0, // mov x0, #7
        0xd280_0ba8, // mov x8, #93: exit
        0xd400_0001, // svc #0
    ];
    let text = b"arm64\n";
    let (start, address) = (64 + 56, 0x40_0000_u64);
    let size = (start + size_of_val(&code) + text.len()) as u64;
    let mut program = b"\x7fELF\x02\x01\x01".to_vec();
    program.resize(16, 0);
    program.extend([2, 0, 183, 0, 1, 0, 0, 0]);
    for word in [address + start as u64, 64, 0] {
        program.extend(word.to_le_bytes());
    }
    program.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    // One segment, to read and execute.
    program.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    for word in [0, address, address, size, size, 0x1_0000] {
        program.extend(word.to_le_bytes());
    }
    assert_eq!(program.len(), start);
    program.extend(code.iter().flat_map(|word| word.to_le_bytes()));
    program.extend(text);
    program
}

pub fn foreign_programs_are_emulated(world: &World) {
    let registered = || {
        let entries = fs::read_dir("/proc/sys/fs/binfmt_misc")
            .into_iter()
            .flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = registered();
    let program = world.path("root/bin/hello");
    fs::write(&program, foreign_program()).unwrap();
    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let mut spec = world.spec("hello; code=$?; ls /proc/sys/fs/binfmt_misc; exit $code");
    assert_eq!(world.sandbox.emulator(Abi::X86_64).unwrap(), None);
    assert_eq!(abi_of(&world.path("root")), Some(Abi::X86_64));
    spec.emulator = world.sandbox.emulator(Abi::Aarch64).unwrap();
    assert!(spec.emulator.is_some());
    let users = [User::Worker, world.root_or_worker()];
    for user in users {
        spec.user = user;
        let (exit, log) = world.run(&spec);
        assert_eq!(exit.unwrap(), Exit::Code(7), "{log}");
        // Nothing but the sandbox's own entry, whatever the machine has.
        assert_eq!(log, "arm64\nqemu-aarch64\nregister\nstatus\n");
    }
    if registered().is_empty() {
        // Neither another sandbox nor the machine runs such programs.
        assert_eq!(
            Command::new(&program).status().unwrap_err().raw_os_error(),
            Some(8)
        );
    }
    spec.emulator = None;
    spec.argv = vec!["/bin/hello".to_owned()];
    let error = world.run(&spec).0.unwrap_err();
    insta::assert_snapshot!(error, @"sandbox: cannot run `/bin/hello` in `/out`: Exec format error");
    assert_eq!(registered(), before);
    insta::assert_snapshot!(world.sandbox.emulator(Abi::Ia64).unwrap_err(), @"programs for `ia64` need an emulator on this machine, and none is known for them");
}
