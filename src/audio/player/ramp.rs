//! A gain that never jumps.

/// Moves linearly from where it is to where it should be.
pub(super) struct Ramp {
    value: f32,
    target: f32,
    /// Change a frame.
    step: f32,
}

impl Ramp {
    /// A gain of `value` that takes `seconds` from nothing to full at `rate_hz`.
    pub(super) fn new(value: f32, seconds: f32, rate_hz: u32) -> Ramp {
        Ramp {
            value,
            target: value,
            step: 1.0 / (seconds * rate_hz as f32).max(1.0),
        }
    }

    pub(super) fn retune(&mut self, seconds: f32, rate_hz: u32) {
        self.step = 1.0 / (seconds * rate_hz as f32).max(1.0);
    }

    pub(super) fn go_to(&mut self, target: f32) {
        self.target = target;
    }

    /// Whether it is at nothing and stays there.
    pub(super) fn is_closed(&self) -> bool {
        self.value == 0.0 && self.target == 0.0
    }

    /// The gain of the next frame.
    pub(super) fn next(&mut self) -> f32 {
        if self.value < self.target {
            self.value = (self.value + self.step).min(self.target);
        } else if self.value > self.target {
            self.value = (self.value - self.step).max(self.target);
        }
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_arrives_in_time_and_without_a_step() {
        let mut ramp = Ramp::new(0.0, 0.01, 48_000);
        ramp.go_to(1.0);
        let values: Vec<f32> = (0..481).map(|_| ramp.next()).collect();
        assert_eq!(values[480], 1.0);
        assert!(values.windows(2).all(|w| w[1] - w[0] < 0.003));
    }
}
