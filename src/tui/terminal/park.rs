//! Waits for the screen's thread: it sleeps until something comes or a time is reached, and wakes up for nothing else.
#![allow(clippy::disallowed_methods, reason = "waits by the clock")]

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Instant;

use futures_core::Stream;

/// What `future` gives, or nothing when it takes longer than `until`. A runtime's timers would wake this thread up at every
/// boundary of their wheel, which is as often again as meters move.
pub fn wait_until<F: Future>(future: F, until: Instant) -> Option<F::Output> {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        thread::park_timeout(left);
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A stream for one thread that is asked only when it has something: what a terminal sends is waited for by a thread of its
/// own, and to ask while that one waits costs several switches of the processor.
pub struct Woken<S> {
    stream: S,
    knock: Arc<Knock>,
}

struct Knock {
    heard: AtomicBool,
    thread: Thread,
}

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        self.heard.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl<S: Stream + Unpin> Woken<S> {
    /// To be used on this thread, with [`wait_until`].
    pub fn new(stream: S) -> Woken<S> {
        let knock = Knock {
            heard: AtomicBool::new(true),
            thread: thread::current(),
        };
        Woken {
            stream,
            knock: Arc::new(knock),
        }
    }

    /// What comes next; `None` after the end.
    pub async fn next(&mut self) -> Option<S::Item> {
        std::future::poll_fn(|_| {
            if !self.knock.heard.swap(false, Ordering::AcqRel) {
                return Poll::Pending;
            }
            let waker = Waker::from(Arc::clone(&self.knock));
            let next = Pin::new(&mut self.stream).poll_next(&mut Context::from_waker(&waker));
            if next.is_ready() {
                // There may be more, and nobody will knock for it.
                self.knock.heard.store(true, Ordering::Release);
            }
            next
        })
        .await
    }
}
