//! What a boot gave: the content of `results.json`.

use serde::Deserialize;
use serde::Serialize;

/// Version of `results.json`.
pub(super) const FORMAT: u32 = 1;

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

/// One test's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestResult {
    /// Name, below its subtests' names: `ext4/inode_test`.
    pub name: String,
    /// What became of it.
    pub result: TestOutcome,
    /// Why it failed or was skipped, with the diagnostic lines before a failure; empty for a pass.
    pub detail: String,
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
    /// `reason`'s cause without numbers and addresses, to tell failures of one kind from others; empty on success.
    pub signature: String,
    /// Results in the order of the log.
    pub tests: Vec<TestResult>,
    /// The kernel's failure lines before the suite's end, without timestamps.
    pub failures: Vec<String>,
    /// What the kernel printed after the first failure line: registers and call trace.
    pub trace: Vec<String>,
    /// How often the kernel printed `WARNING:`.
    pub warnings: u32,
    /// The kernel's `Linux version ...` line; empty when it was not printed.
    pub kernel_version: String,
}
