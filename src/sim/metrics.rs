//! What a run is measured by; one definition each, as the design states them. Measured from outside, by true time.

/// Counts in buckets of a fixed width.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    width_us: u64,
    total: u64,
}

impl Histogram {
    /// `buckets` of `width_us`; the last one takes all that is larger.
    pub fn new(width_us: u64, buckets: usize) -> Histogram {
        Histogram {
            counts: vec![0; buckets],
            width_us,
            total: 0,
        }
    }

    /// Counts one value.
    pub fn add(&mut self, value_us: u64) {
        let last = self.counts.len() - 1;
        self.counts[((value_us / self.width_us) as usize).min(last)] += 1;
        self.total += 1;
    }

    /// The value below which this share lies, in the middle of its bucket; zero when nothing was counted.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (share * self.total as f64).ceil().max(1.0) as u64;
        let mut sum = 0;
        for (at, count) in self.counts.iter().enumerate() {
            sum += count;
            if sum >= wanted {
                return (at as f64 + 0.5) * self.width_us as f64;
            }
        }
        0.0
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Counts joined into `bars` equal parts up to `end_us`.
    pub fn bars(&self, bars: usize, end_us: f64) -> Vec<u64> {
        let mut joined = vec![0; bars];
        for (at, count) in self.counts.iter().enumerate() {
            let bar = (at as f64 * self.width_us as f64 / end_us * bars as f64) as usize;
            joined[bar.min(bars - 1)] += count;
        }
        joined
    }
}

/// Bits of the last chunks that came in time: more than ten seconds of the shortest.
pub const RECENT: u64 = 640;

/// What one listener received, in chunk numbers of the whole run.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pub joined_us: u64,
    /// The first chunk played: the start of the first 360 ms without a gap.
    pub first: Option<u64>,
    pub started_us: u64,
    pub in_time: u32,
    recent: [u64; RECENT as usize / 64],
    pub highest: u64,
    any: bool,
}

impl From<u64> for Heard {
    /// The account of a listener that asks to join at this moment.
    fn from(joined_us: u64) -> Heard {
        Heard {
            joined_us,
            ..Heard::default()
        }
    }
}

impl Heard {
    /// Whether this chunk came in time, for chunks of the last few seconds.
    pub fn has(&self, chunk: u64) -> bool {
        chunk + RECENT > self.highest && chunk <= self.highest && self.any && {
            let at = chunk % RECENT;
            self.recent[(at / 64) as usize] >> (at % 64) & 1 == 1
        }
    }

    fn set(&mut self, chunk: u64, value: bool) {
        let at = chunk % RECENT;
        let word = &mut self.recent[(at / 64) as usize];
        *word = *word & !(1 << (at % 64)) | u64::from(value) << (at % 64);
    }

    /// A chunk came; `in_time` before its deadline. Returns the first chunk played when this one completes the start.
    pub fn on_chunk(&mut self, chunk: u64, in_time: bool, run: u64, now_us: u64) -> Option<u64> {
        if !self.any {
            self.any = true;
            self.highest = chunk;
        }
        for skipped in self.highest + 1..=chunk.min(self.highest + RECENT) {
            self.set(skipped, false);
        }
        self.highest = self.highest.max(chunk);
        if chunk + RECENT <= self.highest {
            return None;
        }
        self.set(chunk, in_time);
        match self.first {
            Some(first) => {
                self.in_time += u32::from(in_time && chunk >= first);
                None
            }
            None if in_time => self.try_start(chunk, run, now_us),
            None => None,
        }
    }

    fn try_start(&mut self, chunk: u64, run: u64, now_us: u64) -> Option<u64> {
        let mut low = chunk;
        while low > 0 && chunk - low < run && self.has(low - 1) {
            low -= 1;
        }
        let mut high = chunk;
        while high - low < run && self.has(high + 1) {
            high += 1;
        }
        if high - low + 1 < run {
            return None;
        }
        self.first = Some(low);
        self.started_us = now_us;
        self.in_time = (low..=self.highest).filter(|chunk| self.has(*chunk)).count() as u32;
        Some(low)
    }
}

/// Kinds of traffic told apart.
pub const KINDS: usize = 8;
/// Their names: chunks with all around them, reports of children, pings and their answers, wants and lacks, greetings and
/// records, the rest of the control messages, acknowledgements, handshakes.
pub const KIND_NAMES: [&str; KINDS] = [
    "chunks",
    "reports",
    "pings",
    "wants",
    "greetings",
    "attaching",
    "acknowledgements",
    "handshakes",
];
/// Places of the two kinds that are no messages.
pub const ACKNOWLEDGEMENTS: usize = 6;
pub const HANDSHAKES: usize = 7;

/// Bytes of the running second in sixteenths, so that every second is looked at and not only those of the clock.
#[derive(Clone, Debug, Default)]
pub struct Second {
    parts: [u32; 16],
    at: u64,
}

impl Second {
    /// Counts bytes; returns those of the second (of sixteen parts of `part_us`) that ends now.
    pub fn add(&mut self, bytes: u64, part_us: u64, now_us: u64) -> u64 {
        let at = now_us / part_us.max(1);
        for n in 0..at.saturating_sub(self.at).min(16) {
            self.parts[((at - n) % 16) as usize] = 0;
        }
        self.at = at;
        self.parts[(at % 16) as usize] += bytes as u32;
        self.parts.iter().map(|part| u64::from(*part)).sum()
    }
}

/// Sums over all honest listeners.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub lag: Histogram,
    pub startup: Histogram,
    pub hops: Histogram,
    by_number: ByNumber,
    /// The same for those on the host's side of a partition.
    pub host_side: ByNumber,
    /// Continuity of each listener with a second or more due.
    pub each: Vec<f32>,
    pub never_started: u64,
    pub joins: u64,
    pub sent_bytes: u64,
    pub sent_payload: u64,
    pub handshakes: u64,
    /// Bytes of honest nodes by the kind of message, and those of the host among them.
    pub by_kind: [u64; KINDS],
    pub host_by_kind: [u64; KINDS],
    pub host_bytes: u64,
    pub host_payload: u64,
    pub copies: u64,
    pub needed: u64,
    pub wanted: u64,
    pub uploads: Vec<f32>,
    pub use_of_budget: Histogram,
    pub parent_switches: u64,
    pub node_seconds: f64,
}

/// For each chunk: listeners for whom it was due, as differences, and those who had it in time.
#[derive(Clone, Debug, Default)]
pub struct ByNumber {
    due_steps: Vec<i64>,
    in_time: Vec<u64>,
}

impl ByNumber {
    fn due(&mut self, first: u64, last: u64) {
        let steps = self.in_time.len() + 1;
        self.due_steps.resize(steps.max(self.due_steps.len()), 0);
        self.due_steps[first as usize] += 1;
        self.due_steps[last as usize + 1] -= 1;
    }

    /// For each chunk: how many listeners it was due for, and how many had it in time.
    pub fn by_chunk(&self) -> Vec<(u64, u64)> {
        let mut due = 0i64;
        let steps = self.due_steps.iter().copied().chain(std::iter::repeat(0));
        let each = self.in_time.iter().zip(steps).map(|(in_time, step)| {
            due += step;
            (due.max(0) as u64, *in_time)
        });
        each.collect()
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics {
            lag: Histogram::new(1_000, 5_000),
            startup: Histogram::new(5_000, 4_000),
            hops: Histogram::new(1, 64),
            by_number: ByNumber::default(),
            host_side: ByNumber::default(),
            each: Vec::new(),
            never_started: 0,
            joins: 0,
            sent_bytes: 0,
            sent_payload: 0,
            handshakes: 0,
            by_kind: [0; KINDS],
            host_by_kind: [0; KINDS],
            host_bytes: 0,
            host_payload: 0,
            copies: 0,
            needed: 0,
            wanted: 0,
            uploads: Vec::new(),
            use_of_budget: Histogram::new(10_000, 400),
            parent_switches: 0,
            node_seconds: 0.0,
        }
    }
}

impl Metrics {
    /// The measured part begins: sums start anew; what is kept by chunk and by listener goes on.
    pub fn begin(&mut self) {
        *self = Metrics {
            by_number: std::mem::take(&mut self.by_number),
            host_side: std::mem::take(&mut self.host_side),
            each: std::mem::take(&mut self.each),
            uploads: std::mem::take(&mut self.uploads),
            ..Metrics::default()
        };
    }

    /// Honest bytes were sent; `host` when it was the host that sent them.
    pub fn sent(&mut self, kind: usize, bytes: u64, host: bool) {
        self.sent_bytes += bytes;
        self.by_kind[kind] += bytes;
        if host {
            self.host_bytes += bytes;
            self.host_by_kind[kind] += bytes;
        }
    }

    /// One more chunk was published.
    pub fn published(&mut self, payload_bytes: u64) {
        self.by_number.in_time.push(0);
        self.host_side.in_time.push(0);
        self.host_payload += payload_bytes;
    }

    /// A chunk came to a listener that plays, in time.
    pub fn count_in_time(&mut self, chunk: u64, host_side: bool) {
        self.by_number.in_time[chunk as usize] += 1;
        self.host_side.in_time[chunk as usize] += u64::from(host_side);
    }

    /// Closes the account of a listener: `last` is the last chunk that was due.
    pub fn close(&mut self, heard: &Heard, last: Option<u64>, chunks_a_second: f64, host_side: bool) {
        let Some(first) = heard.first else { return };
        let last = match last {
            Some(last) if last >= first => last,
            Some(_) | None => {
                self.forget(heard, first, host_side);
                return;
            }
        };
        self.forget(heard, last + 1, host_side);
        self.by_number.due(first, last);
        if host_side {
            self.host_side.due(first, last);
        }
        let early = (last + 1..=heard.highest).filter(|chunk| heard.has(*chunk)).count() as u32;
        let due = (last - first + 1) as f64;
        if due >= chunks_a_second {
            self.each
                .push((f64::from(heard.in_time.saturating_sub(early)) / due) as f32);
        }
    }

    fn forget(&mut self, heard: &Heard, from: u64, host_side: bool) {
        for chunk in from.max(heard.first.unwrap_or(0))..=heard.highest {
            if heard.has(chunk) {
                self.by_number.in_time[chunk as usize] -= 1;
                self.host_side.in_time[chunk as usize] -= u64::from(host_side);
            }
        }
    }

    /// For each chunk: how many listeners it was due for, and how many had it in time.
    pub fn by_chunk(&self) -> Vec<(u64, u64)> {
        self.by_number.by_chunk()
    }

    /// Jain's index of what contributors uploaded against what they offered.
    pub fn jain(&self) -> f64 {
        let (sum, squares) = self.uploads.iter().fold((0.0, 0.0), |(sum, squares), x| {
            (sum + f64::from(*x), squares + f64::from(*x) * f64::from(*x))
        });
        if squares == 0.0 {
            return 1.0;
        }
        sum * sum / (self.uploads.len() as f64 * squares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_needs_an_unbroken_run() {
        let mut heard = Heard::default();
        for chunk in [10, 12, 13, 14, 16] {
            assert_eq!(heard.on_chunk(chunk, true, 4, 5), None);
        }
        assert_eq!(heard.on_chunk(11, true, 4, 9), Some(10));
        assert_eq!((heard.in_time, heard.started_us), (6, 9));
    }

    #[test]
    fn what_was_missed_is_counted_and_what_was_not_due_is_not() {
        let mut metrics = Metrics::default();
        (0..20).for_each(|_| metrics.published(1));
        let mut heard = Heard::default();
        for chunk in [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11] {
            let before = heard.first;
            if heard.on_chunk(chunk, true, 4, 0).is_some() {
                (0..=3).for_each(|chunk| metrics.count_in_time(chunk, true));
            } else if before.is_some() {
                metrics.count_in_time(chunk, true);
            }
        }
        metrics.close(&heard, Some(9), 1.0, true);
        assert_eq!(metrics.each, [0.9]);
        let by_chunk = metrics.by_chunk();
        assert_eq!((by_chunk[4], by_chunk[9], by_chunk[10]), ((1, 0), (1, 1), (0, 0)));
    }

    #[test]
    fn a_second_across_two_of_the_clock_is_one_too() {
        let mut second = Second::default();
        assert_eq!(second.add(100, 62_500, 900_000), 100);
        assert_eq!(second.add(100, 62_500, 1_100_000), 200);
        assert_eq!(second.add(1, 62_500, 1_900_000), 101);
        assert_eq!(second.add(1, 62_500, 9_000_000), 1);
    }

    #[test]
    fn quantiles_come_from_the_counts() {
        let mut histogram = Histogram::new(1_000, 100);
        (0..100).for_each(|n| histogram.add(n * 1_000));
        assert_eq!(histogram.quantile(0.5), 49_500.0);
        assert_eq!(histogram.quantile(1.0), 99_500.0);
    }
}
