//! What the kernel says of this process, under the names that all clients of Prometheus give it. Where
//! there is no `/proc`, only when it started.

use domain::Timestamp;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::fs;
use std::time::Duration;

/// How often a second the kernel counts time for programs: the same on all that Linux runs on.
const TICKS_A_SECOND: f64 = 100.0;

/// This process.
#[derive(Debug)]
pub(super) struct Process {
    started_at: Timestamp,
}

impl Process {
    /// One that started then.
    pub(super) const fn started(now: Timestamp) -> Self {
        Self { started_at: now }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let millis = u64::try_from(self.started_at.as_millis()).unwrap_or(0);
        let started_s = Duration::from_millis(millis).as_secs_f64();
        let mut gauge = |name, help, value: Option<f64>| match value {
            Some(value) => ConstGauge::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Gauge,
            )?),
            None => Ok(()),
        };
        let started = "When the process started, in seconds since 1970";
        gauge("process_start_time_seconds", started, Some(started_s))?;
        let status = read("status");
        let memory = status.as_deref().and_then(|text| kib(text, "VmRSS:"));
        let resident = "Bytes of memory in use";
        gauge("process_resident_memory_bytes", resident, memory)?;
        let threads = status.as_deref().and_then(|text| figure(text, "Threads:"));
        gauge("process_threads", "Threads", threads)?;
        gauge("process_open_fds", "Open files and connections", open_fds())?;
        let limits = read("limits");
        let max = limits
            .as_deref()
            .and_then(|text| figure(text, "Max open files"));
        gauge("process_max_fds", "The most of them", max)?;
        let Some(cpu_s) = read("stat").as_deref().and_then(cpu_s) else {
            return Ok(());
        };
        let help = "Seconds of processor time, the kernel's included";
        let kind = MetricType::Counter;
        let counter = encoder.encode_descriptor("process_cpu_seconds", help, None, kind)?;
        ConstCounter::new(cpu_s).encode(counter)
    }
}

fn read(name: &str) -> Option<String> {
    fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// The first number after a name in a file of lines.
fn figure(text: &str, name: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kib(text: &str, name: &str) -> Option<f64> {
    Some(figure(text, name)? * 1024.0)
}

/// The time in `/proc/self/stat`: the twelfth and the thirteenth field after the name of the program,
/// which may hold anything.
fn cpu_s(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut next = || times.next()?.parse::<f64>().ok();
    Some((next()? + next()?) / TICKS_A_SECOND)
}

/// How many files are open. Newer kernels say it at once; in others they are counted.
fn open_fds() -> Option<f64> {
    let directory = "/proc/self/fd";
    let said = fs::metadata(directory).ok()?.len();
    let count = if said > 0 {
        said
    } else {
        u64::try_from(fs::read_dir(directory).ok()?.count()).unwrap_or(0)
    };
    Some(f64::from(u32::try_from(count).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::{cpu_s, figure, kib};

    #[test]
    fn the_kernels_figures_are_found_whatever_the_program_is_called() {
        let stat = "7 (a) (b c) S 1 7 7 0 -1 4194560 900 0 0 0 250 50 0 0 20 0 9 0 12345 1 2";
        assert_eq!(cpu_s(stat), Some(3.0));
        assert_eq!(cpu_s("7 (a"), None);
        let status = "Name:\ta\nVmRSS:\t  2048 kB\nThreads:\t9\n";
        assert_eq!(kib(status, "VmRSS:"), Some(2_097_152.0));
        assert_eq!(figure(status, "Threads:"), Some(9.0));
        assert_eq!(figure(status, "VmPeak:"), None);
    }
}
