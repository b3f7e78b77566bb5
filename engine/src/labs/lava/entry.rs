//! The log of a job, line by line.

use serde::Deserialize;
use serde_json::Value;

/// Characters of a message that a log keeps: LAVA cuts its own at 10 MB.
const MOST_CHARS: usize = 16 << 10;

/// One line of a job's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The machine printed it.
    Console(String),
    /// LAVA or its dispatcher said it: the level, and the words.
    Said(String, String),
}

#[derive(Deserialize)]
struct Line {
    lvl: String,
    msg: Value,
}

impl Entry {
    /// Reads a line such as `- {"dt": "…", "lvl": "target", "msg": "…"}`. Nearly all are JSON; some results hold tags of YAML.
    pub fn parse(line: &str) -> Option<Self> {
        let flow = line.strip_prefix("- ")?;
        let parsed: Option<Line> = serde_json::from_str(flow).ok();
        let parsed = parsed.or_else(|| serde_saphyr::from_str(flow).ok());
        let Some(Line { lvl, msg }) = parsed else {
            return Some(Self::Said("unreadable".to_owned(), cut(flow)));
        };
        let text = match msg {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Some(match lvl.as_str() {
            "target" | "feedback" => Self::Console(cut(&text)),
            _ => Self::Said(lvl, cut(&text)),
        })
    }

    /// Whether LAVA says that it ends the job: `start: 4 finalize (timeout …)`, or `Cleaning after the job` where it was cancelled or timed out.
    pub(super) fn is_end(&self) -> bool {
        let Self::Said(level, text) = self else {
            return false;
        };
        let mut words = text.split(' ');
        let finalize = words.next() == Some("start:") && words.nth(1) == Some("finalize");
        level == "info" && (finalize || text == "Cleaning after the job")
    }

    /// What LAVA typed, if it did.
    pub(super) fn input(&self) -> Option<&str> {
        let Self::Said(level, text) = self else {
            return None;
        };
        let text = text.trim();
        (level == "input" && !text.is_empty()).then_some(text)
    }

    /// Whether whoever looks for a failure reads it.
    pub(super) fn is_brief(&self) -> bool {
        match self {
            Self::Console(_) => true,
            Self::Said(level, _) => matches!(level.as_str(), "warning" | "error" | "exception"),
        }
    }

    /// How it stands in a log.
    pub fn line(&self) -> String {
        match self {
            Self::Console(text) => text.clone(),
            Self::Said(level, text) => format!("[lava {level}] {}", text.replace('\n', " ")),
        }
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_as_lava_has_them() {
        let console = r#"- {"dt": "2026-11-22T06:44:46.524405", "lvl": "target", "msg": "[    0.000000] Linux version 6.1"}"#;
        assert_eq!(
            Entry::parse(console),
            Some(Entry::Console(
                "[    0.000000] Linux version 6.1".to_owned()
            ))
        );
        let tagged = r#"- {"dt": "2026-11-22T06:44:46.5", "lvl": "results", "msg": {"case": "a", "starttc": ! "564"}}"#;
        let Some(Entry::Said(level, _)) = Entry::parse(tagged) else {
            panic!("{:?}", Entry::parse(tagged));
        };
        assert_eq!(level, "results");
        assert_eq!(Entry::parse("no entry"), None);
        let end = r#"- {"dt": "2026", "lvl": "info", "msg": "start: 4 finalize (timeout 00:02:30) [common]"}"#;
        assert!(Entry::parse(end).unwrap().is_end());
        let torn = Entry::parse("- {\"dt\": \"2026");
        assert!(matches!(torn, Some(Entry::Said(level, _)) if level == "unreadable"));
    }
}
