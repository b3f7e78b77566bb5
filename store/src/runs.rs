//! Runs, and the outcomes of names: a history in which only changes are written.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering;

use rusqlite::Connection;
use rusqlite::OptionalExtension;
use rusqlite::Row;
use rusqlite::Transaction;
use rusqlite::params;

use crate::database::Durability;
use crate::digest::Digest;
use crate::error::StoreError;
use crate::store::Store;

/// The number of a run; later runs have higher ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: RunId,
    /// What was asked for.
    pub command: String,
    /// When it began, in milliseconds since the epoch.
    pub began_ms: u64,
    /// When it finished; nothing while it runs, or if it was killed.
    pub finished_ms: Option<u64>,
}

/// How it ended for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeVerdict {
    /// It has a record that succeeded.
    Succeeded,
    /// It has a record that failed.
    Failed,
    /// The machine failed it; nothing is known.
    Broken,
    /// It was not tried, because something before it did not succeed.
    Skipped,
}

impl OutcomeVerdict {
    const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::Broken, Self::Skipped];

    fn number(self) -> i64 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            Self::Broken => 2,
            Self::Skipped => 3,
        }
    }

    fn from_number(number: i64) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.number() == number)
    }
}

/// How a run ended for a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The name.
    pub name: String,
    /// The kind, in the words of the caller.
    pub kind: String,
    /// The key of its record, where it came to have one.
    pub key: Option<Digest>,
    /// How it ended.
    pub verdict: OutcomeVerdict,
    /// Why, for people.
    pub reason: String,
    /// Whether the record was there before the run.
    pub cached: bool,
}

impl Outcome {
    /// Whether this tells nothing that `other`, which was there before, did not.
    ///
    /// A result is its key and verdict: that it comes from the cache now is no news.
    fn repeats(&self, other: &Self) -> bool {
        let result = matches!(
            self.verdict,
            OutcomeVerdict::Succeeded | OutcomeVerdict::Failed
        );
        self.kind == other.kind
            && self.key == other.key
            && self.verdict == other.verdict
            && (result || self.reason == other.reason)
    }
}

const COLUMNS: &str = "name, kind, key, verdict, reason, cached";

fn outcome(row: &Row<'_>) -> rusqlite::Result<Outcome> {
    let number = row.get(3)?;
    Ok(Outcome {
        name: row.get(0)?,
        kind: row.get(1)?,
        key: row.get::<_, Option<[u8; 32]>>(2)?.map(Digest),
        verdict: OutcomeVerdict::from_number(number)
            .ok_or(rusqlite::Error::IntegralValueOutOfRange(3, number))?,
        reason: row.get(4)?,
        cached: row.get(5)?,
    })
}

fn currents(connection: &Connection) -> Result<Vec<Outcome>, StoreError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM history WHERE until_run IS NULL ORDER BY name"
    ))?;
    Ok(statement
        .query_map([], outcome)?
        .collect::<Result<_, _>>()?)
}

/// Whatever was settled is not any more.
pub(crate) fn unsettle(transaction: &Transaction<'_>) -> Result<(), StoreError> {
    transaction
        .prepare_cached("DELETE FROM meta WHERE name = 'settled'")?
        .execute([])?;
    Ok(())
}

impl Store {
    /// Begins a run; `now_ms` is in milliseconds since the epoch. Records committed by this handle
    /// from now on are kept as long as the run is.
    pub fn begin_run(&self, command: &str, now_ms: u64) -> Result<RunId, StoreError> {
        let id = self.change(Durability::Process, |transaction| {
            transaction
                .prepare_cached("INSERT INTO runs (command, began_ms) VALUES (?1, ?2)")?
                .execute(params![command, now_ms.cast_signed()])?;
            Ok(transaction.last_insert_rowid())
        })?;
        self.run.store(id, Ordering::Relaxed);
        Ok(RunId(id))
    }

    /// Finishes a run with its outcomes, of which those that are news are written; names that are
    /// not among them keep the outcome they had. Returns how many were news.
    pub fn finish_run(
        &self,
        run: RunId,
        now_ms: u64,
        outcomes: &[Outcome],
    ) -> Result<usize, StoreError> {
        self.change(Durability::Process, |transaction| {
            let before: BTreeMap<String, Outcome> = currents(transaction)?
                .into_iter()
                .map(|o| (o.name.clone(), o))
                .collect();
            let news: Vec<_> = outcomes
                .iter()
                .filter(|new| !before.get(&new.name).is_some_and(|old| new.repeats(old)))
                .collect();
            for new in &news {
                close(transaction, &new.name, run)?;
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO history VALUES (?1, ?2, NULL, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        new.name,
                        run.0,
                        new.kind,
                        new.key.map(|key| key.0),
                        new.verdict.number(),
                        new.reason,
                        new.cached,
                    ])?;
            }
            if !news.is_empty() {
                unsettle(transaction)?;
            }
            transaction
                .prepare_cached("UPDATE runs SET finished_ms = ?2 WHERE id = ?1")?
                .execute(params![run.0, now_ms.cast_signed()])?;
            Ok(news.len())
        })
    }

    /// Ends the current outcomes of the names that `wanted` does not want, and returns how many:
    /// names that left the definitions would otherwise keep their results for ever.
    pub fn retire(&self, run: RunId, wanted: impl Fn(&str) -> bool) -> Result<usize, StoreError> {
        self.change(Durability::Process, |transaction| {
            let unwanted: Vec<_> = currents(transaction)?
                .into_iter()
                .filter(|o| !wanted(&o.name))
                .collect();
            for outcome in &unwanted {
                close(transaction, &outcome.name, run)?;
            }
            if !unwanted.is_empty() {
                unsettle(transaction)?;
            }
            Ok(unwanted.len())
        })
    }

    /// The current outcome of every name, in the order of names.
    pub fn currents(&self) -> Result<Vec<Outcome>, StoreError> {
        let connection = self.database();
        currents(&connection)
    }

    /// The current outcome of a name.
    pub fn current(&self, name: &str) -> Result<Option<Outcome>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM history WHERE until_run IS NULL AND name = ?1"
        ))?;
        Ok(statement.query_row([name], outcome).optional()?)
    }

    /// The outcomes a name had, newest first, each with the run it came with.
    pub fn history(&self, name: &str) -> Result<Vec<(RunId, Outcome)>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {COLUMNS}, since_run FROM history WHERE name = ?1 ORDER BY since_run DESC"
        ))?;
        let rows = statement.query_map([name], |row| Ok((RunId(row.get(6)?), outcome(row)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// All runs, newest first.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        let connection = self.database();
        let mut statement = connection.prepare_cached(
            "SELECT id, command, began_ms, finished_ms FROM runs ORDER BY id DESC",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Run {
                id: RunId(row.get(0)?),
                command: row.get(1)?,
                began_ms: row.get::<_, i64>(2)?.cast_unsigned(),
                finished_ms: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What was settled by [`Store::set_settled`], if no record and no outcome changed since.
    pub fn settled(&self) -> Result<Option<Digest>, StoreError> {
        let connection = self.database();
        let mut statement =
            connection.prepare_cached("SELECT value FROM meta WHERE name = 'settled'")?;
        Ok(statement
            .query_row([], |row| row.get(0).map(Digest))
            .optional()?)
    }

    /// Notes that the outcomes on file are those of the state with this digest, so that a run
    /// that finds the same state need not be written at all.
    pub fn set_settled(&self, digest: Digest) -> Result<(), StoreError> {
        self.change(Durability::Process, |transaction| {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('settled', ?1)")?
                .execute([digest.0])?;
            Ok(())
        })
    }
}

/// Ends the current outcome of a name. One that came with this very run is replaced instead.
fn close(transaction: &Transaction<'_>, name: &str, run: RunId) -> Result<(), StoreError> {
    transaction
        .prepare_cached("UPDATE history SET until_run = ?2 WHERE name = ?1 AND until_run IS NULL")?
        .execute(params![name, run.0])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, verdict: OutcomeVerdict, reason: &str) -> Outcome {
        let key = (verdict == OutcomeVerdict::Succeeded).then(|| Digest::of(reason.as_bytes()));
        let (name, reason) = (name.to_owned(), reason.to_owned());
        Outcome {
            name,
            kind: "kernel".to_owned(),
            key,
            verdict,
            reason,
            cached: false,
        }
    }

    #[test]
    fn only_news_are_written() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let first = store.begin_run("realise", 1).unwrap();
        let a = outcome("a", OutcomeVerdict::Succeeded, "1");
        let b = outcome("b", OutcomeVerdict::Broken, "disk full");
        assert_eq!(
            store.finish_run(first, 2, &[a.clone(), b.clone()]).unwrap(),
            2
        );
        store.set_settled(Digest::of(b"1")).unwrap();

        let second = store.begin_run("realise", 3).unwrap();
        let cached = Outcome {
            cached: true,
            ..a.clone()
        };
        assert_eq!(
            store.finish_run(second, 4, &[cached, b.clone()]).unwrap(),
            0
        );
        assert_eq!(store.settled().unwrap(), Some(Digest::of(b"1")));

        let third = store.begin_run("realise b", 5).unwrap();
        let mended = outcome("b", OutcomeVerdict::Succeeded, "2");
        assert_eq!(
            store
                .finish_run(third, 6, std::slice::from_ref(&mended))
                .unwrap(),
            1
        );
        assert_eq!(store.settled().unwrap(), None);
        assert_eq!(store.currents().unwrap(), [a.clone(), mended.clone()]);
        assert_eq!(store.current("b").unwrap(), Some(mended.clone()));
        assert_eq!(store.history("b").unwrap(), [(third, mended), (first, b)]);
        let runs = store.runs().unwrap();
        let shown: Vec<_> = runs
            .iter()
            .map(|r| (r.id, &*r.command, r.finished_ms))
            .collect();
        let wanted = [
            (third, "realise b", Some(6)),
            (second, "realise", Some(4)),
            (first, "realise", Some(2)),
        ];
        assert_eq!(shown, wanted);

        assert_eq!(store.retire(third, |name| name == "a").unwrap(), 1);
        assert_eq!(store.currents().unwrap(), [a]);
    }

    #[test]
    fn a_run_may_finish_a_name_twice() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let run = store.begin_run("realise", 1).unwrap();
        let (one, two) = (
            outcome("a", OutcomeVerdict::Broken, "1"),
            outcome("a", OutcomeVerdict::Broken, "2"),
        );
        store.finish_run(run, 2, &[one, two.clone()]).unwrap();
        assert_eq!(store.history("a").unwrap(), [(run, two)]);
    }
}
