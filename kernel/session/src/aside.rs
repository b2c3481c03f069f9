//! What a session shows while no cell runs.

use std::pin::Pin;

use tokio::sync::mpsc;

use super::{Engine, Event};

/// What a session shows while no cell runs, by a thread that outlives its cell. It belongs to the cell that ran last.
pub struct Aside(Option<mpsc::Receiver<Event>>);

impl Aside {
    /// Takes it from an engine.
    pub fn of(engine: &mut impl Engine) -> Self {
        Self(engine.aside())
    }

    /// Waits for the next event; for ever if none will come.
    pub async fn next(&mut self) -> Event {
        if let Some(events) = &mut self.0
            && let Some(event) = events.recv().await
        {
            return event;
        }
        // The engine has ended, or tells nothing.
        std::future::pending().await
    }

    /// The next event until something has been done, and after that those that have come by then. `done` is taken once
    /// it is over.
    pub async fn next_until<F: Future<Output = ()>>(&mut self, done: &mut Option<Pin<&mut F>>) -> Option<Event> {
        if let Some(waiting) = done {
            tokio::select! {
                event = self.next() => return Some(event),
                () = waiting.as_mut() => {}
            }
            *done = None;
        }
        self.try_next()
    }

    /// The next event, if there is one already.
    pub fn try_next(&mut self) -> Option<Event> {
        self.0.as_mut()?.try_recv().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    #[tokio::test]
    async fn what_comes_until_the_end_and_with_it_is_given() {
        let (events, events_end) = mpsc::channel(4);
        let mut aside = Aside(Some(events_end));
        let tell = async |text: &str| events.send(Event::Note(text.into())).await.expect("somebody listens");
        let ends = async {
            tell("one").await;
            tokio::task::yield_now().await;
            tell("two").await;
            tell("three").await;
        };
        let mut done = Some(pin!(ends));
        let mut told = Vec::new();
        while let Some(event) = aside.next_until(&mut done).await {
            let Event::Note(note) = event else { panic!("is no note") };
            told.push(note);
        }
        assert_eq!(told, ["one", "two", "three"]);
        assert!(done.is_none());
    }
}
