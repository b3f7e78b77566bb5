//! A token that stops work in progress from another thread.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::io::Read;
use std::io::Write;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

/// Cancels everything that was started with one of its clones; cannot be undone.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    cancelled: bool,
    next: u64,
    hooks: BTreeMap<u64, Box<dyn FnOnce() + Send>>,
}

impl Cancel {
    /// Gives a token that is not cancelled.
    pub fn new() -> Cancel {
        Cancel::default()
    }

    /// Cancels, running every hook that is still set on the calling thread.
    pub fn cancel(&self) {
        let hooks = {
            let mut state = self.state();
            state.cancelled = true;
            std::mem::take(&mut state.hooks)
        };
        for hook in hooks.into_values() {
            hook();
        }
    }

    /// Whether [`Cancel::cancel`] was called.
    pub fn is_cancelled(&self) -> bool {
        self.state().cancelled
    }

    /// Runs `hook` when the token is cancelled, at once if it already is. Dropping the guard takes
    /// the hook away.
    #[must_use = "the hook is taken away when the guard is dropped"]
    pub fn on_cancel(&self, hook: impl FnOnce() + Send + 'static) -> OnCancel {
        let mut state = self.state();
        let id = state.next;
        state.next += 1;
        if state.cancelled {
            drop(state);
            hook();
        } else {
            state.hooks.insert(id, Box::new(hook));
        }
        OnCancel {
            cancel: self.clone(),
            id,
        }
    }

    /// A reader or writer that fails once this is cancelled.
    pub fn watching<T>(&self, inner: T) -> Watching<T> {
        Watching {
            cancel: self.clone(),
            inner,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, so a poisoned state is still whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}

/// What [`Cancel::watching`] gives.
#[derive(Debug)]
pub struct Watching<T> {
    cancel: Cancel,
    inner: T,
}

impl<T> Watching<T> {
    /// What was watched.
    pub fn into_inner(self) -> T {
        self.inner
    }

    fn look(&self) -> io::Result<()> {
        if self.cancel.is_cancelled() {
            // Not `Interrupted`, which readers take up again.
            return Err(io::Error::other("interrupted"));
        }
        Ok(())
    }
}

impl<T: Read> Read for Watching<T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.look()?;
        self.inner.read(buffer)
    }
}

impl<T: Write> Write for Watching<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.look()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Keeps a hook of [`Cancel::on_cancel`] set.
#[derive(Debug)]
pub struct OnCancel {
    cancel: Cancel,
    id: u64,
}

impl Drop for OnCancel {
    fn drop(&mut self) {
        self.cancel.state().hooks.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicU32;
    use std::sync::atomic::Ordering;

    use super::Cancel;

    #[test]
    fn hooks_run_once_and_only_while_guarded() {
        let (cancel, runs) = (Cancel::new(), Arc::new(AtomicU32::new(0)));
        let hook = || {
            let runs = Arc::clone(&runs);
            move || {
                runs.fetch_add(1, Ordering::SeqCst);
            }
        };
        drop(cancel.on_cancel(hook()));
        let _kept = cancel.on_cancel(hook());
        assert!(!cancel.is_cancelled());
        cancel.clone().cancel();
        cancel.cancel();
        assert!(cancel.is_cancelled());
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        let _late = cancel.on_cancel(hook());
        assert_eq!(runs.load(Ordering::SeqCst), 2);
    }
}
