//! The simulator: the mesh in virtual time. It drives the same `Mesh` that runs on the air and needs nothing above it.

pub mod ack;
pub mod behaviour;
pub mod chart;
pub mod hashing;
mod healing;
pub mod invariant;
mod last;
pub mod metrics;
pub mod network;
mod plan;
pub mod report;
pub mod scenario;
mod story;
pub mod svg;
mod swarm;
pub mod wheel;
pub mod world;

pub use report::Report;
pub use scenario::Scenario;
pub use world::World;

/// Runs a scenario to its end; `go_on` hears of each virtual second and may end the run early.
pub fn run(scenario: Scenario, mut go_on: impl FnMut(&World) -> bool) -> Report {
    let mut world = World::new(scenario);
    let mut second = 1;
    while world.run_until(second * 1_000_000) {
        if !go_on(&world) {
            world.end = world.now;
        }
        second += 1;
    }
    world.finish();
    Report::of(&world)
}
