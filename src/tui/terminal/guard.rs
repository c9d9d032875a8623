//! Takes the terminal, and gives it back whole: at the end, on an error, on a panic.

use std::io::{self, Write};
use std::panic::{self, PanicHookInfo};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossterm::event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};

use super::hush::Hush;

/// Presses and the wheel, with SGR coordinates; movement would flood a slow line and is not wanted.
const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";
/// Failures of other threads kept for the log.
const PANICS_MAX: usize = 16;

/// What [`give_back`] needs while the screens are drawn.
static TAKEN: Mutex<Option<(Arc<AtomicBool>, Arc<Hush>)>> = Mutex::new(None);

/// Gives the terminal back from any thread, for a process that ends at once.
pub fn give_back() {
    let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((ours, hush)) = taken.as_ref() {
        restore(ours, hush);
    }
}

type Hook = Arc<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// The terminal while the screens are drawn.
pub struct Guard {
    panics: Arc<Mutex<Vec<String>>>,
    before: Hook,
    /// Whether the terminal is ours at this moment. Giving it back twice would move the cursor back to where it was at
    /// the start, and the next line would be written over what a panic said.
    ours: Arc<AtomicBool>,
    hush: Arc<Hush>,
}

impl Guard {
    /// Raw mode, the alternate screen, no cursor; a panic of this thread gives the terminal back before it is told.
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter(mouse: bool) -> io::Result<Guard> {
        let before: Hook = Arc::from(panic::take_hook());
        let panics = Arc::new(Mutex::new(Vec::new()));
        let ours = Arc::new(AtomicBool::new(false));
        let (told, hook, drawing) = (Arc::clone(&panics), Arc::clone(&before), std::thread::current().id());
        let taken = Arc::clone(&ours);
        let hush = Arc::new(Hush::default());
        let hushed = Arc::clone(&hush);
        panic::set_hook(Box::new(move |info| {
            if std::thread::current().id() == drawing {
                restore(&taken, &hushed);
                return hook(info);
            }
            // Another thread's failure must not be written over the screen; it goes to the log.
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            if told.len() < PANICS_MAX {
                told.push(info.to_string());
            }
        }));
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&ours), Arc::clone(&hush)));
        let guard = Guard {
            panics,
            before,
            ours,
            hush,
        };
        guard.enter_again(mouse)?;
        Ok(guard)
    }

    /// Takes the terminal after [`Guard::leave`].
    ///
    /// # Errors
    /// When the terminal refuses.
    pub fn enter_again(&self, mouse: bool) -> io::Result<()> {
        self.ours.store(true, Ordering::SeqCst);
        enable_raw_mode()?;
        self.hush.begin()?;
        execute!(
            io::stdout(),
            EnterAlternateScreen,
            EnableBracketedPaste,
            EnableFocusChange,
            cursor::Hide
        )?;
        self.mouse(mouse)
    }

    /// Takes or releases the mouse.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn mouse(&self, on: bool) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(if on { MOUSE_ON } else { MOUSE_OFF })?;
        out.flush()
    }

    /// Gives the terminal back for a while.
    pub fn leave(&self) {
        restore(&self.ours, &self.hush);
    }

    /// Failures of other threads since the last call.
    pub fn panics(&self) -> Vec<String> {
        std::mem::take(&mut *self.panics.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        restore(&self.ours, &self.hush);
        if std::thread::panicking() {
            return;
        }
        let before = Arc::clone(&self.before);
        panic::set_hook(Box::new(move |info| before(info)));
        for panic in self.panics() {
            tracing::error!("{panic}");
        }
    }
}

/// Every step is tried even when one fails: the terminal may be gone.
fn restore(ours: &AtomicBool, hush: &Hush) {
    if !ours.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    drop(out.write_all(MOUSE_OFF));
    drop(execute!(
        out,
        DisableFocusChange,
        DisableBracketedPaste,
        LeaveAlternateScreen,
        cursor::Show
    ));
    drop(disable_raw_mode());
    drop(out.flush());
    hush.end();
}
