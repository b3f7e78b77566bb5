//! What a job came to: its test cases, and why LAVA says it ended.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;

use super::LavaError;
use super::client::Client;
use super::devices::text;

/// A test case of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// Its suite, without the number that LAVA puts before it.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// LAVA's word: `pass`, `fail`, `skip` or `unknown`.
    pub result: String,
    /// What it measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement: Option<String>,
    /// The unit of that.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unit: String,
}

/// How a job ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobEnd {
    /// LAVA's word: `Complete`, `Incomplete` or `Canceled`.
    pub health: String,
    /// Whose fault LAVA says it is: `Job`, `Test`, `Infrastructure`, `Configuration`, `Bug` or `Canceled`; empty where it is nobody's.
    pub error_type: String,
    /// What LAVA says went wrong.
    pub error: String,
    /// The cases of the job's own suites, in the order of the log.
    pub cases: Vec<Case>,
    /// Steps of LAVA's own that failed.
    pub failed_steps: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    error_type: String,
    #[serde(default)]
    error_msg: Value,
}

/// Asks for the results of a job that has ended with a health.
pub(super) async fn ask(client: &Client, job: u64, health: &str) -> Result<JobEnd, LavaError> {
    let path = format!("jobs/{job}/suites/");
    let suites = client.list("ask for the results", &path, &[]).await?;
    let mut end = JobEnd {
        health: health.to_owned(),
        ..JobEnd::default()
    };
    for suite in &suites {
        let (id, name) = (
            suite["id"].as_u64().unwrap_or_default(),
            text(&suite["name"]),
        );
        let path = format!("jobs/{job}/suites/{id}/tests/");
        let mut tests = client.list("ask for the results", &path, &[]).await?;
        tests.sort_by_key(|test| (test["start_log_line"].as_u64(), test["id"].as_u64()));
        for test in &tests {
            if name == "lava" {
                end.own(test);
            } else {
                end.cases.push(case(&name, test));
            }
        }
    }
    Ok(end)
}

impl JobEnd {
    /// A case of LAVA's own suite.
    fn own(&mut self, test: &Value) {
        let name = text(&test["name"]);
        if name == "job" {
            let metadata = text(&test["metadata"]);
            if let Ok(metadata) = serde_saphyr::from_str::<Metadata>(&metadata) {
                self.error_type = metadata.error_type;
                self.error = match metadata.error_msg {
                    Value::String(words) => words,
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
            }
        } else if test["result"] == "fail" {
            self.failed_steps.push(name);
        }
    }
}

fn case(suite: &str, test: &Value) -> Case {
    // `0_smoke`
    let (number, rest) = suite.split_once('_').unwrap_or(("", suite));
    let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let measurement = match &test["measurement"] {
        Value::String(value) if !value.is_empty() => Some(value.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    Case {
        suite: if numbered { rest } else { suite }.to_owned(),
        name: text(&test["name"]),
        result: text(&test["result"]),
        unit: if measurement.is_some() {
            text(&test["unit"])
        } else {
            String::new()
        },
        measurement,
    }
}
