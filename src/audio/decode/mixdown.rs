//! Any number of channels onto two.

use symphonia::core::audio::{Channels, Position};

use crate::units::CHANNELS;

/// Weights of each channel on either side, kept for as long as the layout stays.
#[derive(Default)]
pub(super) struct Mixdown {
    layout: Option<Channels>,
    weights: Vec<[f32; CHANNELS]>,
}

impl Mixdown {
    /// Appends `interleaved` of `layout` as stereo.
    pub(super) fn apply(&mut self, interleaved: &[f32], layout: &Channels, out: &mut Vec<f32>) {
        let count = layout.count().max(1);
        match count {
            1 => out.extend(interleaved.iter().flat_map(|sample| [*sample; CHANNELS])),
            2 => out.extend_from_slice(&interleaved[..interleaved.len() / 2 * 2]),
            _ => {
                if self.layout.as_ref() != Some(layout) {
                    self.weights = weights(layout);
                    self.layout = Some(layout.clone());
                }
                for frame in interleaved.chunks_exact(count) {
                    let side = |c: usize| frame.iter().zip(&self.weights).map(|(s, w)| s * w[c]).sum::<f32>();
                    out.extend([side(0), side(1)]);
                }
            }
        }
    }
}

/// The coefficients of ITU-R BS.775: centre and surround at -3 dB, no effects channel; scaled so that nothing can clip.
fn weights(layout: &Channels) -> Vec<[f32; CHANNELS]> {
    const HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
    let weigh = |position: Position| {
        let left = Position::FRONT_LEFT | Position::FRONT_LEFT_WIDE;
        let right = Position::FRONT_RIGHT | Position::FRONT_RIGHT_WIDE;
        let back_left = Position::REAR_LEFT | Position::SIDE_LEFT | Position::FRONT_LEFT_CENTER;
        let back_right = Position::REAR_RIGHT | Position::SIDE_RIGHT | Position::FRONT_RIGHT_CENTER;
        let effects = Position::LFE1 | Position::LFE2;
        match position {
            p if left.contains(p) => [1.0, 0.0],
            p if right.contains(p) => [0.0, 1.0],
            p if back_left.contains(p) => [HALF, 0.0],
            p if back_right.contains(p) => [0.0, HALF],
            p if effects.contains(p) => [0.0, 0.0],
            Position::FRONT_CENTER => [HALF, HALF],
            _ => [0.5, 0.5],
        }
    };
    let mut weights: Vec<[f32; CHANNELS]> = match layout {
        Channels::Positioned(positions) => positions.iter().map(weigh).collect(),
        // Of channels without a place the first two are the sides.
        _ => (0..layout.count())
            .map(|i| [[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]][i.min(2)])
            .collect(),
    };
    let sum = |c: usize| weights.iter().map(|w| w[c]).sum::<f32>();
    let loudest = sum(0).max(sum(1)).max(1.0);
    weights.iter_mut().flatten().for_each(|weight| *weight /= loudest);
    weights
}

#[cfg(test)]
mod tests {
    use symphonia::core::audio::layouts;

    use super::*;

    #[test]
    fn one_channel_goes_to_both_sides() {
        let mut out = Vec::new();
        Mixdown::default().apply(&[0.5, -0.5], &layouts::CHANNEL_LAYOUT_MONO, &mut out);
        assert_eq!(out, [0.5, 0.5, -0.5, -0.5]);
    }

    #[test]
    fn surround_keeps_its_sides_and_cannot_clip() {
        let mut out = Vec::new();
        let layout = layouts::CHANNEL_LAYOUT_5P1;
        let mut mixdown = Mixdown::default();
        mixdown.apply(&[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], &layout, &mut out);
        assert!(out[0] > 0.4 && out[1] == 0.0);
        out.clear();
        mixdown.apply(&[1.0; 6], &layout, &mut out);
        assert!((out[0] - 1.0).abs() < 1e-6 && (out[1] - 1.0).abs() < 1e-6);
    }
}
