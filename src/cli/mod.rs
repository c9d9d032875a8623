//! The command line: one file a subcommand, a contract that scripts rely on.

pub mod args;
mod browse;
pub mod channels;
pub mod demo;
pub mod devices;
pub mod directory;
pub mod favourites;
pub mod folders;
pub mod host;
pub mod identity;
pub mod keys;
pub mod listen;
pub mod quantity;
pub mod relay;
pub mod report;
pub mod session;
pub mod simulate;
pub mod stations;
pub mod themes;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Cli, Everywhere, Sub};

/// Why a command ended badly: what happened, what to do, and the exit status of the contract.
#[derive(Debug)]
pub struct Failure {
    /// 1 failed, 2 wrong usage, 3 channel not found or not reachable, 4 no usable sound device.
    pub code: u8,
    pub message: String,
    pub hint: String,
    /// Whether standard output has it already, in an object of the command's own.
    pub told: bool,
}

impl Failure {
    /// A failure with exit status 1.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure {
            code: 1,
            message: message.into(),
            hint: hint.into(),
            told: false,
        }
    }

    /// The same for a command whose one JSON object says it, too.
    pub fn told(self) -> Failure {
        Failure { told: true, ..self }
    }

    /// The same with another exit status.
    pub fn code(self, code: u8) -> Failure {
        Failure { code, ..self }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Failure {
        Failure::new(format!("{error:#}"), "run again with -v to see what led to it")
    }
}

/// Reads the command line, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = match read() {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    start_log(&cli.everywhere, full_screen(&cli));
    let json = cli.everywhere.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report::failure(&failure, json);
            ExitCode::from(failure.code)
        }
    }
}

/// Reads the command line; options that nothing would read are refused rather than passed over.
fn read() -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let misplaced = args::misplaced(&matches);
    if !misplaced.is_empty() {
        let sub = matches.subcommand_name().unwrap_or_default();
        let message = format!("{} must stand behind `{sub}`", misplaced.join(", "));
        return Err(command.error(clap::error::ErrorKind::ArgumentConflict, message));
    }
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// Prints the help or version that was asked for, or what is wrong with the command line.
fn refuse(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default();
        let failure = Failure::new(
            first.trim_start_matches("error: "),
            "`inonda --help` lists what there is",
        )
        .code(2);
        report::failure_as_json(&failure);
    }
    ExitCode::from(2)
}

fn run(cli: Cli) -> Result<(), Failure> {
    let everywhere = &cli.everywhere;
    match cli.command {
        // Without a terminal that can be drawn on, the same is offered as lines.
        None if !everywhere.json => browse::run(&cli.node, &cli.hear, everywhere),
        None => {
            Cli::command().print_help().map_err(anyhow::Error::from)?;
            Ok(())
        }
        Some(Sub::Demo(args)) => demo::run(&args, everywhere),
        Some(Sub::Listen(args)) => listen::run(&args, everywhere),
        Some(Sub::Host(args)) => host::run(&args, everywhere),
        Some(Sub::Relay(args)) => relay::run(&args, everywhere),
        Some(Sub::Simulate(args)) => simulate::run(&args, everywhere),
        Some(Sub::Channels(args)) => channels::run(&args, everywhere),
        Some(Sub::Directory(args)) => directory::run(&args, everywhere),
        Some(Sub::Stations(args)) => stations::run(&args, everywhere),
        Some(Sub::Devices) => devices::run(everywhere),
        Some(Sub::Favourites { action }) => favourites::run(action.as_ref(), everywhere),
        Some(Sub::Themes { name }) => {
            let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            let mut out = std::io::stdout().lock();
            themes::run(
                &mut out,
                folders::config(everywhere).as_deref(),
                name.as_deref(),
                everywhere.json,
                colours,
            )
            .map_err(|error| Failure::new(error.to_string(), "`inonda themes` lists them"))
        }
        Some(Sub::Keys { preset }) => {
            let mut out = std::io::stdout().lock();
            keys::run(
                &mut out,
                folders::config(everywhere).as_deref(),
                preset.as_deref(),
                everywhere.json,
            )
            .map_err(|error| Failure::new(error.to_string(), "`inonda keys` prints those in force"))
            .and_then(|trouble| match trouble {
                true => Err(Failure::new(
                    "some lines of keys.toml cannot be used as they are",
                    "mend the lines named above",
                )),
                false => Ok(()),
            })
        }
        Some(Sub::Completions { shell }) => {
            clap_complete::generate(shell, &mut Cli::command(), "inonda", &mut std::io::stdout());
            Ok(())
        }
        Some(Sub::Man) => {
            clap_mangen::Man::new(Cli::command())
                .render(&mut std::io::stdout())
                .map_err(anyhow::Error::from)?;
            Ok(())
        }
    }
}

/// Whether this call draws a full screen: a person at a terminal who did not ask for lines.
pub fn full_screen(cli: &Cli) -> bool {
    let drawn = match &cli.command {
        None | Some(Sub::Demo(_) | Sub::Listen(_)) => true,
        Some(
            Sub::Host(_)
            | Sub::Relay(_)
            | Sub::Simulate(_)
            | Sub::Channels(_)
            | Sub::Stations(_)
            | Sub::Directory(_)
            | Sub::Devices
            | Sub::Favourites { .. }
            | Sub::Themes { .. }
            | Sub::Keys { .. }
            | Sub::Completions { .. }
            | Sub::Man,
        ) => false,
    };
    drawn && draws(&cli.everywhere)
}

/// Whether the terminal can be drawn on and the person did not ask for lines.
pub fn draws(everywhere: &Everywhere) -> bool {
    !everywhere.json
        && !everywhere.plain
        && std::io::stdout().is_terminal()
        && std::io::stdin().is_terminal()
        && std::env::var("TERM").is_ok_and(|term| term != "dumb" && !term.is_empty())
}

/// Logs go to standard error, never to standard output; nowhere while a screen is drawn there.
fn start_log(everywhere: &Everywhere, full_screen: bool) {
    use tracing_subscriber::EnvFilter;
    if full_screen && std::io::stderr().is_terminal() {
        return;
    }
    let level = match (everywhere.quiet, everywhere.verbose) {
        (true, _) => "error",
        (false, 0) => "warn,mainline=off",
        (false, 1) => "warn,mainline=off,inonda=debug",
        (false, _) => "info,inonda=trace",
    };
    let filter = EnvFilter::try_from_env("INONDA_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
}
