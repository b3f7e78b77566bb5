//! The interpreter with everything closed that is not needed, and a bound on everything that is.

use std::fs;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use rhai::Dynamic;
use rhai::Engine;
use rhai::EvalAltResult;
use rhai::OptimizationLevel;
use rhai::Position;
use rhai::Token;
use rhai::packages::ArithmeticPackage;
use rhai::packages::BasicArrayPackage;
use rhai::packages::BasicFnPackage;
use rhai::packages::BasicIteratorPackage;
use rhai::packages::BasicMapPackage;
use rhai::packages::BasicMathPackage;
use rhai::packages::BasicStringPackage;
use rhai::packages::LanguageCorePackage;
use rhai::packages::LogicPackage;
use rhai::packages::MoreStringPackage;
use rhai::packages::Package;

use crate::text::Diagnostic;

/// Stack of the evaluating thread. The limits below guard the interpreter, not the stack: a chain of
/// closures that keep each other is as deep as there are operations, and is dropped recursively.
/// Measured: 10 million operations need between 128 and 192 MiB unoptimised. Only what is touched
/// takes memory.
const STACK_BYTES: usize = 512 << 20;

/// Operations of the interpreter; a declaration in a loop costs about twenty.
pub(super) const MAX_OPERATIONS: u64 = 5_000_000;
/// Nested calls of functions.
pub(super) const MAX_CALL_LEVELS: usize = 128;
/// Nesting of expressions; a nested literal costs three levels.
const MAX_EXPRESSION_DEPTH: usize = 192;
/// Bytes of a string, and of all strings in one value.
const MAX_STRING: usize = 1 << 20;
/// Elements of a list, and of all lists in one value; so also how deep lists can nest.
const MAX_ARRAY: usize = 20_000;
/// Entries of a map, and of all maps in one value.
const MAX_MAP: usize = 20_000;
/// Variables in scope, and `let`, `const` and `import` in one file: parsing is quadratic in them.
pub(super) const MAX_VARIABLES: usize = 2_000;
/// Functions in one file.
const MAX_FUNCTIONS: usize = 2_000;
/// Modules of a project.
pub(super) const MAX_MODULES: usize = 1_000;
/// Modules that import each other in a row.
pub(super) const MAX_IMPORT_LEVELS: usize = 64;
/// Lines of a script: the interpreter counts them in 16 bits.
pub(super) const MAX_LINES: usize = 65_000;
/// Processor time; only ends what the other limits let through on a very slow machine.
pub(super) const MAX_TIME: Duration = Duration::from_secs(10);
/// Memory the process may grow by; the interpreter does not count what `m[k] = v` adds.
const MAX_GROWTH_BYTES: u64 = 1 << 30;
/// Operations between two looks at clock and memory.
const LOOK_EVERY: u64 = 256;

/// Why evaluation was ended from outside the interpreter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// [`MAX_TIME`]
    Time,
    /// [`MAX_GROWTH_BYTES`]
    Memory,
    /// Whoever explores wants no more.
    Over,
}

/// Operations of a script that explores: a config asked for in a loop costs some fifty.
pub(super) const MAX_EXPLORING_OPERATIONS: u64 = 20_000_000;

/// Runs an evaluation on a thread with the stack it may need.
pub(super) fn on_large_stack<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, Vec<Diagnostic>> + Send + 'static,
) -> Result<T, Vec<Diagnostic>> {
    let fault = |message: String| {
        vec![Diagnostic {
            message,
            labels: Vec::new(),
            help: None,
            trace: Vec::new(),
        }]
    };
    let thread = thread::Builder::new()
        .name("evaluate".to_owned())
        .stack_size(STACK_BYTES)
        .spawn(run)
        .map_err(|error| fault(format!("cannot start the evaluating thread: {error}")))?;
    thread
        .join()
        .unwrap_or_else(|_| Err(fault("the interpreter failed inside".to_owned())))
}

/// An engine without host functions.
pub(super) fn bounded_engine() -> Engine {
    // Fails when it was set before in this process, to the same value.
    let _ = rhai::config::hashing::set_hashing_seed(Some([1, 2, 3, 4]));
    let mut engine = Engine::new_raw();
    engine
        .register_global_module(LanguageCorePackage::new().as_shared_module())
        .register_global_module(ArithmeticPackage::new().as_shared_module())
        .register_global_module(LogicPackage::new().as_shared_module())
        .register_global_module(BasicStringPackage::new().as_shared_module())
        .register_global_module(MoreStringPackage::new().as_shared_module())
        .register_global_module(BasicIteratorPackage::new().as_shared_module())
        .register_global_module(BasicFnPackage::new().as_shared_module())
        .register_global_module(BasicMathPackage::new().as_shared_module())
        .register_global_module(BasicArrayPackage::new().as_shared_module())
        .register_global_module(BasicMapPackage::new().as_shared_module());
    // `curry` can nest a function in itself without any size being counted.
    for symbol in ["eval", "debug", "curry"] {
        engine.disable_symbol(symbol);
    }
    // `exit` would end a script as if it were complete, `sleep` would hold it up.
    engine.register_fn("exit", || absent("exit"));
    engine.register_fn("exit", |_: Dynamic| absent("exit"));
    engine.register_fn("sleep", |_: i64| absent("sleep"));
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(MAX_OPERATIONS)
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_expr_depths(MAX_EXPRESSION_DEPTH, MAX_EXPRESSION_DEPTH)
        .set_max_string_size(MAX_STRING)
        .set_max_array_size(MAX_ARRAY)
        .set_max_map_size(MAX_MAP)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS)
        .set_max_modules(MAX_MODULES);
    free_words(&mut engine);
    bound_resources(&mut engine, Some(MAX_TIME));
    engine
}

/// An engine without host functions for a script that waits for results, as long as they take.
pub(super) fn exploring_engine() -> Engine {
    let mut engine = bounded_engine();
    engine.set_max_operations(MAX_EXPLORING_OPERATIONS);
    bound_resources(&mut engine, None);
    engine
}

/// Ends what takes too long or grows too large.
fn bound_resources(engine: &mut Engine, time: Option<Duration>) {
    let (started, memory) = (Instant::now(), resident_bytes());
    engine.on_progress(move |operations| {
        if !operations.is_multiple_of(LOOK_EVERY) {
            return None;
        }
        if time.is_some_and(|most| worked().unwrap_or_else(|| started.elapsed()) > most) {
            return Some(Dynamic::from(Ended::Time));
        }
        let growth = resident_bytes().saturating_sub(memory);
        (growth > MAX_GROWTH_BYTES).then(|| Dynamic::from(Ended::Memory))
    });
}

/// Processor time of this thread (`proc_pid_schedstat`): other work on the machine does not count. `None` where the kernel does not tell.
fn worked() -> Option<Duration> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanos = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanos))
}

/// Answers for a function of the language's core that definitions do not have.
fn absent(name: &str) -> Result<(), Box<EvalAltResult>> {
    Err(Box::new(EvalAltResult::ErrorFunctionNotFound(
        name.to_owned(),
        Position::NONE,
    )))
}

/// Gives back words that Rhai reserves without using them: `cfg("A").is("y")`, `cfg("A").module()`, `config.with(…)`
/// and the field `package`.
#[expect(
    deprecated,
    reason = "marked so for being volatile; the tests of definitions would notice"
)]
fn free_words(engine: &mut Engine) {
    engine.on_parse_token(|token, _, _| match token {
        Token::Reserved(word) if matches!(word.as_str(), "is" | "module" | "package" | "with") => {
            Token::Identifier(word)
        }
        token => token,
    });
}

/// Resident memory of this process, or 0 where the system does not say.
fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}
