//! What an ELF header says of a program: for which machine it is, and whether it stands alone.

use std::fmt;

/// The header fields of a program that say what it runs on (elf(5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elf {
    /// Bits of an address: 32 or 64 (`EI_CLASS`).
    pub bits: u8,
    /// `EI_DATA`.
    pub big_endian: bool,
    /// `e_machine`.
    pub machine: u16,
}

impl fmt::Display for Elf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = if self.big_endian { "big" } else { "little" };
        let Self { bits, machine, .. } = self;
        write!(f, "ELF of {bits} bits, {order}-endian, machine {machine}")
    }
}

/// What a program's headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it runs on.
    pub elf: Elf,
    /// Whether it names a loader for shared libraries.
    pub needs_loader: bool,
}

/// Type of the program header that names the loader.
const PT_INTERP: u64 = 3;

/// The path of a program's loader for shared libraries (`PT_INTERP`), if it names one in these bytes.
pub fn loader(bytes: &[u8]) -> Option<String> {
    let headers = Headers::read(bytes)?;
    let mut loader = None;
    headers.each(|header| {
        if headers.number(header, 4) == Some(PT_INTERP) {
            let (offset, size, length) = match headers.elf.bits {
                32 => (4, 16, 4),
                _ => (8, 32, 8),
            };
            let field = |at: usize| {
                let value = headers.number(header.checked_add(at)?, length)?;
                usize::try_from(value).ok()
            };
            loader = field(offset).zip(field(size));
        }
    })?;
    let (offset, size) = loader?;
    let path = bytes.get(offset..offset.checked_add(size)?)?;
    let path = path.split(|byte| *byte == 0).next()?;
    String::from_utf8(path.to_vec()).ok()
}

/// The headers of a program.
struct Headers<'a> {
    bytes: &'a [u8],
    elf: Elf,
}

impl<'a> Headers<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let ident = bytes.strip_prefix(b"\x7fELF")?;
        let bits = match ident.first()? {
            1 => 32,
            2 => 64,
            _ => return None,
        };
        let big_endian = match ident.get(1)? {
            1 => false,
            2 => true,
            _ => return None,
        };
        let machine = 0;
        let elf = Elf {
            bits,
            big_endian,
            machine,
        };
        let mut headers = Self { bytes, elf };
        headers.elf.machine = u16::try_from(headers.number(18, 2)?).ok()?;
        Some(headers)
    }

    /// A field of some bytes.
    fn number(&self, offset: usize, length: usize) -> Option<u64> {
        let field = self.bytes.get(offset..offset.checked_add(length)?)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.elf.big_endian {
            field.iter().fold(0, add)
        } else {
            field.iter().rev().fold(0, add)
        })
    }

    /// Calls `each` with the offset of every program header; `None` where they are cut short.
    fn each(&self, mut each: impl FnMut(usize)) -> Option<()> {
        // Offsets of e_phoff, its length, and those of e_phentsize and e_phnum.
        let (table, length, size, count) = match self.elf.bits {
            32 => (28, 4, 42, 44),
            _ => (32, 8, 54, 56),
        };
        let table = usize::try_from(self.number(table, length)?).ok()?;
        let size = usize::try_from(self.number(size, 2)?).ok()?;
        for index in 0..usize::try_from(self.number(count, 2)?).ok()? {
            let header = index.checked_mul(size)?.checked_add(table)?;
            self.number(header, 4)?;
            each(header);
        }
        Some(())
    }
}

impl Program {
    /// Reads a program; `None` if it is no ELF file or cut short.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let headers = Headers::read(bytes)?;
        let mut needs_loader = false;
        headers.each(|header| needs_loader |= headers.number(header, 4) == Some(PT_INTERP))?;
        let elf = headers.elf;
        Some(Self { elf, needs_loader })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_big_endian_program_of_32_bits() {
        let mut program = b"\x7fELF\x01\x02\x01".to_vec();
        program.resize(52 + 2 * 32, 0);
        program[19] = 15; // EM_PARISC
        program[31] = 52; // e_phoff
        program[43] = 32; // e_phentsize
        program[45] = 2; // e_phnum
        program[55] = 1; // PT_LOAD
        let read = |program: &[u8]| Program::read(program).unwrap();
        let elf = read(&program).elf;
        assert_eq!(elf.to_string(), "ELF of 32 bits, big-endian, machine 15");
        assert!(!read(&program).needs_loader);
        program[52 + 32 + 3] = 3; // PT_INTERP
        assert!(read(&program).needs_loader);
        assert_eq!(Program::read(&program[..80]), None);
        assert_eq!(Program::read(b"#!/bin/sh"), None);
    }
}
