//! All records at once, slim: what a run that has nothing to do reads.

use crate::digest::Digest;
use crate::error::StoreError;
use crate::record::Verdict;
use crate::store::Store;

/// The slim rows of all records, sorted by key.
///
/// Texts and outputs of all rows lie one after the other in two buffers, so that 100,000 rows are
/// a handful of allocations.
#[derive(Clone, Debug)]
pub struct Records {
    rows: Vec<Brief>,
    /// Where the rows begin whose key begins with these two bytes; 65,537 numbers.
    starts: Vec<u32>,
    texts: String,
    outputs: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Brief {
    key: Digest,
    duration_ms: u64,
    /// Where the facts begin, where the message begins, where it ends.
    texts: [usize; 3],
    outputs: [usize; 2],
    verdict: Verdict,
}

/// One slim row.
#[derive(Clone, Copy, Debug)]
pub struct BriefRef<'a> {
    records: &'a Records,
    row: &'a Brief,
}

impl<'a> BriefRef<'a> {
    /// The key.
    pub fn key(&self) -> Digest {
        self.row.key
    }

    /// Whether the action succeeded.
    pub fn verdict(&self) -> Verdict {
        self.row.verdict
    }

    /// The facts: JSON.
    pub fn facts(&self) -> &'a str {
        &self.records.texts[self.row.texts[0]..self.row.texts[1]]
    }

    /// The line for people.
    pub fn message(&self) -> &'a str {
        &self.records.texts[self.row.texts[1]..self.row.texts[2]]
    }

    /// How long the action took, in milliseconds.
    pub fn duration_ms(&self) -> u64 {
        self.row.duration_ms
    }

    /// The outputs, in the order of their names.
    pub fn outputs(&self) -> impl Iterator<Item = (&'a str, Digest)> + use<'a> {
        outputs(&self.records.outputs[self.row.outputs[0]..self.row.outputs[1]])
    }

    /// The output of a name.
    pub fn output(&self, name: &str) -> Option<Digest> {
        self.outputs()
            .find(|(there, _)| *there == name)
            .map(|(_, digest)| digest)
    }
}

/// Reads what [`crate::record::pack_outputs`] packed, up to the first byte that is none of it.
pub(crate) fn outputs(mut packed: &[u8]) -> impl Iterator<Item = (&str, Digest)> {
    std::iter::from_fn(move || {
        let (output, rest) = postcard::take_from_bytes(packed).ok()?;
        packed = rest;
        Some(output)
    })
}

impl Records {
    /// Finds the row of a key.
    pub fn get(&self, key: &Digest) -> Option<BriefRef<'_>> {
        let first = usize::from(u16::from_be_bytes([key.0[0], key.0[1]]));
        let from = usize::try_from(self.starts[first]).ok()?;
        let to = usize::try_from(self.starts[first + 1]).ok()?;
        let rows = self.rows.get(from..to)?;
        let at = rows.binary_search_by(|row| row.key.cmp(key)).ok()?;
        Some(BriefRef {
            records: self,
            row: &rows[at],
        })
    }

    /// All rows, in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = BriefRef<'_>> {
        self.rows.iter().map(|row| BriefRef { records: self, row })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Counts the rows up to each pair of first bytes.
    fn index(&mut self) {
        self.starts = vec![0; 65_537];
        for row in &self.rows {
            self.starts[usize::from(u16::from_be_bytes([row.key.0[0], row.key.0[1]])) + 1] += 1;
        }
        for at in 1..self.starts.len() {
            self.starts[at] += self.starts[at - 1];
        }
    }
}

impl Store {
    /// Loads the slim rows of all records in one read, and touches no blob: whether the outputs
    /// are still there is seen when they are used.
    pub fn load_records(&self) -> Result<Records, StoreError> {
        let connection = self.database();
        let count: i64 =
            connection.query_row("SELECT COUNT(*) FROM records", [], |row| row.get(0))?;
        let mut records = Records {
            rows: Vec::with_capacity(usize::try_from(count).unwrap_or(0)),
            starts: Vec::new(),
            texts: String::new(),
            outputs: Vec::new(),
        };
        let mut statement = connection.prepare_cached(
            "SELECT key, verdict, duration_ms, outputs, facts, message FROM records ORDER BY key",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let number: i64 = row.get(1)?;
            let verdict = Verdict::from_number(number)
                .ok_or(rusqlite::Error::IntegralValueOutOfRange(1, number))?;
            let (texts, outputs) = (records.texts.len(), records.outputs.len());
            records
                .texts
                .push_str(row.get_ref(4)?.as_str().map_err(rusqlite::Error::from)?);
            let middle = records.texts.len();
            records
                .texts
                .push_str(row.get_ref(5)?.as_str().map_err(rusqlite::Error::from)?);
            let packed = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
            records.outputs.extend_from_slice(packed);
            records.rows.push(Brief {
                key: Digest(row.get(0)?),
                duration_ms: row.get::<_, i64>(2)?.cast_unsigned(),
                texts: [texts, middle, records.texts.len()],
                outputs: [outputs, records.outputs.len()],
                verdict,
            });
        }
        records.index();
        Ok(records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::put_record;

    #[test]
    fn slim_rows_say_what_the_records_say() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        assert!(store.load_records().unwrap().is_empty());
        let mut committed = Vec::new();
        for number in 0..50 {
            let mut record = put_record(&store, &format!("n{number}"));
            record.facts = format!("{{\"n\":{number}}}");
            record.message = "é".repeat(number);
            record.duration_ms = number as u64;
            record.outputs.insert("b".to_owned(), record.manifest);
            if number % 2 == 0 {
                record.verdict = Verdict::Failed;
            }
            store.commit(&record).unwrap();
            committed.push(record);
        }
        let records = store.load_records().unwrap();
        assert_eq!(records.len(), 50);
        for record in &committed {
            let brief = records.get(&record.key).unwrap();
            assert_eq!(brief.key(), record.key);
            assert_eq!(brief.verdict(), record.verdict);
            assert_eq!(
                (brief.facts(), brief.message()),
                (&*record.facts, &*record.message)
            );
            assert_eq!(brief.duration_ms(), record.duration_ms);
            let outputs: Vec<_> = record
                .outputs
                .iter()
                .map(|(n, d)| (n.as_str(), *d))
                .collect();
            assert_eq!(brief.outputs().collect::<Vec<_>>(), outputs);
            assert_eq!(brief.output("b"), Some(record.manifest));
            assert_eq!(brief.output("c"), None);
        }
        assert!(records.get(&Digest([0; 32])).is_none());
        assert!(records.get(&Digest([255; 32])).is_none());
    }
}
