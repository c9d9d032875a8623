//! Opening a line to whoever stands behind a name: all its addresses, one a moment after the other, the first that answers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::net::ask::Line;
use crate::net::{DialError, Endpoint};

/// How long looking up a name, and how long dialling one address, may take.
const DIAL_MAX: Duration = Duration::from_secs(6);
/// Lead of one address over the next, as RFC 8305 recommends: a dead family costs no more than that.
const LEAD: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const ADDRS_TRIED_MAX: usize = 4;

/// Opens a line to `host:port`.
///
/// # Errors
/// Says in words why nobody was reached.
pub async fn line(endpoint: &Endpoint, name: &str) -> Result<Line, String> {
    let addrs: Vec<SocketAddr> = match timeout(DIAL_MAX, tokio::net::lookup_host(name)).await {
        Ok(Ok(addrs)) => addrs.take(ADDRS_TRIED_MAX).collect(),
        Ok(Err(_)) => return Err("its name is not known".into()),
        Err(_) => return Err("its name is not found in time".into()),
    };
    let mut attempts = JoinSet::new();
    for (at, addr) in addrs.into_iter().enumerate() {
        let endpoint = endpoint.clone();
        attempts.spawn(async move {
            tokio::time::sleep(LEAD * at as u32).await;
            timeout(DIAL_MAX, endpoint.ask(addr)).await
        });
    }
    let mut why = String::from("it has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(Ok(line))) => return Ok(line),
            Ok(Ok(Err(DialError::TimedOut)) | Err(_)) => why = "it does not answer".into(),
            Ok(Ok(Err(error))) => why = error.to_string(),
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Identity;

    #[tokio::test]
    async fn a_name_is_reached_at_whichever_of_its_addresses_answers() {
        let here = |ip: &str| {
            let bind = format!("{ip}:0").parse().unwrap();
            Endpoint::bind(bind, &Identity::generate().unwrap()).unwrap().0
        };
        let (server, client) = (here("127.0.0.1"), here("127.0.0.1"));
        let _hears = server.lines();
        // On most machines `localhost` means ::1 first, where nobody is.
        let name = format!("localhost:{}", server.bound().port());
        let found = line(&client, &name).await.unwrap();
        assert_eq!(found.peer(), server.peer());
        assert!(line(&client, "no such name:1").await.is_err());
    }
}
