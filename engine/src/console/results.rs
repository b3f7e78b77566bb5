//! What a boot gave: the content of `results.json`.

use serde::Deserialize;
use serde::Serialize;

use super::findings::Finding;

/// Version of `results.json`.
pub(super) const FORMAT: u32 = 2;

/// How the machine's run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The machine's program ended by itself with this status.
    Exited(i32),
    /// It was killed: by a signal from outside, or by the lab once nothing more was to come.
    Killed,
    /// It printed nothing for too long.
    Silence,
    /// It ran for too long.
    Total,
}

/// What a boot means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootVerdict {
    /// The suite ended with status 0, every test passed or was skipped, the kernel did not complain.
    Succeeded,
    /// The kernel or a test failed.
    Failed,
    /// The machine never ran, or was killed before it was done: says nothing about the kernel.
    Broken,
}

/// What became of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestOutcome {
    /// `ok`
    Pass,
    /// `not ok`
    Fail,
    /// Skipped, not implemented (`TODO`) or known to fail (`XFAIL`).
    Skip,
}

/// Something that a test measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measurement {
    /// What.
    pub name: String,
    /// A decimal number, as printed.
    pub value: String,
    /// Its unit, as printed; empty for none.
    pub unit: String,
}

/// One test's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// Name, below its groups' names: `ext4/inode_test`.
    pub name: String,
    /// What became of it.
    pub result: TestOutcome,
    /// Why it failed or was skipped, with the diagnostic lines before a failure; empty for a pass.
    pub detail: String,
    /// What it measured, durations included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub measurements: Vec<Measurement>,
}

/// Verdict and findings of one boot. Holds no times, so two equal boots give equal results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootResults {
    /// Version of this format.
    pub format: u32,
    /// What the boot means.
    pub verdict: BootVerdict,
    /// Why it did not succeed; empty when it did.
    pub reason: String,
    /// Of the finding that `reason` is about, else `reason` without numbers and addresses: tells failures of one kind from others; empty on success.
    pub signature: String,
    /// What is to be said of a boot that succeeded: warnings, expected findings, a suite without tests; empty for nothing.
    #[serde(default)]
    pub remark: String,
    /// Results in the order of the log.
    pub tests: Vec<TestResult>,
    /// What the kernel complained about before the suite's end, in the order of the log, with what is only told last.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// How often the kernel warned.
    pub warnings: u32,
    /// The kernel's `Linux version ...` line; empty when it was not printed.
    pub kernel_version: String,
}

impl BootResults {
    /// How many tests ended so.
    pub fn count(&self, outcome: TestOutcome) -> usize {
        let such = self.tests.iter().filter(|test| test.result == outcome);
        such.count()
    }
}
