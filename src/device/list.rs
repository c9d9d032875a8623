//! Which devices there are, and which one a person means.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};

use crate::device::event::DeviceError;
use crate::device::quiet;

/// A sound server that takes longer to answer is taken for hung.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);
/// Rates worth telling a person about.
const COMMON_RATES: [u32; 6] = [22_050, 44_100, 48_000, 88_200, 96_000, 192_000];
/// Names that an error message lists.
const NAMES_MAX: usize = 12;

/// Which way sound goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Output,
    Input,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Kind {
    /// "output" or "input".
    pub fn word(self) -> &'static str {
        match self {
            Kind::Output => "output",
            Kind::Input => "input",
        }
    }

    /// How to do without.
    pub(super) fn instead(self) -> &'static str {
        match self {
            Kind::Output => ", or use --output null",
            Kind::Input => ", or play files with --file",
        }
    }
}

/// One device as a person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// What the system calls it for people.
    pub name: String,
    /// What the system calls it for programs; stable, and accepted wherever a name is.
    pub id: String,
    pub kind: Kind,
    /// Whether it is used when no name is given.
    pub default: bool,
    /// The usual ones among the rates in hertz that it takes; empty when it does not say.
    pub rates: Vec<u32>,
}

/// Everything that can play or record, outputs first, defaults first among their kind. Empty when there is nothing, or
/// when the sound system does not answer within four seconds.
pub fn list() -> Vec<DeviceInfo> {
    let infos = on_own_thread(|| {
        let host = cpal::default_host();
        let mut infos = Vec::new();
        for kind in [Kind::Output, Kind::Input] {
            let default = default_of(&host, kind).and_then(|device| device.id().ok());
            for (device, mut info) in devices(&host, kind) {
                info.default = device.id().ok() == default;
                infos.push(info);
            }
        }
        infos.sort_by(|a, b| (a.kind, !a.default, &a.name).cmp(&(b.kind, !b.default, &b.name)));
        infos
    });
    infos.unwrap_or_default()
}

/// Whether there is a default output that could be opened; makes no sound.
pub fn has_output() -> bool {
    on_own_thread(|| default_of(&cpal::default_host(), Kind::Output).is_some()).unwrap_or(false)
}

/// Runs `work` on a thread where sound libraries are quiet; gives it up when it takes too long.
fn on_own_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("inonda-devices".into()).spawn(move || {
        quiet::this_thread();
        let _ = sender.send(work());
    });
    thread.ok()?;
    receiver.recv_timeout(ANSWER_TIMEOUT).ok()
}

/// The device that `wanted` means: an id, a name, or a part of one that fits a single device; without it, the default.
pub(super) fn find(
    host: &cpal::Host,
    kind: Kind,
    wanted: Option<&str>,
) -> Result<(cpal::Device, DeviceInfo), DeviceError> {
    let there = devices(host, kind);
    let Some(wanted) = wanted else {
        let device = default_of(host, kind).ok_or(DeviceError::None { kind })?;
        let id = device.id().map(|id| id.id().to_owned()).unwrap_or_default();
        let listed = there.into_iter().map(|(_, info)| info).find(|info| info.id == id);
        let info = listed
            .or_else(|| describe(&device, kind))
            .ok_or(DeviceError::None { kind })?;
        return Ok((device, info));
    };
    let infos: Vec<&DeviceInfo> = there.iter().map(|(_, info)| info).collect();
    let index = pick(&infos, kind, wanted)?;
    there.into_iter().nth(index).ok_or(DeviceError::None { kind })
}

/// Which of `infos` is meant; separate from the devices so that it can be tested.
fn pick(infos: &[&DeviceInfo], kind: Kind, wanted: &str) -> Result<usize, DeviceError> {
    if infos.is_empty() {
        return Err(DeviceError::None { kind });
    }
    let lower = wanted.to_lowercase();
    let fits: [&dyn Fn(&DeviceInfo) -> bool; 3] = [
        &|info| info.id == wanted || info.name == wanted,
        &|info| info.name.to_lowercase() == lower || info.id.to_lowercase() == lower,
        &|info| info.name.to_lowercase().contains(&lower) || info.id.to_lowercase().contains(&lower),
    ];
    for fit in fits {
        let matching: Vec<usize> = (0..infos.len()).filter(|i| fit(infos[*i])).collect();
        match matching[..] {
            [] => {}
            [one] => return Ok(one),
            _ => {
                let matching = matching.iter().take(NAMES_MAX).map(|i| infos[*i].id.clone()).collect();
                return Err(DeviceError::Ambiguous {
                    wanted: wanted.to_owned(),
                    matching,
                });
            }
        }
    }
    let there = infos.iter().take(NAMES_MAX).map(|info| info.name.clone()).collect();
    Err(DeviceError::NotFound {
        kind,
        wanted: wanted.to_owned(),
        there,
    })
}

fn default_of(host: &cpal::Host, kind: Kind) -> Option<cpal::Device> {
    let device = match kind {
        Kind::Output => host.default_output_device(),
        Kind::Input => host.default_input_device(),
    }?;
    // ALSA always names a default, whether there is anything behind it or not.
    let usable = match kind {
        Kind::Output => device.default_output_config().is_ok(),
        Kind::Input => device.default_input_config().is_ok(),
    };
    usable.then_some(device)
}

fn devices(host: &cpal::Host, kind: Kind) -> Vec<(cpal::Device, DeviceInfo)> {
    let Ok(all) = host.devices() else { return Vec::new() };
    let fits = |device: &cpal::Device| match kind {
        Kind::Output => device.supports_output(),
        Kind::Input => device.supports_input(),
    };
    // ALSA's `null` has no clock: it would swallow an hour of sound in a second.
    let mut found: Vec<(cpal::Device, DeviceInfo)> = all
        .filter(fits)
        .filter_map(|device| describe(&device, kind).map(|info| (device, info)))
        .filter(|(_, info)| info.id != "null")
        .collect();
    distinguish(found.iter_mut().map(|(_, info)| info).collect());
    found
}

/// Two headsets of one make have one name: their ids then become part of it.
fn distinguish(infos: Vec<&mut DeviceInfo>) {
    let names: Vec<String> = infos.iter().map(|info| info.name.clone()).collect();
    for info in infos {
        if names.iter().filter(|name| **name == info.name).count() > 1 {
            info.name = format!("{} ({})", info.name, info.id);
        }
    }
}

fn describe(device: &cpal::Device, kind: Kind) -> Option<DeviceInfo> {
    let id = device.id().ok()?.id().to_owned();
    let name = device
        .description()
        .map_or_else(|_| id.clone(), |text| text.name().to_owned());
    let within = |range: &cpal::SupportedStreamConfigRange, rate: &u32| range.contains_rate(*rate);
    let ranges: Vec<cpal::SupportedStreamConfigRange> = match kind {
        Kind::Output => device
            .supported_output_configs()
            .map(Iterator::collect)
            .unwrap_or_default(),
        Kind::Input => device
            .supported_input_configs()
            .map(Iterator::collect)
            .unwrap_or_default(),
    };
    let rates = COMMON_RATES
        .into_iter()
        .filter(|rate| ranges.iter().any(|range| within(range, rate)))
        .collect();
    Some(DeviceInfo {
        name,
        id,
        kind,
        default: false,
        rates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(name: &str, id: &str) -> DeviceInfo {
        DeviceInfo {
            name: name.into(),
            id: id.into(),
            kind: Kind::Output,
            default: false,
            rates: vec![],
        }
    }

    #[test]
    fn a_name_is_found_by_id_whole_name_or_a_part_that_fits_one() {
        let (a, b, c) = (
            info("USB Headset", "usb-1"),
            info("Built-in Audio", "pci-1"),
            info("USB Headset Pro", "usb-2"),
        );
        let infos = [&a, &b, &c];
        for (wanted, index) in [
            ("usb-1", 0),
            ("USB Headset", 0),
            ("usb headset", 0),
            ("built", 1),
            ("pro", 2),
        ] {
            assert_eq!(pick(&infos, Kind::Output, wanted), Ok(index), "{wanted}");
        }
    }

    #[test]
    fn devices_of_one_name_are_told_apart_by_their_ids() {
        let mut infos = [
            info("Headset", "usb-1"),
            info("Headset", "usb-2"),
            info("Built-in", "pci"),
        ];
        distinguish(infos.iter_mut().collect());
        assert_eq!(
            infos.map(|info| info.name),
            ["Headset (usb-1)", "Headset (usb-2)", "Built-in"]
        );
    }

    #[test]
    fn a_wrong_name_is_answered_with_what_there_is() {
        let (a, b) = (info("USB Headset", "usb-1"), info("Built-in Audio", "pci-1"));
        let error = pick(&[&a, &b], Kind::Output, "hdmi").unwrap_err().to_string();
        assert!(
            error.contains("hdmi") && error.contains("USB Headset") && error.contains("Built-in"),
            "{error}"
        );
        let error = pick(&[&a, &b], Kind::Output, "-1").unwrap_err();
        assert!(matches!(error, DeviceError::Ambiguous { .. }), "{error}");
        let error = pick(&[], Kind::Output, "x").unwrap_err().to_string();
        assert!(error.contains("--output null"), "{error}");
    }
}
