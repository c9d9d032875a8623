//! `inonda simulate`: the mesh in virtual time, and an answer to what a host asks before going on air.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::cli::Failure;
use crate::cli::args::{Everywhere, SimulateArgs};
use crate::sim::scenario::Crash;
use crate::sim::{self, Report, Scenario, World};

/// Pause between two lines of progress: on a terminal, where one line is written over, and elsewhere.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);
const PROGRESS_LINE_EVERY: Duration = Duration::from_secs(10);

/// Runs one scenario and reports, or many small ones of a swarm.
///
/// # Errors
/// Exit status 2 for a scenario that cannot be run, 1 when an invariant was violated or a file could not be written.
pub fn run(args: &SimulateArgs, everywhere: &Everywhere) -> Result<(), Failure> {
    let scenario = scenario(args)?;
    if let Some(count) = args.swarm {
        return swarm(scenario.seed, count, everywhere);
    }
    let mut progress = Progress::new(everywhere);
    let mut report = sim::run(scenario, |world| progress.tell(world));
    report.wall_s = progress.end();
    if let Some(file) = &args.svg {
        std::fs::write(file, sim::svg::draw(&report)).map_err(|error| {
            Failure::new(
                format!("cannot write {}: {error}", file.display()),
                "name a file in a folder that exists and can be written",
            )
        })?;
    }
    if everywhere.json {
        print(&serde_json::to_string(&report).map_err(anyhow::Error::from)?)?;
    } else {
        print(&report.to_text())?;
    }
    judge(&report)
}

fn judge(report: &Report) -> Result<(), Failure> {
    if report.violations == 0 {
        return Ok(());
    }
    Err(Failure::new(
        format!("{} invariants were violated, seed {}", report.violations, report.seed),
        "the same options and seed repeat the run event by event; please report them",
    )
    .told())
}

/// Every parameter from the seed: chaos, healing, and what must hold then.
fn swarm(first: u64, count: u64, everywhere: &Everywhere) -> Result<(), Failure> {
    let mut progress = Progress::new(everywhere);
    let mut failed = Vec::new();
    let mut violations = 0;
    let mut events = 0;
    for seed in first..first.saturating_add(count) {
        let report = sim::run(Scenario::swarm(seed), |_| true);
        events += report.events;
        if report.violations > 0 {
            violations += report.violations;
            failed.push(seed);
            if !everywhere.json {
                print(&report.violation_details.join("\n"))?;
            }
        }
        progress.tell_seed(seed - first + 1, count, failed.len());
    }
    let wall_s = progress.end();
    if everywhere.json {
        let object = json!({
            "swarm": count, "seed": first, "violations": violations, "failed_seeds": failed, "events": events,
            "wall_s": wall_s,
        });
        print(&object.to_string())?;
    } else {
        print(&format!(
            "{count} swarm scenarios from seed {first}: {} with violations, {events} events, {wall_s:.1} s",
            failed.len()
        ))?;
    }
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("{violations} violations in {} of {count} seeds", failed.len()),
        format!("repeat one with `inonda simulate --swarm 1 --seed {}`", failed[0]),
    )
    .told())
}

/// The scenario of the file, or the design's, changed by the options given.
fn scenario(args: &SimulateArgs) -> Result<Scenario, Failure> {
    let mut scenario = match &args.scenario {
        Some(file) => read(file)?,
        None => Scenario {
            name: "the design's population and network".into(),
            ..Scenario::default()
        },
    };
    let seconds = |time: Duration| time.as_secs_f64();
    set(&mut scenario.listeners, args.listeners);
    set(&mut scenario.seconds, args.seconds.map(seconds));
    set(
        &mut scenario.rate_bps,
        args.rate.map(|rate| rate.min(u64::from(u32::MAX)) as u32),
    );
    set(&mut scenario.stripes, args.stripes);
    set(&mut scenario.deadline_s, args.deadline.map(seconds));
    set(&mut scenario.stay_s, args.session.map(seconds));
    set(&mut scenario.loss, args.loss);
    set(&mut scenario.seed, args.seed);
    set(&mut scenario.host_slots, args.host_slots);
    if args.upload.is_some() {
        scenario.host_upload_bps = args.upload;
    }
    scenario.crash.extend(&args.crash);
    // An audience that would arrive after the end arrives in the first third.
    if args.seconds.is_some() && args.scenario.is_none() {
        scenario.ramp_s = scenario.ramp_s.min(scenario.seconds / 3.0);
    }
    match scenario.out_of_range() {
        None => Ok(scenario),
        Some((field, expected)) => Err(Failure::new(
            format!("`{field}` must be {expected}"),
            "`inonda simulate --help` lists the options",
        )
        .code(2)),
    }
}

fn set<T>(field: &mut T, given: Option<T>) {
    if let Some(value) = given {
        *field = value;
    }
}

fn read(file: &Path) -> Result<Scenario, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(
            format!("cannot read the scenario {}: {error}", file.display()),
            "examples are in the folder tests/scenarios of the source",
        )
        .code(2)
    })?;
    Scenario::from_toml(&text).map_err(|error| {
        Failure::new(
            format!("{}: {error}", file.display()),
            "mend that line; a field that is left out has the design's value",
        )
        .code(2)
    })
}

/// Reads a crash such as `0.3@20s`: the share of the audience that vanishes, and when.
///
/// # Errors
/// Says what a crash looks like.
pub fn parse_crash(text: &str) -> Result<Crash, String> {
    let wrong = || format!("{text:?} is not a crash; write 0.3@20s for 30 % of the audience after 20 s");
    let (share, at) = text.split_once('@').ok_or_else(wrong)?;
    let share: f64 = share.trim().parse().map_err(|_| wrong())?;
    let at_s = crate::cli::quantity::parse_duration(at)
        .map_err(|_| wrong())?
        .as_secs_f64();
    if !(0.0..=1.0).contains(&share) {
        return Err(wrong());
    }
    Ok(Crash {
        at_s,
        share,
        neighbours: false,
    })
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", text.trim_end())
        .and_then(|()| out.flush())
        .map_err(|error| anyhow::Error::from(error).into())
}

/// What a long run says on standard error while it goes on, and when it must stop.
struct Progress {
    start: Instant,
    told: Instant,
    stop_after: Option<Duration>,
    quiet: bool,
    terminal: bool,
    wrote: bool,
}

impl Progress {
    #[allow(clippy::disallowed_methods, reason = "the person waits in real time")]
    fn new(everywhere: &Everywhere) -> Progress {
        Progress {
            start: Instant::now(),
            told: Instant::now(),
            stop_after: everywhere.stop_after,
            quiet: everywhere.quiet,
            terminal: std::io::stderr().is_terminal() && !everywhere.plain,
            wrote: false,
        }
    }

    /// After each virtual second; false when `--for` has run out.
    fn tell(&mut self, world: &World) -> bool {
        let (now, end) = (world.now as f64 / 1e6, world.end as f64 / 1e6);
        let line = || {
            let millions = world.events as f64 / 1e6;
            format!(
                "{now:.0} of {end:.0} s, {} peers, {millions:.1} million events",
                world.living()
            )
        };
        self.write(line);
        self.stop_after.is_none_or(|limit| self.start.elapsed() < limit)
    }

    fn tell_seed(&mut self, done: u64, count: u64, failed: usize) {
        self.write(|| format!("{done} of {count} seeds, {failed} with violations"));
    }

    #[allow(clippy::disallowed_methods, reason = "the person waits in real time")]
    fn write(&mut self, line: impl FnOnce() -> String) {
        let every = if self.terminal {
            PROGRESS_EVERY
        } else {
            PROGRESS_LINE_EVERY
        };
        if self.quiet || self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        if self.terminal {
            eprint!("\r\x1b[K{}", line());
            self.wrote = true;
        } else {
            eprintln!("{}", line());
        }
    }

    /// Clears the line; seconds since the start.
    fn end(&self) -> f64 {
        if self.wrote {
            eprint!("\r\x1b[K");
        }
        self.start.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::args::{Cli, Sub};

    fn args(line: &str) -> SimulateArgs {
        match Cli::try_parse_from(line.split_whitespace()).unwrap().command {
            Some(Sub::Simulate(args)) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_option_of_the_contract_reaches_the_scenario() {
        let line = "inonda simulate --listeners 500 --seconds 30 --rate 64k --stripes 1 --deadline 3s --session 60s \
                    --crash 0.3@20s --crash 0.1@25s --loss 0.01 --seed 7 --host-slots 2 --upload 1M";
        let scenario = scenario(&args(line)).unwrap();
        assert_eq!(
            (scenario.listeners, scenario.seconds, scenario.rate_bps),
            (500, 30.0, 64_000)
        );
        assert_eq!((scenario.stripes, scenario.deadline_s, scenario.stay_s), (1, 3.0, 60.0));
        assert_eq!((scenario.loss, scenario.seed, scenario.host_slots), (0.01, 7, 2));
        assert_eq!(scenario.host_upload_bps, Some(1_000_000));
        let crashes: Vec<_> = scenario.crash.iter().map(|crash| (crash.share, crash.at_s)).collect();
        assert_eq!(crashes, [(0.3, 20.0), (0.1, 25.0)]);
    }

    #[test]
    fn a_scenario_that_cannot_be_run_is_wrong_usage() {
        let late = scenario(&args("inonda simulate --seconds 10 --crash 0.3@20s")).unwrap_err();
        assert_eq!(late.code, 2);
        assert!(late.message.contains("crash"), "{}", late.message);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("s.toml");
        std::fs::write(&file, "listeners = 9\n\nseconds = -1\n").unwrap();
        let wrong = scenario(&args(&format!("inonda simulate --scenario {}", file.display()))).unwrap_err();
        assert_eq!(wrong.code, 2);
        assert!(
            wrong
                .message
                .ends_with("s.toml: line 3: `seconds` must be from 1 to 86400"),
            "{}",
            wrong.message
        );
    }

    #[test]
    fn crashes_are_read_as_the_contract_writes_them() {
        let crash = parse_crash("0.3@20s").unwrap();
        assert_eq!((crash.share, crash.at_s), (0.3, 20.0));
        for bad in ["", "0.3", "@20s", "2@20s", "x@20s", "0.3@soon"] {
            assert!(parse_crash(bad).is_err(), "{bad}");
        }
    }
}
