//! Keeps the sound libraries from writing over a full-screen terminal.

/// From now on ALSA's complaints on this thread go to a buffer that nobody reads; its errors still arrive as errors.
/// PulseAudio's side is written in Rust and prints nothing.
pub(super) fn this_thread() {
    #[cfg(any(
        target_os = "linux",
        target_os = "freebsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    if alsa::Output::local_error_handler().is_err() {
        tracing::debug!("ALSA may write to the terminal");
    }
}
