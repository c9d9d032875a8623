//! One table of deadlines with reasons; the driver sleeps once, until the earliest.

use crate::units::Time;

/// Reasons for a deadline, for logs and tests; the driver only needs the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Timer {
    /// Look for overdue chunks and silent parents.
    Watch = 0,
    /// Ask again for a chunk.
    Repair = 1,
    /// Send the next chunk of a burst.
    Burst = 2,
    /// Look further for a parent.
    Seek = 3,
    /// Report to parents, check children, keep up the neighbours.
    Status = 4,
}

/// Every timer there is.
pub const TIMERS: [Timer; 5] = [Timer::Watch, Timer::Repair, Timer::Burst, Timer::Seek, Timer::Status];
const NEVER: Time = Time(u64::MAX);

/// When each timer is due.
#[derive(Clone, Debug)]
pub struct Timers([Time; TIMERS.len()]);

impl Default for Timers {
    fn default() -> Timers {
        Timers([NEVER; TIMERS.len()])
    }
}

impl Timers {
    /// Sets a timer, whatever it was.
    pub fn set(&mut self, timer: Timer, at: Time) {
        self.0[timer as usize] = at;
    }

    /// Brings a timer forward; a later time changes nothing.
    pub fn by(&mut self, timer: Timer, at: Time) {
        let due = &mut self.0[timer as usize];
        *due = (*due).min(at);
    }

    /// Whether a timer's time has come.
    pub fn is_due(&self, timer: Timer, now: Time) -> bool {
        self.0[timer as usize] <= now
    }

    /// Stops a timer.
    pub fn stop(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    /// The earliest deadline.
    pub fn next(&self) -> Option<(Time, Timer)> {
        let (at, timer) = self.0.iter().zip(TIMERS).min_by_key(|(at, _)| **at)?;
        (*at != NEVER).then_some((*at, timer))
    }

    /// Takes a timer that is due at `now`, if any.
    pub fn take_due(&mut self, now: Time) -> Option<Timer> {
        let (at, timer) = self.next()?;
        if at > now {
            return None;
        }
        self.stop(timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_deadline_comes_first() {
        let mut timers = Timers::default();
        assert_eq!(timers.next(), None);
        timers.set(Timer::Status, Time(9));
        timers.by(Timer::Seek, Time(5));
        timers.by(Timer::Seek, Time(7));
        assert_eq!(timers.next(), Some((Time(5), Timer::Seek)));
        assert_eq!(timers.take_due(Time(4)), None);
        assert_eq!(timers.take_due(Time(9)), Some(Timer::Seek));
        assert_eq!(timers.take_due(Time(9)), Some(Timer::Status));
        assert_eq!(timers.take_due(Time(u64::MAX - 1)), None);
    }
}
