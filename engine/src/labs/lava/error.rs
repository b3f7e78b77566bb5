//! Why a LAVA lab could not be used: never a fact about a kernel.

use thiserror::Error;

use super::TokenError;

/// A fault of a LAVA lab, or of how it is used.
#[derive(Debug, Error)]
pub enum LavaError {
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The server cannot be reached, or broke off.
    #[error("cannot {what} at {url}")]
    Unreachable {
        /// What was asked for.
        what: &'static str,
        /// The server.
        url: String,
        /// What went wrong.
        #[source]
        source: reqwest::Error,
    },
    /// The server answered with another address.
    #[error("{url} leads on to {to}: give that address as the lab's `url`")]
    Redirect {
        /// What was asked.
        url: String,
        /// Where it leads.
        to: String,
    },
    /// The server refused.
    #[error("cannot {what}: the server answers {status}{}", after(message))]
    Status {
        /// What was asked for.
        what: &'static str,
        /// Status of HTTP.
        status: u16,
        /// What it said.
        message: String,
    },
    /// The answer is not as LAVA's are.
    #[error("cannot {what}: {url} gave an answer that is none of LAVA's")]
    Answer {
        /// What was asked for.
        what: &'static str,
        /// What was asked.
        url: String,
    },
    /// The server does not know the token.
    #[error("the server does not know the token of user `{0}`")]
    NotKnown(String),
    /// The token is another user's.
    #[error("the token is that of user `{found}`, and the lab is declared for `{wanted}`")]
    OtherUser {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        wanted: String,
    },
    /// The user has rights that a CI must not have.
    #[error(
        "user `{user}` is {what} of the lab ({how}): a CI that anyone's patches lead must not have such rights; use an ordinary user"
    )]
    Standing {
        /// The user.
        user: String,
        /// `staff` or `a superuser`.
        what: &'static str,
        /// How it was found.
        how: &'static str,
    },
    /// It cannot be told what rights the user has.
    #[error("it cannot be told whether user `{user}` is staff of the lab: {why}")]
    StandingUnknown {
        /// The user.
        user: String,
        /// What was asked, and the answer.
        why: String,
    },
    /// The lab did not take a job.
    #[error("the lab refused the job: {0}")]
    Refused(String),
    /// No lab can boot the board.
    #[error("no lab boots it now: {0}")]
    NoDevice(String),
    /// The job waited, or ran, for too long.
    #[error("job {job} of lab `{lab}` was {state} for {secs} s and was cancelled")]
    Late {
        /// The lab.
        lab: String,
        /// The job.
        job: u64,
        /// LAVA's word.
        state: String,
        /// How long.
        secs: u64,
    },
    /// The lab could not be asked for too long.
    #[error(
        "job {job} of lab `{lab}` could not be asked after for {secs} s, and may still run there: {last}"
    )]
    Lost {
        /// The lab.
        lab: String,
        /// The job.
        job: u64,
        /// How long.
        secs: u64,
        /// The last thing that went wrong.
        last: String,
    },
    /// The run ended before the lab had cancelled the job.
    #[error(
        "job {job} of lab `{lab}` could not be cancelled in time: the next run goes on with it"
    )]
    NotCancelled {
        /// The lab.
        lab: String,
        /// The job.
        job: u64,
    },
    /// The console log could not be written.
    #[error("cannot write the console log")]
    Log(#[source] std::io::Error),
    /// The run ended.
    #[error("boot was cancelled")]
    Cancelled,
}

fn after(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(": {message}")
    }
}
