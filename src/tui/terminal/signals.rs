//! Signals: the end, and the stop of job control.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Signals that may wait: they ask for the same again.
const WAITING_MAX: usize = 8;

/// What a signal asks for.
pub enum Signal {
    End,
    Stop,
}

/// Every signal that matters to a screen, from now on; a thread sleeps until one comes.
///
/// # Errors
/// When the system refuses.
pub fn listen() -> io::Result<mpsc::Receiver<Signal>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (sender, signals) = mpsc::channel(WAITING_MAX);
    let on = runtime.enter();
    let mut term = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut stop = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
    drop(on);
    let listen = async move {
        loop {
            let signal = tokio::select! {
                _ = term.recv() => Signal::End,
                _ = hangup.recv() => Signal::End,
                _ = interrupt.recv() => Signal::End,
                _ = stop.recv() => Signal::Stop,
                () = sender.closed() => return,
            };
            if sender.send(signal).await.is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || runtime.block_on(listen))?;
    Ok(signals)
}
