//! Who the token's user is, and that they have no rights of staff.
//!
//! A superuser may read every token of a server, and staff may change its devices; whoever's patches a CI builds leads what it does. LAVA does
//! not say the standing of a user in one place, so it is asked where the answers differ, without changing anything:
//!
//! - releases from 2026.04 on tell it of `users/` to those who may know;
//! - `permissions/devicetypes/` is for superusers alone, from 2023.01 on;
//! - `system.set_user_groups` of an address that no user can have looks at `is_staff` first (from 2022.10 on): 403 for others, 400 for staff.
//!
//! Any other answer says that the standing is unknown, never that it is good.

use reqwest::StatusCode;
use serde_json::Value;

use super::LavaError;
use super::client::Client;
use super::xmlrpc::Answer;
use super::xmlrpc::Argument;

/// A user that no server has: `.invalid` is reserved (RFC 2606).
const NOBODY: &str = "nobody@engine.invalid";

/// Fails unless the token belongs to `user`, who is neither staff nor a superuser.
pub(super) async fn check(client: &Client, user: &str) -> Result<(), LavaError> {
    let what = "ask who the token's user is";
    let (status, body) = client.answer(what, "system/whoami/", &[]).await?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let found = match (status, answer["user"].as_str()) {
        // Such a server takes a token that it does not know for an error.
        (StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _) | (StatusCode::OK, Some("")) => {
            return Err(LavaError::NotKnown(user.to_owned()));
        }
        (StatusCode::OK, Some(found)) => found.to_owned(),
        _ => {
            return Err(LavaError::Status {
                what,
                status: status.as_u16(),
                message: "not as LAVA's `system/whoami/`".to_owned(),
            });
        }
    };
    if found != user {
        let wanted = user.to_owned();
        return Err(LavaError::OtherUser { found, wanted });
    }
    let standing = |what, how| {
        let user = user.to_owned();
        Err(LavaError::Standing { user, what, how })
    };
    let unknown = |why: String| {
        let user = user.to_owned();
        Err(LavaError::StandingUnknown { user, why })
    };

    let (status, body) = client
        .answer("ask for the user's rights", "users/", &[("username", user)])
        .await?;
    if status == StatusCode::OK {
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        let rows = answer["results"].as_array().map_or(&[][..], Vec::as_slice);
        if let Some(own) = rows.iter().find(|row| row["username"] == *user) {
            let how = "`users/` says so";
            if own["is_superuser"] != false {
                return standing("a superuser", how);
            }
            if own["is_staff"] != false {
                return standing("staff", how);
            }
        }
    }

    let (status, _) = client
        .answer("ask for the user's rights", "permissions/devicetypes/", &[])
        .await?;
    match status {
        StatusCode::OK => {
            return standing("a superuser", "it may read `permissions/devicetypes/`");
        }
        StatusCode::FORBIDDEN => {}
        other => return unknown(format!("`permissions/devicetypes/` answers {other}")),
    }

    let arguments = [Argument::Text(NOBODY), Argument::EmptyList];
    let method = "system.set_user_groups";
    match client
        .xmlrpc("ask for the user's rights", method, &arguments)
        .await
    {
        Ok(Answer::Fault(403, _)) => Ok(()),
        Ok(Answer::Fault(400, _) | Answer::Value) => {
            standing("staff", "it may call `system.set_user_groups`")
        }
        Ok(Answer::Fault(code, words)) => unknown(format!("`{method}` answers {code}, {words}")),
        Err(error @ LavaError::Unreachable { .. }) => Err(error),
        Err(error) => unknown(error.to_string()),
    }
}
