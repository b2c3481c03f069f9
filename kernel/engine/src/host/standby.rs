//! A host that has loaded everything and waits, so that a session whose host is gone goes on at once.

use std::sync::Arc;
use std::time::Duration;

use oxtorch_protocol::Surroundings;
use oxtorch_setup::Runtime;
use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::host::{Confinement, Host};

/// How long after a cell the host is started: the next cell may come at once, and is not to share the processor with
/// it.
const QUIET: Duration = Duration::from_secs(2);

/// Starts hosts, the next one ahead of its time.
#[derive(Debug)]
pub(crate) struct Standby {
    runtime: Runtime,
    confinement: Option<Confinement>,
    enabled: bool,
    waiting: Arc<Mutex<Option<Host>>>,
    preparing: Option<JoinHandle<()>>,
}

impl Standby {
    /// Starts hosts on a runtime when they are needed.
    pub fn new(runtime: Runtime, confinement: Option<Confinement>) -> Self {
        Self { runtime, confinement, enabled: false, waiting: Arc::default(), preparing: None }
    }

    /// The same, and keeps one waiting.
    pub fn enabled(self) -> Self {
        Self { enabled: true, ..self }
    }

    /// Sees to it that a host waits soon.
    pub fn prepare(&mut self) {
        let is_preparing = self.preparing.as_ref().is_some_and(|task| !task.is_finished());
        let is_waiting = self.waiting.lock().is_some();
        if !self.enabled || is_preparing || is_waiting {
            return;
        }
        let (runtime, waiting) = (self.runtime.clone(), Arc::clone(&self.waiting));
        let confinement = self.confinement.clone();
        self.preparing = Some(tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            // Where none can be started now, one is started, or the error told, when it is needed.
            if let Ok(host) = Host::start(&runtime, &Surroundings::default(), confinement) {
                *waiting.lock() = Some(host);
            }
        }));
    }

    /// The host that waits, or a new one, in these surroundings.
    pub fn take(&mut self, surroundings: &Surroundings) -> anyhow::Result<Host> {
        let waiting = self.waiting.lock().take();
        if let Some(mut host) = waiting
            && host.is_alive()
        {
            // It has been started in those of the kernel.
            host.surround(surroundings);
            return Ok(host);
        }
        Host::start(&self.runtime, surroundings, self.confinement.clone())
    }

    /// Ends the host that waits.
    pub async fn shutdown(self) {
        if let Some(task) = self.preparing {
            task.abort();
            let _ = task.await;
        }
        let waiting = self.waiting.lock().take();
        if let Some(host) = waiting {
            host.shutdown(None).await;
        }
    }
}
