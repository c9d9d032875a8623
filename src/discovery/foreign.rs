//! Lists of other programs: PeerCast's yellow pages, fetched over HTTP from time to time.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::discovery::index_txt;
use crate::discovery::listing::{Listing, Origin};
use crate::discovery::service::Wants;
use crate::limits::FOREIGN_LIST_MAX_BYTES;
use crate::net::web;

/// How often a list is fetched; yellow pages ask for not more.
pub const AGAIN: Duration = Duration::from_secs(180);

/// Whether a directory's address is that of such a list.
pub fn is_list(directory: &str) -> bool {
    directory.starts_with("http://") || directory.starts_with("https://")
}

/// Fetches a list while somebody looks.
pub(super) async fn follow(
    list: String,
    mut wants: watch::Receiver<Wants>,
    lists: mpsc::Sender<(String, Result<Vec<Listing>, String>)>,
) {
    if wants.wait_for(|wants| wants.browse).await.is_err() {
        return;
    }
    loop {
        let before = wants.borrow().refresh;
        let read = fetch(&list).await;
        if lists.send((list.clone(), read)).await.is_err() {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = wants.wait_for(|wants| wants.refresh != before) => {}
        }
    }
}

async fn fetch(list: &str) -> Result<Vec<Listing>, String> {
    let client = web::client(list).map_err(|error| error.to_string())?;
    let body = web::fetch(&client, list, FOREIGN_LIST_MAX_BYTES)
        .await
        .map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&body);
    Ok(index_txt::read(&text, &Origin::Directory(list.to_owned())))
}
