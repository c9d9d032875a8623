//! `inonda directory`: serve a directory of channels.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::cli::args::{DirectoryArgs, Everywhere};
use crate::cli::session::{self, Until};
use crate::cli::{Failure, folders, identity, listen};
use crate::engine::directory::{self, DirectoryConfig, Rules};
use crate::engine::node::StartError;

/// The port a directory takes when it is free: one above a host's.
pub const DIRECTORY_PORT: u16 = 7145;

/// Serves until told to stop.
///
/// # Errors
/// A taken port, a state folder that another directory holds.
pub fn run(args: &DirectoryArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let held = identity::named(everywhere, "directory")?;
    let mut binds = vec![
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, DIRECTORY_PORT)),
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, DIRECTORY_PORT)),
    ];
    binds.extend(listen::any_port());
    let binds = args.bind.map_or(binds, |bind| vec![bind]);
    let first = binds.first().copied();
    let mut trouble = None;
    for bind in binds {
        let config = DirectoryConfig {
            identity: held.identity.clone(),
            bind,
            state: Some(folders::state(everywhere)?),
            rules: Rules {
                probe: !args.no_probe,
                ..Rules::default()
            },
            others: args.directories.iter().chain(&args.peers).cloned().collect(),
            http: args.http,
            dht: (!args.no_dht).then(|| args.bootstrap.clone()),
        };
        match directory::start(config) {
            Ok(handle) => {
                session::say_port_taken(first, bind, everywhere);
                return session::follow(handle, everywhere, Until::Told);
            }
            Err(error @ StartError::Net(_)) => trouble = Some(error),
            Err(error) => return Err(Failure::new(error.to_string(), "nothing was changed")),
        }
    }
    Err(session::start_failure(trouble))
}
