//! What the kernel takes, for the status bar of a frontend that sends a `usage_request`. The reply is that of ipykernel
//! 7.

use jupyter_protocol::{JupyterMessageContent, UnknownMessage};
use oxtorch_system::processes;
use serde_json::{Map, Value, json};
use sysinfo::System;

/// Measures from one request to the next.
#[derive(Default)]
pub(crate) struct Usage {
    system: System,
}

impl Usage {
    /// The reply: processor time in percent of one processor since the last request, memory in bytes.
    pub(crate) fn reply(&mut self) -> JupyterMessageContent {
        let Self { system } = self;
        let kernel = std::process::id();
        system.refresh_memory();
        system.refresh_cpu_usage();
        processes::measure(system);
        let all: Vec<_> = processes::with_descendants(system, kernel).collect();
        let mut content = Map::from_iter([
            ("hostname".to_owned(), json!(System::host_name())),
            ("pid".to_owned(), json!(kernel)),
            ("kernel_cpu".to_owned(), json!(all.iter().map(|process| process.cpu_usage()).sum::<f32>())),
            ("kernel_memory".to_owned(), json!(all.iter().map(|process| processes::memory(process)).sum::<u64>())),
            ("cpu_count".to_owned(), json!(system.cpus().len())),
            ("host_virtual_memory".to_owned(), memory(system)),
        ]);
        // The first request has nothing to compare with.
        let percent = system.global_cpu_usage();
        if percent > 0.0 {
            content.insert("host_cpu_percent".to_owned(), json!(percent));
        }
        UnknownMessage { msg_type: "usage_reply".into(), content: Value::Object(content) }.into()
    }
}

/// The machine's memory, in the terms of psutil.
fn memory(system: &System) -> Value {
    let (total, available) = (system.total_memory(), system.available_memory());
    let percent = 100.0 * total.saturating_sub(available) as f64 / total.max(1) as f64;
    json!({
        "total": total,
        "available": available,
        "percent": (percent * 10.0).round() / 10.0,
        "used": system.used_memory(),
        "free": system.free_memory(),
    })
}
