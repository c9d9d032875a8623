//! Quantities as people write them: `30s`, `500ms`, `1h`, `128k`, `2M`.

use std::time::Duration;

use crate::limits::{DELAY_MAX, DELAY_MIN};

/// Reads a time such as `2s`, `0.5s`, `250ms`, `10m` or `1h`; a bare number is seconds.
///
/// # Errors
/// Says what a time looks like.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3_600.0,
        _ => return Err(format!("{text:?} is not a time; write 500ms, 2s, 10m or 1h")),
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|n| Duration::try_from_secs_f64(n * scale).ok())
        .filter(|time| *time <= Duration::from_secs(366 * 86_400))
        .ok_or_else(|| format!("{text:?} is not a time; write 500ms, 2s, 10m or 1h"))
}

/// Reads a delay from source to ear.
///
/// # Errors
/// Says what a time looks like, and which delays are possible.
pub fn parse_delay(text: &str) -> Result<Duration, String> {
    let delay = parse_duration(text)?;
    if (DELAY_MIN..=DELAY_MAX).contains(&delay) {
        return Ok(delay);
    }
    let (least, most) = (DELAY_MIN.as_millis(), DELAY_MAX.as_secs());
    Err(format!("a delay lies between {least}ms and {most}s"))
}

/// Reads bits a second such as `128k`, `2M` or `0`.
///
/// # Errors
/// Says what a rate looks like.
pub fn parse_bitrate(text: &str) -> Result<u64, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "" => 1.0,
        "k" | "K" => 1e3,
        "m" | "M" => 1e6,
        "g" | "G" => 1e9,
        _ => return Err(format!("{text:?} is not a rate; write 128k or 2M (bits a second)")),
    };
    match number.parse::<f64>() {
        Ok(n) if n.is_finite() && (0.0..=1e12).contains(&(n * scale)) => Ok((n * scale) as u64),
        _ => Err(format!("{text:?} is not a rate; write 128k or 2M (bits a second)")),
    }
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    (text[..at].trim(), &text[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_rates_are_read() {
        assert_eq!(parse_duration("0.5s").unwrap(), Duration::from_millis(500));
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("2").unwrap(), Duration::from_secs(2));
        assert_eq!(parse_duration("10m").unwrap(), Duration::from_secs(600));
        assert_eq!(parse_bitrate("128k").unwrap(), 128_000);
        assert_eq!(parse_bitrate("1.5M").unwrap(), 1_500_000);
        assert_eq!(parse_bitrate("0").unwrap(), 0);
    }

    #[test]
    fn delays_that_no_mesh_can_keep_are_refused() {
        assert_eq!(parse_delay("200ms").unwrap(), Duration::from_millis(200));
        assert_eq!(parse_delay("10s").unwrap(), Duration::from_secs(10));
        for text in ["0", "199ms", "10.1s", "1h"] {
            assert!(parse_delay(text).unwrap_err().contains("between"), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "s", "-1s", "1y", "nan", "infs", "1e30h"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
        for text in ["", "k", "-1k", "12q", "nank", "1e30"] {
            assert!(parse_bitrate(text).is_err(), "{text}");
        }
    }
}
